"""A .ckpt of torch.save's gives the picture of the .safetensors with the same weights.

Run with a Python that has torch. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/txt2img, and
SFUMATO_PARITY_DIR, where single_file_reference.py wrote its files.
"""

import os
import subprocess
import tempfile
import unittest
from collections import OrderedDict
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

TXT2IMG = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools" / "txt2img"
SAFETENSORS = Path(os.environ["SFUMATO_PARITY_DIR"]) / "sd1.safetensors"


class Ckpt(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def picture(self, model):
        path = self.folder / f"{model.suffix[1:]}.png"
        result = subprocess.run([TXT2IMG, "a cat on a sofa", "-m", model, "-W", "64", "-H", "64", "--steps", "3", "-s",
                                 "5", "--device", "cpu", "--force", "-o", path], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return Image.open(path).tobytes()

    def save(self, weights, **beside):
        path = self.folder / "model.ckpt"
        torch.save({"state_dict": OrderedDict(weights), **beside}, path)
        return path

    def test_the_image_is_that_of_the_safetensors(self):
        weights = load_file(SAFETENSORS)
        # As training with PyTorch Lightning leaves it.
        path = self.save(weights, epoch=3, global_step=470000, callbacks={}, **{"pytorch-lightning_version": "1.4.2"})
        expected = self.picture(SAFETENSORS)
        self.assertEqual(self.picture(path), expected)
        for name in weights:  # the comparison can fail: one weight of the UNet matters
            if name.endswith("diffusion_model.out.2.bias"):
                weights[name] = weights[name] + 0.1
        self.assertNotEqual(self.picture(self.save(weights)), expected)


if __name__ == "__main__":
    unittest.main()
