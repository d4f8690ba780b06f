"""run_diffusers.py FOLDER THREADS DTYPE eager|compiled: runs networks of a folder with diffusers on the CPU."""

import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from answers import INPUTS, answer_lines

folder, threads, dtype, mode = sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3]), sys.argv[4]
networks = {}


def load(name):
    kind = UNet2DConditionModel if name == "unet" else AutoencoderKL
    network = kind.from_pretrained(f"{folder}/{name}", torch_dtype=dtype).eval()
    call = network if name == "unet" else network.decode
    networks[name] = torch.compile(call) if mode == "compiled" else call


def tensor(array):
    return torch.from_numpy(array).to(dtype if array.dtype == np.float32 else torch.int64)


def run(name):
    return networks[name](*map(tensor, INPUTS[name]), return_dict=False)[0].float().numpy()


torch.set_num_threads(threads)
torch.set_grad_enabled(False)
if mode == "compiled":
    import torch._inductor.config
    torch._inductor.config.freezing = True
answer_lines(load, run)
