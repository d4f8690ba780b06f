"""The setting of the tests of files that other tools write: a small checkpoint, txt2img's images of it and diffusers'.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/txt2img, and SFUMATO_PARITY_DIR, where
single_file_reference.py wrote its files.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline, logging
from PIL import Image

TOOLS = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools"
GOLDEN = Path(os.environ["SFUMATO_PARITY_DIR"])
SINGLE, MODEL = GOLDEN / "sd1.safetensors", GOLDEN / "sd1"
STEPS, GUIDANCE, SEED = 2, 4.0, 5
# Float32 networks agree to 1e-4 of their range, so that rounding to 8 bits may differ by one step.
LEVELS = 1

torch.set_num_threads(2)
logging.set_verbosity_error()
logging.disable_progress_bar()


def numbers(*shape, seed=1, scale=0.3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


class Files(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def run_program(self, *arguments, prompt="a cat on a sofa", model=MODEL, tool="txt2img", steps=STEPS, width=64):
        command = [TOOLS / tool, prompt, "-m", model, "-W", str(width), "-H", "64", "--steps", str(steps), "-s",
                   str(SEED), "--cfg-scale", str(GUIDANCE), "--device", "cpu", "--force", "-o", "made.png", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)

    def picture(self, *arguments, warns=None, **options):
        result = self.run_program(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        if warns is None:
            self.assertEqual(result.stderr.count("warning"), 0, result.stderr)
        else:
            self.assertIn(warns, result.stderr)
        return np.asarray(Image.open(self.folder / "made.png")).astype(int)

    def refusal(self, *arguments, **options):
        result = self.run_program(*arguments, **options)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr

    def assert_same(self, made, expected, levels=0):
        self.assertLessEqual(np.abs(made - expected).max(), levels)

    def assert_other(self, made, expected):
        self.assertGreater(np.abs(made - expected).max(), 4 * LEVELS)


def reference(pipeline, prompt="a cat on a sofa", **options):
    images = pipeline(prompt, num_inference_steps=options.pop("steps", STEPS), guidance_scale=GUIDANCE,
                      generator=torch.Generator().manual_seed(SEED), **options).images
    return np.asarray(images[0]).astype(int)


def load_pipeline(cls=StableDiffusionPipeline, **parts):
    return cls.from_pretrained(MODEL, safety_checker=None, **parts)
