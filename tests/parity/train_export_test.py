"""Folders that `train --export` writes of kind unconditional: diffusers opens them as the pipelines that they name, and
their images are those of the run's own sample grid.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/train. Networks are random but for two updates.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, UNet2DModel
from PIL import Image

TRAIN = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools" / "train"
COUNT, STEPS, SIZE = 2, 5, 16

RECIPE = {
    "kind": "unconditional",
    "seed": 0,
    "steps": 2,
    "batch_size": 4,
    "data": {"format": "folder", "image_size": SIZE},
    "unet": {
        "block_out_channels": [16, 32],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 8,
    },
    "optimizer": {"lr": 0.05},
    "schedule": {"warmup_steps": 1},
    "sample": {"count": COUNT, "steps": STEPS},
}
VAE = {
    "block_out_channels": [8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "norm_num_groups": 4,
}

# Name: what of the recipe differs, and the call's own arguments.
CASES = {
    "DDPMPipeline": ({"scheduler": {"_class_name": "DDPMScheduler"}}, {}),
    "DDPMPipeline learned": ({"scheduler": {"_class_name": "DDPMScheduler", "variance_type": "learned_range",
                                            "beta_schedule": "squaredcos_cap_v2"},
                              "loss": {"vlb_weight": 0.001}, "unet": {"out_channels": 6}}, {}),
    "DDIMPipeline": ({"scheduler": {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"},
                      "sample": {"eta": 0.5}}, {"eta": 0.5}),
    "LDMPipeline": ({"scheduler": {"_class_name": "DDIMScheduler", "clip_sample": False},
                     "unet": {"in_channels": 4, "out_channels": 4}}, {}),
}


def merged(recipe, changes):
    result = json.loads(json.dumps(recipe))
    for key, value in changes.items():
        result[key] = {**result.get(key, {}), **value} if isinstance(value, dict) else value
    return result


class TrainExport(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        rng = numpy.random.default_rng(0)
        (self.folder / "images").mkdir()
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), numpy.uint8)).save(self.folder / "images" / f"{i}.png")

    def train(self, *arguments):
        result = subprocess.run([TRAIN, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)

    def trained(self, name, recipe):
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(recipe))
        self.train(file, "--out", self.folder / f"{name}-run", "--quiet")
        self.train("--export", self.folder / f"{name}-run", self.folder / name, "--dtype", "fp32")
        return self.folder / name

    def write_first_stage(self):
        torch.manual_seed(0)
        AutoencoderKL(**VAE).save_pretrained(self.folder / "vae")

    def test_diffusers_draws_the_runs_own_samples(self):
        self.write_first_stage()
        for name, (changes, arguments) in CASES.items():
            with self.subTest(name):
                recipe = merged(RECIPE, {"data": {"path": str(self.folder / "images")}, **changes})
                if name == "LDMPipeline":
                    recipe["vae"] = str(self.folder / "vae")
                pipeline = DiffusionPipeline.from_pretrained(self.trained(name.replace(" ", "-"), recipe))
                self.assertEqual(type(pipeline).__name__, name.split()[0])
                pipeline.set_progress_bar_config(disable=True)
                images = pipeline(batch_size=COUNT, num_inference_steps=STEPS, output_type="np",
                                  generator=[torch.Generator().manual_seed(i) for i in range(COUNT)], **arguments).images
                grid = Image.open(self.folder / f"{name.replace(' ', '-')}-run" / "samples" / "step-00000002.png")
                grid = numpy.asarray(grid).astype(float)
                for i in range(COUNT):
                    ours = grid[:SIZE, i * SIZE:(i + 1) * SIZE]
                    # Rounded to 8 bits here and there.
                    self.assertLessEqual(numpy.abs(ours - images[i] * 255).max(), 1.01, f"image {i}")
                    self.assertGreater(ours.std(), 5, "an image that proves something")

    def test_diffusers_opens_a_network_with_a_class_for_none(self):
        for i in range(4):
            (self.folder / "images" / "ab"[i % 2]).mkdir(exist_ok=True)
            (self.folder / "images" / f"{i}.png").rename(self.folder / "images" / "ab"[i % 2] / f"{i}.png")
        recipe = merged(RECIPE, {"data": {"path": str(self.folder / "images"), "class_dropout": 0.5},
                                 "scheduler": {"_class_name": "DDPMScheduler"}, "unet": {"num_class_embeds": 3}})
        folder = self.trained("classes", recipe)
        self.assertEqual(json.loads((folder / "unet" / "config.json").read_text())["_none_class"], 2)
        with self.assertNoLogs("diffusers", "WARNING"):
            network = UNet2DModel.from_pretrained(folder / "unet")
        self.assertEqual(network.class_embedding.weight.shape[0], 3)


if __name__ == "__main__":
    unittest.main()
