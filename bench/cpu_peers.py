#!/usr/bin/env python3
"""Stable Diffusion 1's networks on the CPU, compared with diffusers, OpenVINO and stable-diffusion.cpp.

A guided UNet step of a 512x512 image (batch 2) and a VAE decode to it, with random weights in a float16 folder. Every
contender is a process that stays. They take turns, so that other load on the machine affects all of them alike. Wall
and processor seconds are medians over the rounds; on a busy machine, processor seconds on one thread vary least.

    cmake --build build --target bench_networks
    python bench/cpu_peers.py --binary build/tests/bench_networks --threads 1 --json bench/results/cpu.json

The folder is made on the first run (2 GB, next to the binary unless --model names it). All contenders compute in
--dtype, float32 or bfloat16. Outputs of all but stable-diffusion.cpp are compared with those of eager diffusers in
float32: the printed error is relative, in the Euclidean norm. A wrong conversion shows as an error near 1.

OpenVINO takes part if --openvino-python names a Python with the package openvino. The first run converts the networks
to OpenVINO's format with float32 weights (4 GB, next to the folder), with torch and diffusers of --python, which must
have the same minor version (3.11 and 3.11). OpenVINO compiles while it loads, not in the first run, and its peak memory
includes the file of weights, which it maps.

stable-diffusion.cpp takes part if --sdcpp-python names a Python with cyllama, and --checkpoint the folder as a single
file. The wheel of cyllama 0.2.18 contains the library compiled for AVX2, not AVX-512 (inferna's needs Python 3.12). If
cyllama is missing, stable-diffusion-cpp-python is used, which pip compiles.

    ./sfumato convert build/tests/random_stable_diffusion random.safetensors

It keeps the weights in float16, as the file has them, whatever --dtype says. Each of its runs makes a whole image in
one step (minutes); the times of the parts come from its log. Processor seconds are those of the process meanwhile.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import Contender, as_text, output_of, processor_facts, revision_of, script, versions_of, write_figures

NETWORKS = ("unet", "vae")
COMPARED = ("sfumato", "diffusers", "diffusers compiled", "openvino")

MAKE = """
import json, shutil, sys, torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel
def write(make, folder):
    with init_empty_weights():
        model = make()
    model = model.to_empty(device="cpu").half()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.data.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
        else:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
    model.save_pretrained(folder)
write(lambda: UNet2DConditionModel(cross_attention_dim=768, sample_size=64), sys.argv[1] + "/unet")
write(lambda: AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
                            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4),
      sys.argv[1] + "/vae")
write(lambda: CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                           num_attention_heads=12)), sys.argv[1] + "/text_encoder")
PNDMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, skip_prk_steps=True,
              steps_offset=1).save_pretrained(sys.argv[1] + "/scheduler")
shutil.copytree(sys.argv[2], sys.argv[1] + "/tokenizer")
parts = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
         "text_encoder": ["transformers", "CLIPTextModel"], "scheduler": ["diffusers", "PNDMScheduler"],
         "tokenizer": ["transformers", "CLIPTokenizer"]}
with open(sys.argv[1] + "/model_index.json", "w") as index:
    json.dump({"_class_name": "StableDiffusionPipeline", **parts}, index)
