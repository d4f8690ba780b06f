#!/usr/bin/env python3
"""Training of a text-to-image recipe on the CPU, compared with a minimal loop of diffusers.

`train` runs the recipe on a pack of random images, with its own loader, clipping, moving average and log. diffusers
trains the same networks on random latents (contenders/train_diffusers.py). The programs take turns, so that other load
on the machine affects both alike. Each turn takes --warm-up updates that are not timed and then --steps that are. A
turn of `train` resumes its run; its speed is what its log states, so that the final sample grid and checkpoint do not
count. A figure is the median over the rounds, in images per second.

    ./sfumato train --help                      # builds the program
    python bench/train_peers.py --binary build/tools/train --json bench/results/train_cpu.json

Of diffusers' loop, AdamW is tried as fused and as foreach, and the networks in both memory formats; the fastest of a
first turn takes part. --also names a second build of `train`, such as one of an earlier commit.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import (Contender, as_text, environment_with, processor_facts, revision_of, script, versions_of,
                   write_figures)

ROOT = Path(__file__).resolve().parent.parent
PRECISIONS = {"float32": "fp32", "bfloat16": "bf16"}
VARIANTS = [(optimizer, layout) for optimizer in ("fused", "foreach") for layout in ("contiguous", "channels_last")]

# 64 random images and captions of random tokens.
MAKE_PACK = """
import sys, numpy as np
from safetensors.numpy import save_file
side, length, vocabulary, count = *map(int, sys.argv[2:]), 64
random = np.random.RandomState(1)
ids = random.randint(vocabulary, size=(count, length)).astype(np.int32)
save_file({"images": random.randint(256, size=(count, 3, side, side)).astype(np.uint8),
           "captions.ids": ids, "captions.bytes": np.full(count, ord("x"), np.uint8),
           "captions.offsets": np.arange(count + 1), "empty.ids": np.zeros(length, np.int32),
           "probes.ids": ids[:1], "probes.bytes": np.full(1, ord("x"), np.uint8), "probes.offsets": np.arange(2),
           "split.held_out": np.array([8])}, sys.argv[1], {"format": "sfumato-pack", "version": "1"})
