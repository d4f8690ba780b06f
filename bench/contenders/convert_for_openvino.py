"""convert_for_openvino.py FOLDER NETWORK OUTPUT PACKAGES: writes a network to OUTPUT/NETWORK.xml and .bin in float32.

PACKAGES is the path of a Python with torch and diffusers, which serves where this Python lacks a package.
"""

import os
import sys

folder, name, output, packages = sys.argv[1:]
sys.path.extend(packages.split(os.pathsep))

import openvino  # noqa: E402
import torch  # noqa: E402
from diffusers import AutoencoderKL, UNet2DConditionModel  # noqa: E402

from answers import INPUTS  # noqa: E402


class Unet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = UNet2DConditionModel.from_pretrained(f"{folder}/unet", torch_dtype=torch.float32)

    def forward(self, sample, timestep, encoder_hidden_states):
        return self.network(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = AutoencoderKL.from_pretrained(f"{folder}/vae", torch_dtype=torch.float32)

    def forward(self, z):
        return self.network.decode(z, return_dict=False)[0]


network = (Unet() if name == "unet" else Decoder()).eval()
with torch.no_grad():
    model = openvino.convert_model(network, example_input=tuple(map(torch.from_numpy, INPUTS[name])),
                                   input=[list(array.shape) for array in INPUTS[name]])
openvino.save_model(model, f"{output}/{name}.xml", compress_to_fp16=False)
