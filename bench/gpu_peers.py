#!/usr/bin/env python3
"""Networks of Stable Diffusion 1 and XL on a CUDA device in bfloat16, beside diffusers, eager and compiled.

UNet evaluations (2 rows are a guided step of one picture) and VAE decodes, with random weights. Every contender is a
process that stays; they take turns. A figure is the mean of evaluations that are queued together, as the loop over a
picture's steps queues them, and the median over the rounds.

    cmake --build build --target bench_networks sfumato_cuda_kernels sfumato_cuda_graphs
    python bench/gpu_peers.py --binary build/tests/bench_networks --json bench/results/gpu_h100.json

Work that the file of --json has already is not done again. The folders are made on the first run (beside the binary
unless --models names a place; 2 and 6 GB). Compiling takes minutes with --compile-mode max-autotune; reduce-overhead,
the default here, uses CUDA graphs too.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from peers import Contender, processor_name

# Rows and side of the latents, and evaluations in a measurement.
WORK = {"sd1": ["unet 2 64 20", "unet 16 64 10", "vae 1 64 10", "vae 8 64 3"],
        "sdxl": ["unet 2 128 10", "unet 16 128 3", "vae 1 128 5"]}

MAKE = """
import sys, torch
from diffusers import AutoencoderKL, UNet2DConditionModel
folder, xl = sys.argv[1], sys.argv[2] == "sdxl"
torch.manual_seed(1)
with torch.device("cuda"):
    unet = UNet2DConditionModel(**(dict(
        sample_size=128, cross_attention_dim=2048, block_out_channels=(320, 640, 1280), addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816, use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(5, 10, 20),
        transformer_layers_per_block=(1, 2, 10)) if xl else dict(sample_size=64, cross_attention_dim=768)))
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                        sample_size=1024 if xl else 512,
                        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
for network, name in ((unet, "unet"), (vae, "vae")):
    network.to(torch.bfloat16).save_pretrained(folder + "/" + name, max_shard_size="20GB")
"""

# The words of bench_networks, and flops: the operations of one evaluation.
DIFFUSERS = """
import sys, time, torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode
folder, mode = sys.argv[1], sys.argv[2]
torch.set_grad_enabled(False)
networks = {}
def load(name):
    kind = UNet2DConditionModel if name == "unet" else AutoencoderKL
    network = kind.from_pretrained(folder + "/" + name, torch_dtype=torch.bfloat16).to("cuda").eval()
    if mode != "eager":  # diffusers' own advice for speed
        network.to(memory_format=torch.channels_last)
        if name == "unet":
            network = torch.compile(network, mode=mode, fullgraph=True)
        else:
            network.decode = torch.compile(network.decode, mode=mode, fullgraph=True)
    networks[name] = network
def random(*sizes):
    return torch.randn(*sizes, device="cuda", dtype=torch.bfloat16)
def evaluation(name, rows, side):
    x = random(rows, 4, side, side)
    if name == "vae":
        return lambda: networks[name].decode(x, return_dict=False)
    config = networks[name].config
    states = random(rows, 77, config.cross_attention_dim)
    added = None
    if config.addition_embed_type == "text_time":
        added = {"text_embeds": random(rows, 1280), "time_ids": random(rows, 6)}
    t = torch.tensor(500, device="cuda")
    return lambda: networks[name](x, t, states, added_cond_kwargs=added, return_dict=False)
for line in sys.stdin:
    word, *numbers = line.split()
    if word == "memory":
        print(0, torch.cuda.max_memory_allocated() / 2**20, flush=True)
        continue
    if word == "flops":
        with FlopCounterMode(display=False) as counter:
            evaluation(numbers[0], int(numbers[1]), int(numbers[2]))()
        print(counter.get_total_flops(), flush=True)
        continue
    if word.startswith("load_"):
        runs, run = 1, lambda: load(word.removeprefix("load_"))
    else:
        rows, side, runs = map(int, numbers)
        run = evaluation(word, rows, side)
    torch.cuda.synchronize()
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(runs):
        run()
    torch.cuda.synchronize()
    print((time.perf_counter() - wall) / runs, (time.process_time() - processor) / runs, flush=True)
