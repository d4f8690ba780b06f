"""run_openvino.py FOLDER THREADS DTYPE: runs networks that convert_for_openvino.py wrote, with OpenVINO on the CPU."""

import sys

import openvino

from answers import INPUTS, answer_lines

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}

folder, threads, precision = sys.argv[1], int(sys.argv[2]), PRECISIONS[sys.argv[3]]
requests = {}


def load(name):
    network = openvino.Core().compile_model(f"{folder}/{name}.xml", "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision})
    used = network.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != precision:
        raise SystemExit(f"OpenVINO uses {used} on this processor, not {precision}")
    requests[name] = network.create_infer_request()


def run(name):
    requests[name].infer(INPUTS[name], share_inputs=True)
    return requests[name].get_output_tensor(0).data


answer_lines(load, run)
