"""Answers lines of standard input as bench_networks does: load_NETWORK, NETWORK (a run) and memory.

Two words more: "save FILE" writes the last output, and "error FILE" gives its distance from such a file, relative to
the file's, in the Euclidean norm.
"""

import resource
import sys
import time

import numpy as np

numbers = np.random.RandomState(1)


def normal(*shape):
    return numbers.randn(*shape).astype(np.float32)


INPUTS = {"unet": [normal(2, 4, 64, 64), np.array(500), normal(2, 77, 768)],  # latents, timestep, text
          "vae": [normal(1, 4, 64, 64)]}


def timed(function, *arguments):
    """Prints wall and processor seconds, and returns what the function returns."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    print(time.perf_counter() - wall, time.process_time() - processor, flush=True)
    return result


def print_peak_memory():
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)  # MiB


def answer_lines(load, run):
    """Answers with load(network) and run(network), which returns the output in float32."""
    output = None
    for line in sys.stdin:
        word, _, path = line.strip().partition(" ")
        if word == "memory":
            print_peak_memory()
        elif word == "save":
            np.save(path, output)
            print(0, flush=True)
        elif word == "error":
            expected = np.load(path)
            print(np.linalg.norm(output - expected) / np.linalg.norm(expected), flush=True)
        elif word.startswith("load_"):
            timed(load, word.removeprefix("load_"))
        else:
            output = timed(run, word)
