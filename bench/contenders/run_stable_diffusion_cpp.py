"""run_stable_diffusion_cpp.py CHECKPOINT THREADS: times the parts of an image that stable-diffusion.cpp makes.

Uses the package cyllama, or stable-diffusion-cpp-python if there is no cyllama. The library logs how long a part took.
"""

import ctypes
import importlib.util
import os
import re
import sys
import time

from timing import print_peak_memory, timed

PARTS = {"unet": "sampling completed", "vae": "decode_first_stage completed"}
log = []


def record(level, text, data=None):
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    log.append((text, time.perf_counter(), time.process_time()))


def load_with_cyllama(checkpoint, threads):
    from cyllama import sd

    sd.set_log_callback(record)
    parameters = sd.SDContextParams()
    parameters.model_path, parameters.n_threads = checkpoint, threads
    parameters.free_params_immediately = False  # the weights are needed again for the next image
    context = sd.SDContext(parameters)
    return lambda **request: context.generate(**request, sample_method=sd.SampleMethod.EULER)


def load_with_stable_diffusion_cpp_python(checkpoint, threads):
    from stable_diffusion_cpp import StableDiffusion, stable_diffusion_cpp as library

    callback = library.sd_log_callback(record)
    library.sd_set_log_callback(callback, ctypes.c_void_p(0))
    model = StableDiffusion(model_path=checkpoint, n_threads=threads, verbose=False)
    model.log_callback = callback  # must live as long as the library may call it
    return lambda **request: model.generate_image(**request, sample_method="euler")


def seconds_of(part):
    """Wall and processor seconds of a part of a new image, from the library's log."""
    log.clear()
    generate(prompt="a cat", width=512, height=512, sample_steps=1, cfg_scale=7.0)
    at = next(i for i, entry in enumerate(log) if PARTS[part] in entry[0])
    wall = float(re.search("taking ([0-9.]+)s", log[at][0]).group(1))
    start = [entry for entry in log[:at] if entry[1] <= log[at][1] - wall + 0.05][-1]
    return wall, log[at][2] - start[2]


sys.stdout = os.fdopen(os.dup(1), "w")  # for the answers: the library prints its progress to descriptor 1
os.dup2(2, 1)
load = load_with_cyllama if importlib.util.find_spec("cyllama") else load_with_stable_diffusion_cpp_python
for line in sys.stdin:
    word = line.strip()
    if word == "memory":
        print_peak_memory()
    elif word.startswith("load_"):
        generate = timed(load, sys.argv[1], int(sys.argv[2]))
    else:
        print(*seconds_of(word), flush=True)
