#!/usr/bin/env python3
"""txt2img from start to finished files on the CPU, compared with diffusers and OpenVINO GenAI.

They run alternately, each as a process of its own, so that start-up, loading and memory count as a user meets them.
Prints a line a run, then the medians; --json FILE keeps them with the command and the processor. With --images N each
process makes N pictures one after the other.

    python bench/txt2img_peers.py --binary build/tools/txt2img --model models/sfumato-emoji-128

OpenVINO GenAI takes part if --openvino-python names a Python with openvino-genai and openvino-tokenizers. It reads a
folder in its own format, which the first run writes next to the model (4 GB in float32 for Stable Diffusion 1) with
torch and diffusers of --python, of the same minor version. It accepts models with CLIP's tokenizer and text encoder,
such as the random one that cpu_peers.py makes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import as_text, output_of, processor_facts, revision_of, script, versions_of, write_figures

DIFFUSERS = """
import sys, torch
from diffusers import StableDiffusionPipeline, logging
logging.set_verbosity_error()
model, prompt, steps, seed, out, images, dtype = sys.argv[1:]
pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=getattr(torch, dtype), safety_checker=None)
pipeline.set_progress_bar_config(disable=True)
for k in range(int(images)):
    generator = torch.Generator("cpu").manual_seed(int(seed) + k)
    pipeline(prompt, num_inference_steps=int(steps), guidance_scale=7.5, generator=generator).images[0].save(
        out.format(k))
"""

OPENVINO = """
import sys, openvino_genai
from PIL import Image
folder, prompt, steps, seed, out, images, dtype, side = sys.argv[1:]
precision = {"float32": "f32", "bfloat16": "bf16"}[dtype]
pipeline = openvino_genai.Text2ImagePipeline(folder)
pipeline.reshape(1, int(side), int(side), 7.5)
pipeline.compile("CPU", INFERENCE_PRECISION_HINT=precision)
for k in range(int(images)):
    image = pipeline.generate(prompt, num_inference_steps=int(steps), guidance_scale=7.5, rng_seed=int(seed) + k,
                              width=int(side), height=int(side))
    Image.fromarray(image.data[0]).save(out.format(k))
"""


def run(command):
    """Wall seconds and peak resident MiB of one process; ends the program where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status != 0:
        raise SystemExit(f"{command[0]} failed with status {process.returncode}: {errors[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def commands(options, folder):
    steps, seed, images = str(options.steps), str(options.seed), str(options.images)
    ours = [str(options.binary), options.prompt, "-m", str(options.model), "--steps", steps, "--cfg-scale", "7.5", "-s",
            seed, "-b", images, "--batch-size", "1", "--device", "cpu", "--dtype", options.dtype, "--quiet", "--force",
            "-o", str(folder / "ours-{index}.png")]
    rest = [options.prompt, steps, seed]
    theirs = [options.python, "-c", DIFFUSERS, str(options.model), *rest, str(folder / "diffusers-{}.png"), images,
              options.dtype]
    everyone = {"sfumato": ours, "diffusers": theirs}
    if options.openvino_python:
        everyone["openvino-genai"] = [options.openvino_python, "-c", OPENVINO, str(openvino_folder(options)), *rest,
                                      str(folder / "openvino-{}.png"), images, options.dtype, str(side_of(options))]
    return {name: command for name, command in everyone.items() if name not in options.without}


def openvino_folder(options):
    return options.model.with_name(options.model.name + "_openvino_pipeline")


def side_of(options):
    """The side of the model's images in pixels."""
    unet, vae = (json.loads((options.model / part / "config.json").read_text()) for part in ("unet", "vae"))
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)


def convert_for_openvino(options):
    if (openvino_folder(options) / "model_index.json").exists():
        return
    packages = output_of(options.python, "-c", "import os, sys; print(os.pathsep.join(sys.path[1:]))")
    output_of(options.openvino_python, "-W", "ignore", script("convert_pipeline_for_openvino"), options.model,
              openvino_folder(options), packages)


def versions(options):
    pythons = {"diffusers": (options.python, "torch", "diffusers"),
               "openvino-genai": (options.openvino_python, "openvino", "openvino-genai")}
    found = {name: versions_of(python, *packages) for name, (python, *packages) in pythons.items() if python}
    return {**found, "sfumato": revision_of(options.binary)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="the built txt2img")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers")
    parser.add_argument("--openvino-python", help="a Python with openvino-genai, openvino-tokenizers and pillow")
    parser.add_argument("--model", type=Path, required=True, help="a diffusers folder")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--prompt", default="a cat on a sofa")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out")
    parser.add_argument("--json", type=Path, help="keep the figures here")
    options = parser.parse_args()
    if options.openvino_python:
        convert_for_openvino(options)

    with tempfile.TemporaryDirectory() as folder:
        everyone = commands(options, Path(folder))
        results = {name: [] for name in everyone}
        for command in everyone.values():  # the first run of each reads its files from the disk; it does not count
            run(command)
        for index in range(options.runs):
            for name, command in everyone.items():
                seconds, memory = run(command)
                results[name].append((seconds, memory))
                print(f"run {index + 1} {name:14} {seconds:7.2f} s {memory:8.0f} MiB", flush=True)

    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    for name, (seconds, memory) in medians.items():
        print(f"median {name:14} {seconds:7.2f} s ({seconds / medians['sfumato'][0]:.2f} of ours) {memory:8.0f} MiB")
    if options.json:
        write_figures(options.json, {
            "command": as_text(sys.argv), **processor_facts(), "cores": os.cpu_count(), "versions": versions(options),
            "runs": results, "median_seconds": {name: row[0] for name, row in medians.items()},
            "median_peak_mib": {name: row[1] for name, row in medians.items()}})


if __name__ == "__main__":
    main()
