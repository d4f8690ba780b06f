"""convert: single files to folders that diffusers opens, and back to the same bits.

Run with a Python that has diffusers. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/convert, and
SFUMATO_PARITY_DIR, where single_file_reference.py wrote its files and folders.
"""

import os
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path

import torch
import transformers
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, logging
from safetensors.torch import load_file

CONVERT = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools" / "convert"
REFERENCE = Path(os.environ["SFUMATO_PARITY_DIR"])
KINDS = {"sd1": StableDiffusionPipeline, "sd2": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


def run(*arguments):
    return subprocess.run([CONVERT, *arguments], capture_output=True, text=True)


class Convert(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.filterwarnings("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def convert(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return Path(arguments[1])

    def assert_same_bits(self, actual, expected, left_out=()):
        """`actual` has each tensor of `expected` but those whose name holds one of `left_out`."""
        for name, value in expected.items():
            if any(word in name for word in left_out):
                continue
            self.assertEqual(actual[name].dtype, value.dtype, name)
            self.assertTrue(torch.equal(actual[name], value), name)

    def test_a_file_becomes_the_folder_that_diffusers_saves(self):
        for version, kind in KINDS.items():
            with self.subTest(version):
                folder = self.convert(REFERENCE / f"{version}.safetensors", self.folder / version)
                ours = kind.from_pretrained(folder, torch_dtype=torch.float32)
                theirs = kind.from_pretrained(REFERENCE / version, torch_dtype=torch.float32)
                for part in PARTS:
                    if getattr(theirs, part, None) is None:
                        continue
                    self.assert_same_bits(getattr(ours, part).state_dict(), getattr(theirs, part).state_dict())
                self.assertEqual(type(ours.scheduler), type(theirs.scheduler))
                self.assertEqual(ours.scheduler.config.prediction_type, theirs.scheduler.config.prediction_type)
                self.assertEqual(ours.tokenizer("a cat")["input_ids"], theirs.tokenizer("a cat")["input_ids"])

    def test_file_to_folder_to_file_is_exact_to_the_bit(self):
        for version in KINDS:
            with self.subTest(version):
                source = REFERENCE / f"{version}.safetensors"
                folder = self.convert(source, self.folder / version, "--max-shard-size", "1MB")
                self.assertTrue(list((folder / "unet").glob("*-00001-of-*.safetensors")))
                back = load_file(self.convert(folder, self.folder / f"{version}.safetensors"))
                # What a folder has no place for: the schedule, which its own file holds, position ids, OpenCLIP's
                # temperature and, of version 2, the layer and the projection that it does not use.
                left_out = ["betas", "position_ids", "logit_scale"]
                left_out += ["cond_stage_model.model.text_projection", "resblocks.2."] if version == "sd2" else []
                self.assert_same_bits(back, load_file(source), left_out)

    def test_folder_to_file_to_folder_is_exact_to_the_bit(self):
        for version in KINDS:
            with self.subTest(version):
                file = self.convert(REFERENCE / version, self.folder / f"{version}.safetensors")
                folder = self.convert(file, self.folder / version)
                ours, theirs = (KINDS[version].from_pretrained(place) for place in (folder, REFERENCE / version))
                for part in PARTS:
                    if getattr(theirs, part, None) is not None:
                        self.assert_same_bits(getattr(ours, part).state_dict(), getattr(theirs, part).state_dict())

    def test_dtype_is_that_of_torch(self):
        half = load_file(self.convert(REFERENCE / "sd1", self.folder / "half.safetensors", "--dtype", "bf16"))
        whole = load_file(self.convert(REFERENCE / "sd1", self.folder / "whole.safetensors"))
        self.assertTrue(all(value.dtype == torch.bfloat16 for value in half.values()))
        self.assert_same_bits(half, {name: value.to(torch.bfloat16) for name, value in whole.items()})

    def refuses(self, *arguments, says):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in says:
            self.assertIn(word, result.stderr)

    def test_what_cannot_be_converted_is_refused_in_one_line(self):
        source = REFERENCE / "sd1.safetensors"
        self.refuses(self.folder / "none", self.folder / "out", says=["none", "no such folder or file"])
        self.refuses(source, self.folder / "out", "--dtype", "int8", says=["int8", "float32"])
        self.refuses(source, self.folder / "out.safetensors", "--max-shard-size", "1MB", says=["--max-shard-size 1MB"])
        self.refuses(source, source, "--force", says=["is the input"])
        taken = self.folder / "taken.safetensors"
        taken.write_bytes(b"something")
        self.refuses(source, taken, says=["taken.safetensors", "--force"])
        self.refuses(taken, self.folder / "out", says=["taken.safetensors"])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["taken.safetensors"])


if __name__ == "__main__":
    unittest.main()
