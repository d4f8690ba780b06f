#!/usr/bin/env python3
"""Stable Diffusion 1's networks on the CPU in float32, beside diffusers, eager and compiled.

A guided UNet step of a 512x512 picture (batch 2) and a VAE decode to it, with random weights in a float16 folder.
Every contender is a process that stays; they take turns, so that what else the machine does meets all of them alike.
Wall and processor seconds are medians over the rounds. Processor seconds on one thread tell most on a busy machine.

    cmake --build build --target bench_networks
    python bench/cpu_peers.py --binary build/tests/bench_networks --threads 1 --json bench/results/cpu.json

The folder is made on the first run (2 GB, beside the binary unless --model names it).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

NETWORKS = ("unet", "vae")

MAKE = """
import sys, torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
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


class Contender:
    """A process that answers words with numbers."""

    def __init__(self, command, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=environment)

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return [float(number) for number in answer.split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def commands(options):
    theirs = [options.python, "-c", DIFFUSERS, str(options.model), str(options.threads)]
    all_of_them = {"sfumato": [str(options.binary), str(options.model), str(options.threads)],
                   "diffusers": [*theirs, "eager"], "diffusers compiled": [*theirs, "compiled"]}
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
