#!/usr/bin/env python3
"""txt2img from start to finished file, beside Python diffusers doing the same on the CPU.

Both run alternately, each as a process of its own, so that start-up, loading and memory count as a user meets them.
Prints a line a run, then the medians and their ratios; --json FILE keeps them with the command and the processor.

    python bench/txt2img_against_diffusers.py --binary build/tools/txt2img --model models/sfumato-emoji-128
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

DIFFUSERS = """
import sys, torch
from diffusers import StableDiffusionPipeline, logging
logging.set_verbosity_error()
model, prompt, steps, seed, out = sys.argv[1:]
pipeline = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, safety_checker=None)
pipeline.set_progress_bar_config(disable=True)
generator = torch.Generator("cpu").manual_seed(int(seed))
pipeline(prompt, num_inference_steps=int(steps), guidance_scale=7.5, generator=generator).images[0].save(out)
"""


def run(command):
    """Wall seconds and peak resident MiB of one process; ends the program where it fails."""
    start = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"{command[0]} failed with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def commands(options, folder):
    steps, seed = str(options.steps), str(options.seed)
    ours = [options.binary, options.prompt, "-m", options.model, "--steps", steps, "--cfg-scale", "7.5", "-s", seed,
            "--device", "cpu", "--dtype", "float32", "--quiet", "--force", "-o", str(folder / "ours.png")]
    theirs = [options.python, "-c", DIFFUSERS, options.model, options.prompt, steps, seed,
              str(folder / "diffusers.png")]
    return {"sfumato": ours, "diffusers": theirs}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the built txt2img")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers")
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", default="a cat on a sofa")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="keep the figures here")
    options = parser.parse_args()

    results = {"sfumato": [], "diffusers": []}
    with tempfile.TemporaryDirectory() as folder:
        both = commands(options, Path(folder))
        for command in both.values():  # the first run of each reads its files from the disk; it does not count
            run(command)
        for index in range(options.runs):
            for name, command in both.items():
                seconds, memory = run(command)
                results[name].append((seconds, memory))
                print(f"run {index + 1} {name:10} {seconds:7.2f} s {memory:8.0f} MiB", flush=True)

    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    time_ratio = medians["diffusers"][0] / medians["sfumato"][0]
    memory_ratio = medians["sfumato"][1] / medians["diffusers"][1]
    for name, (seconds, memory) in medians.items():
        print(f"median {name:10} {seconds:7.2f} s {memory:8.0f} MiB")
    print(f"sfumato is {time_ratio:.2f} times as fast, with {memory_ratio:.2f} of the memory")
    if options.json:
        options.json.write_text(json.dumps({
            "command": " ".join(sys.argv), "processor": processor(), "cores": os.cpu_count(),
            "median_seconds": {name: row[0] for name, row in medians.items()},
            "median_peak_mib": {name: row[1] for name, row in medians.items()},
            "times_as_fast": time_ratio, "share_of_memory": memory_ratio}, indent=2) + "\n")


if __name__ == "__main__":
    main()