"""


def commands(options, folder):
    ours = [str(options.binary), str(folder), "4", "cuda", "bfloat16"]
    theirs = [options.python, "-c", DIFFUSERS, str(folder)]
    without_graphs = ["env", "SFUMATO_CUDA_GRAPHS=0", *ours]
    everyone = {"sfumato": ours, "sfumato, no graphs": without_graphs,
                "sfumato, LibTorch's kernels": ["env", "SFUMATO_CUDA_KERNELS=0", *without_graphs],
                "diffusers": [*theirs, "eager"], "diffusers compiled": [*theirs, options.compile_mode]}
    return {name: command for name, command in everyone.items() if name not in options.without}


def measure(options, family, results, save):
    """Adds to results, for each piece of work and contender: the first run and the median in seconds; peaks in MiB."""
    if all(is_done(work, results) for work in WORK[family]):
        return
    folder = options.models / family
    if not (folder / "vae" / "config.json").exists():
        subprocess.run([options.python, "-c", MAKE, str(folder), family], check=True)
    contenders = {name: Contender(command, 4) for name, command in commands(options, folder).items()}
    for network in ("unet", "vae"):
        for contender in contenders.values():
            contender.ask("load_" + network)
        for work in (work for work in WORK[family] if work.startswith(network) and not is_done(work, results)):
            results[work] = {name: {"first": contender.ask(work.rsplit(" ", 1)[0] + " 1")[0], "runs": []}
                             for name, contender in contenders.items()}
            for _ in range(options.rounds + 1):
                for name, contender in contenders.items():
                    results[work][name]["runs"].append(contender.ask(work)[0])
            flops = contenders["diffusers"].ask("flops " + work)[0] if "diffusers" in contenders else None
            report(family, work, results[work], flops)
            save()
    peaks = {name: contender.ask("memory")[1] for name, contender in contenders.items()}
    print(family, "peak MiB on the device:", {name: round(peak) for name, peak in peaks.items()}, flush=True)
    for contender in contenders.values():
        contender.close()
    results["peak_mib"] = peaks
    save()


def is_done(work, results):
    """True if the work has a median for each of its contenders."""
    return all("median" in result for result in results.get(work, {"none": {}}).values())


def report(family, work, results, flops):
    for result in results.values():
        result["median"] = statistics.median(result["runs"][1:])  # the first also warms up
    ours = results["sfumato"]["median"]
    for name, result in results.items():
        result["of_ours"] = result["median"] / ours
        rate = ""
        if flops:
            result["tflops"] = flops / result["median"] / 1e12
            rate = f", {result['tflops']:.0f} TFLOP/s"
        print(f"{family} {work:16} {name:28} {result['median'] * 1e3:8.2f} ms ({result['of_ours']:.2f} of ours{rate}; "
              f"first {result['first']:.1f} s)", flush=True)


def device_name(python):
    return subprocess.run([python, "-c", "import torch; print(torch.cuda.get_device_name(), torch.__version__)"],
                          check=True, capture_output=True, text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="the built bench_networks")
    parser.add_argument("--models", type=Path, help="where the folders of random weights are")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers and torch for CUDA")
    parser.add_argument("--families", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--compile-mode", default="reduce-overhead", help="of torch.compile")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out")
    parser.add_argument("--json", type=Path, help="keep the figures here, after each piece of work")
    options = parser.parse_args()
    options.models = options.models or options.binary.parent
    device = device_name(options.python)
    print(device, flush=True)
    results = {family: {} for family in options.families}
    if options.json and options.json.exists():
        kept = json.loads(options.json.read_text())
        if kept["device"] != device:
            raise SystemExit(f"{options.json} has figures of {kept['device']}; expected those of {device}")
        results.update(kept["results"])

    def save():
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps({"command": " ".join(sys.argv), "device": device,
                                                "processor": processor_name(), "results": results}, indent=2) + "\n")

    for family in options.families:
        measure(options, family, results[family], save)


if __name__ == "__main__":
    main()
