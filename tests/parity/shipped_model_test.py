"""The model that ships, in diffusers and in the programs: the same latents, the same pictures.

Run with a Python that has diffusers. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/txt2img and
tools/img2img.
"""

import os
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline, logging
from PIL import Image
from safetensors.torch import load_file

MODEL = Path(__file__).resolve().parents[2] / "models" / "sfumato-emoji-128"
PROGRAMS = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools"
PROMPT, NEGATIVE, STEPS, GUIDANCE, SEED = "a cat on a sofa", "a dog", 20, 5.0, 7

# 20 guided steps of float32: each step's rounding, of 1e-6, is amplified by the guidance and by those that follow.
LATENTS_TOLERANCE = 1e-3
# Decoding adds nothing to that; 8 bits round to 59 dB by themselves.
LOWEST_PSNR = 45.0


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.square(a - b).mean(), 1e-9))


class ShippedModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.filterwarnings("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        cls.pipeline = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
        cls.pipeline.set_progress_bar_config(disable=True)
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)

    def reference(self, pipeline, seed=SEED, **options):
        """Final latents and picture of diffusers."""
        latents = {}

        def on_step(_, step, timestep, values):
            latents["final"] = values["latents"].clone()
            return {}

        picture = pipeline(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
                           generator=torch.Generator("cpu").manual_seed(seed), callback_on_step_end=on_step,
                           **options).images[0]
        return latents["final"], np.asarray(picture, np.float64)

    def made(self, program, *options, seed=SEED):
        """Final latents and picture of the program."""
        name = self.folder / f"{program}-{seed}"
        subprocess.run([PROGRAMS / program, PROMPT, "-n", NEGATIVE, "--steps", str(STEPS), "--cfg-scale", str(GUIDANCE),
                        "-s", str(seed), "-m", MODEL, "--device", "cpu", "--dtype", "fp32", "--quiet",
                        "-o", f"{name}.png", "--save-latents", f"{name}.safetensors", *options], check=True)
        return load_file(f"{name}.safetensors")["latents"], pixels(f"{name}.png")

    def assert_same(self, ours, reference):
        latents, picture = ours
        difference = (latents - reference[0]).norm() / reference[0].norm()
        self.assertLess(difference.item(), LATENTS_TOLERANCE)
        self.assertGreater(psnr(picture, reference[1]), LOWEST_PSNR)

    def test_txt2img_gives_the_image_of_diffusers(self):
        self.assert_same(self.made("txt2img"), self.reference(self.pipeline))

    def test_another_seed_would_fail(self):
        latents, picture = self.made("txt2img", seed=SEED + 1)
        reference = self.reference(self.pipeline)
        self.assertGreater(((latents - reference[0]).norm() / reference[0].norm()).item(), 100 * LATENTS_TOLERANCE)
        self.assertLess(psnr(picture, reference[1]), LOWEST_PSNR)

    def test_img2img_gives_the_image_of_diffusers(self):
        image = self.folder / "image.png"
        y, x = np.mgrid[0:128, 0:128]
        Image.fromarray(np.stack([x * 2, y * 2, 255 - x], -1).astype(np.uint8)).save(image)
        pipeline = StableDiffusionImg2ImgPipeline(**self.pipeline.components, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        self.assert_same(self.made("img2img", "-i", image, "--strength", "0.6"),
                         self.reference(pipeline, image=Image.open(image), strength=0.6))


if __name__ == "__main__":
    unittest.main()
