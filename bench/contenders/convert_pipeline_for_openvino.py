"""convert_pipeline_for_openvino.py FOLDER OUTPUT PACKAGES: writes a Stable Diffusion 1 for OpenVINO GenAI in float32.

PACKAGES is the path of a Python with torch, diffusers and transformers, which serves where this Python lacks a package.
The networks take images of any size.
"""

import json
import os
import shutil
import sys
from pathlib import Path

folder, output = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.extend(sys.argv[3].split(os.pathsep))

import openvino  # noqa: E402
import openvino_tokenizers  # noqa: E402
import torch  # noqa: E402
from diffusers import AutoencoderKL, UNet2DConditionModel  # noqa: E402
from transformers import AutoTokenizer, CLIPTextModel  # noqa: E402


class Unet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)

    def forward(self, sample, timestep, encoder_hidden_states):
        return self.network(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)

    def forward(self, latent_sample):
        return self.network.decode(latent_sample, return_dict=False)[0]


class TextEncoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)

    def forward(self, input_ids):
        encoded = self.network(input_ids=input_ids)
        return encoded.last_hidden_state, encoded.pooler_output


def save(name, network, inputs, outputs, source):
    """Writes a network; `inputs` has an example and the shape of each, -1 where any size will do."""
    place = output / name
    place.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        model = openvino.convert_model(network().eval(), example_input={key: value[0] for key, value in inputs.items()})
    for port, key in zip(model.inputs, inputs):
        port.get_tensor().set_names({key})
    model.reshape({key: value[1] for key, value in inputs.items()})
    for port, key in zip(model.outputs, outputs):
        port.get_tensor().set_names({key})
    openvino.save_model(model, place / "openvino_model.xml", compress_to_fp16=False)
    shutil.copy(folder / source / "config.json", place / "config.json")


width = json.loads((folder / "text_encoder" / "config.json").read_text())["hidden_size"]
save("unet", Unet, {"sample": (torch.randn(2, 4, 64, 64), [-1, 4, -1, -1]), "timestep": (torch.tensor([500]), [-1]),
                    "encoder_hidden_states": (torch.randn(2, 77, width), [-1, 77, width])}, ["out_sample"], "unet")
save("vae_decoder", Decoder, {"latent_sample": (torch.randn(1, 4, 64, 64), [-1, 4, -1, -1])}, ["sample"], "vae")
save("text_encoder", TextEncoder, {"input_ids": (torch.ones(1, 77, dtype=torch.int64), [-1, 77])},
     ["last_hidden_state", "pooler_output"], "text_encoder")
tokenizer = openvino_tokenizers.convert_tokenizer(AutoTokenizer.from_pretrained(folder / "tokenizer"),
                                                  use_max_padding=True)
(output / "tokenizer").mkdir(exist_ok=True)
openvino.save_model(tokenizer, output / "tokenizer" / "openvino_tokenizer.xml")
shutil.copytree(folder / "scheduler", output / "scheduler", dirs_exist_ok=True)
index = json.loads((folder / "model_index.json").read_text())
index["vae_decoder"] = index["vae"]
(output / "model_index.json").write_text(json.dumps(index))