"""


class Train:
    """A run of `train`, which each turn resumes."""

    def __init__(self, options, binary, precision, folder):
        self.folder, self.threads, self.step = folder, options.threads, 0
        self.command = [str(binary), str(options.recipe), "--out", str(folder), "--quiet"]
        settings = {"data.pack": options.pack, "precision": PRECISIONS[precision], "log_every": 1, "sample.count": 1,
                    "sample_every": 10**9, "checkpoint_every": 10**9}
        for key, value in settings.items():
            self.command += ["--set", f"{key}={value}"]

    def turn(self, warm_up, steps):
        """Images a second after the warm-up."""
        first, self.step = self.step, self.step + warm_up + steps
        resume = ["--resume"] if first > 0 else []
        run = subprocess.run([*self.command, "--steps", str(self.step), *resume], cwd=ROOT, capture_output=True,
                             text=True, env=environment_with(self.threads))
        if run.returncode != 0:
            raise SystemExit(f"{self.command[0]} ended with status {run.returncode}: {run.stderr[-2000:]}")
        lines = [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]
        rates = [line["images_per_second"] for line in lines
                 if "images_per_second" in line and line["step"] > first + warm_up]
        return statistics.harmonic_mean(rates)

    def parameters(self):
        """Number of trained values, from the header of a checkpoint."""
        state = max(self.folder.glob("checkpoints/*/state.safetensors"))
        with open(state, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return sum(entry["data_offsets"][1] - entry["data_offsets"][0] for name, entry in header.items()
                   if name.startswith("model.")) // 4


class Diffusers:
    """A process that trains with diffusers."""

    def __init__(self, options, precision, variant):
        self.command = [options.python, script("train_diffusers"), str(options.recipe), str(options.threads), precision,
                        *variant]
        self.process = Contender(self.command, options.threads)
        self.batch_size = json.loads(options.recipe.read_text())["batch_size"]

    def turn(self, warm_up, steps):
        """Images a second after the warm-up."""
        self.process.ask(f"steps {warm_up}")
        return steps * self.batch_size / self.process.ask(f"steps {steps}")[0]

    def parameters(self):
        return int(self.process.ask("parameters")[0])


def fastest_diffusers(options, precision):
    """The variant that is fastest in one turn, and the speed of each in that turn."""
    speeds = {}
    for variant in VARIANTS:
        contender = Diffusers(options, precision, variant)
        speeds[", ".join(variant)] = contender.turn(options.warm_up, options.steps)
        contender.process.close()
        print(f"{precision} diffusers ({', '.join(variant)}): {speeds[', '.join(variant)]:.1f} images/s", flush=True)
    fastest = Diffusers(options, precision, max(speeds, key=speeds.get).split(", "))
    fastest.parameters()  # waits until it has started, which would slow down the first turn of another program
    return fastest, speeds


def measure(options, precision, folder):
    """Images a second of each contender, their commands, and what diffusers' variants reached."""
    diffusers, variants = fastest_diffusers(options, precision)
    contenders = {"sfumato": Train(options, options.binary, precision, folder / precision), "diffusers": diffusers}
    if options.also:
        contenders["sfumato, earlier"] = Train(options, options.also, precision, folder / f"{precision}-earlier")
    runs = {name: [] for name in contenders}
    for round_number in range(options.rounds):
        for name, contender in contenders.items():
            runs[name].append(contender.turn(options.warm_up, options.steps))
            print(f"{precision} {name:16} round {round_number + 1}: {runs[name][-1]:.1f} images/s", flush=True)
    results = {name: {"images_per_second": statistics.median(runs[name]), "runs": runs[name],
                      "parameters": contender.parameters(), "command": as_text(contender.command)}
               for name, contender in contenders.items()}
    diffusers.process.close()
    for name, result in results.items():
        result["ours_of_it"] = results["sfumato"]["images_per_second"] / result["images_per_second"]
        print(f"{precision} {name:16} {result['images_per_second']:6.1f} images/s; ours is {result['ours_of_it']:.2f} "
              f"times as fast; {result['parameters']:,} parameters", flush=True)
    return {**results, "diffusers_variants": variants}


def tokenizer_length(recipe):
    config = json.loads((ROOT / recipe["tokenizer"] / "tokenizer_config.json").read_text())
    return config["model_max_length"]


def make_pack(options):
    recipe = json.loads(options.recipe.read_text())
    sizes = recipe["data"]["image_size"], tokenizer_length(recipe), recipe["text_encoder"]["vocab_size"]
    subprocess.run([options.python, "-c", MAKE_PACK, str(options.pack), *map(str, sizes)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True, help="the built train")
    parser.add_argument("--also", type=Path, help="another build of train, for comparison")
    parser.add_argument("--recipe", type=Path, default=ROOT / "configs" / "text-to-image-128.json")
    parser.add_argument("--python", default=sys.executable, help="a Python with diffusers and transformers")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=3, help="updates before each measurement")
    parser.add_argument("--steps", type=int, default=12, help="updates in a measurement")
    parser.add_argument("--json", type=Path, help="keep the figures here")
    options = parser.parse_args()
    for key in ("binary", "also", "recipe"):
        path = getattr(options, key)
        setattr(options, key, path.resolve() if path else None)
    with tempfile.TemporaryDirectory() as folder:
        options.pack = Path(folder) / "pack.safetensors"
        make_pack(options)
        results = {precision: measure(options, precision, Path(folder)) for precision in options.precisions}
    if options.json:
        versions = {"diffusers": versions_of(options.python, "torch", "diffusers", "transformers"),
                    "sfumato": revision_of(options.binary)}
        write_figures(options.json, {"command": as_text(sys.argv), **processor_facts(), "threads": options.threads,
                                     "recipe": options.recipe.name, "warm_up": options.warm_up, "steps": options.steps,
                                     "versions": versions, "results": results})


if __name__ == "__main__":
    main()
