#!/usr/bin/env python3
"""Stable Diffusion 1's networks on the CPU in float32, beside diffusers, eager and compiled, and stable-diffusion.cpp.

A guided UNet step of a 512x512 picture (batch 2) and a VAE decode to it, with random weights in a float16 folder.
Every contender is a process that stays; they take turns, so that what else the machine does meets all of them alike.
Wall and processor seconds are medians over the rounds. Processor seconds on one thread tell most on a busy machine.

    cmake --build build --target bench_networks
    python bench/cpu_peers.py --binary build/tests/bench_networks --threads 1 --json bench/results/cpu.json

The folder is made on the first run (2 GB, beside the binary unless --model names it). stable-diffusion.cpp takes part
where --sdcpp-python names a Python with stable-diffusion-cpp-python, and --checkpoint the folder as a single file:

    ./sfumato convert build/tests/random_stable_diffusion random.safetensors

It keeps the weights in float16, as the file has them, and is given a whole picture of one step each time (minutes), of
which its own log tells the parts. Processor seconds are those of the process meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NETWORKS = ("unet", "vae")

MAKE = """
import json, sys, torch
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
parts = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
         "text_encoder": ["transformers", "CLIPTextModel"], "scheduler": ["diffusers", "PNDMScheduler"]}
with open(sys.argv[1] + "/model_index.json", "w") as index:
    json.dump({"_class_name": "StableDiffusionPipeline", **parts}, index)
"""

# The words that bench_networks answers, by diffusers.
DIFFUSERS = """
import resource, sys, time, torch
from diffusers import AutoencoderKL, UNet2DConditionModel
folder, threads, compiled = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "compiled"
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
if compiled:
    import torch._inductor.config as inductor
    inductor.freezing = True
networks = {}
def load(name):
    kind = UNet2DConditionModel if name == "unet" else AutoencoderKL
    networks[name] = kind.from_pretrained(folder + "/" + name, torch_dtype=torch.float32).eval()
    if name == "vae":
        networks[name] = networks[name].decode if not compiled else torch.compile(networks[name].decode)
    elif compiled:
        networks[name] = torch.compile(networks[name])
def run(name):
    if name == "unet":
        return networks[name](torch.randn(2, 4, 64, 64), 500, torch.randn(2, 77, 768))
    return networks[name](torch.randn(1, 4, 64, 64))
for line in sys.stdin:
    word = line.strip()
    if word == "memory":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        continue
    wall, processor = time.perf_counter(), time.process_time()
    load(word.removeprefix("load_")) if word.startswith("load_") else run(word)
    print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
"""

# Likewise by stable-diffusion.cpp.
STABLE_DIFFUSION_CPP = """
import ctypes, os, re, resource, sys, time
sys.stdout = os.fdopen(os.dup(1), "w")  # for the answers: the library prints its progress
os.dup2(2, 1)
import stable_diffusion_cpp
from stable_diffusion_cpp import stable_diffusion_cpp as library
PARTS = {"unet": "sampling completed", "vae": "decode_first_stage completed"}
log = []
@library.sd_log_callback
def keep(level, text, data):
    log.append((text.decode(errors="replace"), time.perf_counter(), time.process_time()))
library.sd_set_log_callback(keep, ctypes.c_void_p(0))
def make(part):
    log.clear()
    model.generate_image(prompt="a cat", width=512, height=512, sample_steps=1, cfg_scale=7.0, sample_method="euler")
    at = next(i for i, entry in enumerate(log) if PARTS[part] in entry[0])
    wall = float(re.search("taking ([0-9.]+)s", log[at][0]).group(1))
    start = [entry for entry in log[:at] if entry[1] <= log[at][1] - wall + 0.05][-1]
    return wall, log[at][2] - start[2]
model = None
for line in sys.stdin:
    word = line.strip()
    if word == "memory":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
    elif word.startswith("load_"):
        wall, processor = time.perf_counter(), time.process_time()
        model = stable_diffusion_cpp.StableDiffusion(model_path=sys.argv[1], n_threads=int(sys.argv[2]), verbose=False)
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
    else:
        print(*make(word), flush=True)
"""


class Contender:
    """A process that answers words with numbers."""

    def __init__(self, command, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment)

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            status = self.process.wait()
            self.errors.seek(0)
            raise SystemExit(f"{self.process.args[0]} ended with status {status} at '{word}': {self.errors.read()[-2000:]}")
        return [float(number) for number in answer.split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def commands(options):
    theirs = [options.python, "-c", DIFFUSERS, str(options.model), str(options.threads)]
    all_of_them = {"sfumato": [str(options.binary), str(options.model), str(options.threads)],
                   "diffusers": [*theirs, "eager"], "diffusers compiled": [*theirs, "compiled"]}
    if options.sdcpp_python:
        all_of_them["stable-diffusion.cpp"] = [options.sdcpp_python, "-c", STABLE_DIFFUSION_CPP,
                                               str(options.checkpoint), str(options.threads)]
    return {name: command for name, command in all_of_them.items() if name not in options.without}


def measure(options, network):
    """Of each contender: loading, first run (compilation) and medians in seconds, and its peak memory in MiB."""
    contenders = {name: Contender(command, options.threads) for name, command in commands(options).items()}
    results = {}
    for name, contender in contenders.items():
        load, first = contender.ask("load_" + network), contender.ask(network)
        results[name] = {"load_wall": load[0], "first_wall": first[0], "runs": []}
        print(f"{network} {name:20} loaded in {load[0]:.1f} s, first run {first[0]:.1f} s", flush=True)
    for round_number in range(options.rounds):
        for name, contender in contenders.items():
            wall, processor = contender.ask(network)
            results[name]["runs"].append([wall, processor])
            print(f"{network} {name:20} round {round_number + 1}: {wall:.2f} s, processor {processor:.2f} s", flush=True)
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


def processor_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="the built bench_networks")
    parser.add_argument("--model", type=Path, help="the folder with random weights")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers and accelerate")
    parser.add_argument("--sdcpp-python", help="a Python with stable-diffusion-cpp-python, for that contender")
    parser.add_argument("--checkpoint", type=Path, help="the folder as a single file, for stable-diffusion.cpp")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out")
    parser.add_argument("--json", type=Path, help="keep the figures here")
    options = parser.parse_args()
    options.model = options.model or options.binary.parent / "random_stable_diffusion"
    if not (options.model / "vae" / "config.json").exists():
        subprocess.run([options.python, "-c", MAKE, str(options.model)], check=True)
    results = {network: measure(options, network) for network in options.networks}
    for network, contenders in results.items():
        for name, result in contenders.items():
            print(f"{network} {name:20} median {result['median_wall']:.2f} s ({result['wall_of_ours']:.2f} of ours), "
                  f"processor {result['median_processor']:.2f} s ({result['processor_of_ours']:.2f}), "
                  f"peak {result['peak_mib']:.0f} MiB", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"command": " ".join(sys.argv), "processor": processor_name(),
                                            "threads": options.threads, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
