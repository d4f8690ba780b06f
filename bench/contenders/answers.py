"""Answers lines of standard input as bench_networks does: load_NETWORK, NETWORK (a run) and memory.

Two words more: "save FILE" writes the inputs and the last output to a safetensors file, and "error FILE" gives the last
output's distance from that of such a file, relative to the file's, in the Euclidean norm.
"""

import json
import sys

import numpy as np

from timing import print_peak_memory, timed

numbers = np.random.RandomState(1)


def normal(*shape):
    return numbers.randn(*shape).astype(np.float32)


INPUTS = {"unet": [normal(2, 4, 64, 64), np.array(500), normal(2, 77, 768)],  # latents, timestep, text
          "vae": [normal(1, 4, 64, 64)]}


def save(path, arrays):
    """Writes float32 arrays as safetensors, without its package, which not every contender has."""
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.astype("<f4").tobytes())


def saved_output(path):
    """Reads "output" of a file of save()."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    entry = header["output"]
    return np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])


def answer_lines(load, run):
    """Answers with load(network) and run(network), which returns the output in float32."""
    network, output = None, None
    for line in sys.stdin:
        word, _, path = line.strip().partition(" ")
        if word == "memory":
            print_peak_memory()
        elif word == "save":
            inputs = {f"input.{i}": np.float32(value) for i, value in enumerate(INPUTS[network])}
            save(path, {**inputs, "output": output})
            print(0, flush=True)
        elif word == "error":
            expected = saved_output(path)
            print(np.linalg.norm(output - expected) / np.linalg.norm(expected), flush=True)
        elif word.startswith("load_"):
            timed(load, word.removeprefix("load_"))
        else:
            network, output = word, timed(run, word)