"""


def diffusers_command(options, dtype, mode):
    return [options.python, script("run_diffusers"), str(options.model), str(options.threads), dtype, mode]


def commands(options):
    everyone = {"sfumato": [str(options.binary), str(options.model), str(options.threads), "cpu", options.dtype],
                "diffusers": diffusers_command(options, options.dtype, "eager"),
                "diffusers compiled": diffusers_command(options, options.dtype, "compiled")}
    if options.openvino_python:
        everyone["openvino"] = [options.openvino_python, script("run_openvino"), str(openvino_folder(options)),
                                str(options.threads), options.dtype]
    if options.sdcpp_python:
        everyone["stable-diffusion.cpp"] = [options.sdcpp_python, script("run_stable_diffusion_cpp"),
                                            str(options.checkpoint), str(options.threads)]
    return {name: command for name, command in everyone.items() if name not in options.without}


def openvino_folder(options):
    return options.model.with_name(options.model.name + "_openvino")


def convert_for_openvino(options):
    """Writes the networks that are not there yet."""
    folder = openvino_folder(options)
    folder.mkdir(exist_ok=True)
    packages = output_of(options.python, "-c", "import os, sys; print(os.pathsep.join(sys.path[1:]))")
    for network in options.networks:
        if not (folder / f"{network}.xml").exists():
            output_of(options.openvino_python, "-W", "ignore", script("convert_for_openvino"), options.model, network,
                      folder, packages)


def save_expected_output(options, network, path):
    """Writes what eager diffusers computes in float32."""
    reference = Contender(diffusers_command(options, "float32", "eager"), options.threads)
    for word in ("load_" + network, network, f"save {path}"):
        reference.ask(word)
    reference.close()


def measure(options, network):
    """Times of loading, of the first run and medians in seconds; peak memory in MiB; relative error."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        expected = f"{folder}/expected.safetensors"
        save_expected_output(options, network, expected)
        contenders = {name: Contender(command, options.threads) for name, command in commands(options).items()}
        for name, contender in contenders.items():
            load, first = contender.ask("load_" + network), contender.ask(network)
            results[name] = {"load_wall": load[0], "first_wall": first[0], "runs": []}
            print(f"{network} {name:20} loaded in {load[0]:.1f} s, first run {first[0]:.1f} s", flush=True)
            if name in COMPARED:
                results[name]["relative_error"] = contender.ask(f"error {expected}")[0]
    for round_number in range(options.rounds):
        for name, contender in contenders.items():
            wall, processor = contender.ask(network)
            results[name]["runs"].append([wall, processor])
            print(f"{network} {name:20} round {round_number + 1}: {wall:.2f} s, processor {processor:.2f} s",
                  flush=True)
    for name, contender in contenders.items():
        wall, processor = zip(*results[name]["runs"])
        results[name].update(median_wall=statistics.median(wall), median_processor=statistics.median(processor),
                             peak_mib=contender.ask("memory")[0])
        contender.close()
    ours = results["sfumato"]
    for result in results.values():
        result["wall_of_ours"] = result["median_wall"] / ours["median_wall"]
        result["processor_of_ours"] = result["median_processor"] / ours["median_processor"]
    return results


def report(network, name, result):
    error = f", relative error {result['relative_error']:.1e}" if "relative_error" in result else ""
    print(f"{network} {name:20} median {result['median_wall']:.2f} s ({result['wall_of_ours']:.2f} of ours), "
          f"processor {result['median_processor']:.2f} s ({result['processor_of_ours']:.2f}), "
          f"peak {result['peak_mib']:.0f} MiB{error}", flush=True)


def circumstances(options):
    """Everything besides the figures that a reader of them needs."""
    pythons = {"diffusers": (options.python, "torch", "diffusers"), "openvino": (options.openvino_python, "openvino"),
               "stable-diffusion.cpp": (options.sdcpp_python, "cyllama", "stable-diffusion-cpp-python")}
    versions = {name: versions_of(python, *packages) for name, (python, *packages) in pythons.items() if python}
    versions["sfumato"] = revision_of(options.binary)
    return {"command": as_text(sys.argv), **processor_facts(), "threads": options.threads, "dtype": options.dtype,
            "versions": versions, "commands": {name: as_text(command) for name, command in commands(options).items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="the built bench_networks")
    parser.add_argument("--model", type=Path, help="the folder with random weights")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers and accelerate")
    parser.add_argument("--openvino-python", help="a Python with openvino")
    parser.add_argument("--sdcpp-python", help="a Python with cyllama or stable-diffusion-cpp-python")
    parser.add_argument("--checkpoint", type=Path, help="the folder as a single file, for stable-diffusion.cpp")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out")
    parser.add_argument("--json", type=Path, help="keep the figures here")
    options = parser.parse_args()
    options.model = options.model or options.binary.parent / "random_stable_diffusion"
    if not (options.model / "vae" / "config.json").exists():
        tokenizer = Path(__file__).resolve().parents[1] / "tokenizer" / "clip"
        subprocess.run([options.python, "-c", MAKE, str(options.model), str(tokenizer)], check=True)
    if "openvino" in commands(options):
        convert_for_openvino(options)
    kept = circumstances(options)
    kept["results"] = results = {network: measure(options, network) for network in options.networks}
    for network, contenders in results.items():
        for name, result in contenders.items():
            report(network, name, result)
    if options.json:
        write_figures(options.json, kept)


if __name__ == "__main__":
    main()
