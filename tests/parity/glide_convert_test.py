"""convert of GLIDE's files in the released layout: folders whose UNets diffusers opens, and messages.

Run with a Python that has diffusers. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/, and
SFUMATO_PARITY_DIR, where glide_reference.py wrote its files.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

TOOLS = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools"
REFERENCE = Path(os.environ["SFUMATO_PARITY_DIR"])


class GlideConvert(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def run_tool(self, program, *arguments):
        return subprocess.run([TOOLS / program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})

    def convert(self, *arguments):
        result = self.run_tool("convert", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)

    def refuses(self, arguments, *words):
        result = self.run_tool("convert", *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertFalse((self.folder / "out").exists())

    @torch.no_grad()
    def test_diffusers_opens_the_unets(self):
        self.convert(REFERENCE / "base.pt", "out", "--upsampler", REFERENCE / "upsample.pt", "--tokenizer",
                     REFERENCE / "tokenizer")
        for name, part in ("base", "text_unet"), ("upsample", "upscale_unet"):
            unet = UNet2DConditionModel.from_pretrained(self.folder / "out", subfolder=part)
            golden = load_file(REFERENCE / f"{name}.safetensors")
            output = unet(golden["x"], golden["timesteps"], golden["states"], class_labels=golden["states"][:, -1]).sample
            error = (output - golden["output"]).abs().max() / golden["output"].abs().max()
            self.assertLess(error, 1e-4)
        index = json.loads((self.folder / "out" / "model_index.json").read_text())
        self.assertEqual(index["_class_name"], "GLIDEPipeline")
        self.assertEqual(index["upscale_low_res_size"], 16)

    def test_txt2img_runs_the_folder(self):
        self.convert(REFERENCE / "base.pt", "out", "--tokenizer", REFERENCE / "tokenizer", "--dtype", "float16")
        result = self.run_tool("txt2img", "-m", "out", "a red cat", "--steps", 2, "-s", 1, "-o", "a.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.folder / "a.png").exists())
        result = self.run_tool("txt2img", "-m", "out", "a red cat", "--upsample-steps", 2, "-o", "b.png")
        self.assertEqual(result.returncode, 2)
        self.assertIn("which has none", result.stderr)

    def test_takes_the_released_tokenizers_files(self):
        released = self.folder / "released"
        released.mkdir()
        shutil.copy(REFERENCE / "tokenizer" / "vocab.json", released / "encoder.json")
        shutil.copy(REFERENCE / "tokenizer" / "merges.txt", released / "vocab.bpe")
        self.convert(REFERENCE / "base.pt", "out", "--tokenizer", released)
        config = json.loads((self.folder / "out" / "tokenizer" / "tokenizer_config.json").read_text())
        self.assertEqual(config, {"do_lower_case": True, "model_max_length": 12, "pad_token": "<|endoftext|>",
                                  "tokenizer_class": "GPT2Tokenizer"})

    def test_refuses_what_does_not_fit(self):
        tokenizer = "--tokenizer", REFERENCE / "tokenizer"
        self.refuses([REFERENCE / "base.pt", "out"], "no --tokenizer")
        self.refuses([REFERENCE / "base.pt", "out", "--tokenizer", self.folder], "no tokenizer here")
        self.refuses([REFERENCE / "base.pt", "out.safetensors", *tokenizer], "expected a folder for a model of GLIDE")
        self.refuses([REFERENCE / "base.pt", "out", *tokenizer, "--prediction", "epsilon"], "--prediction epsilon")
        self.refuses([REFERENCE / "upsample.pt", "out", *tokenizer], "6 input channels", "expected a base model")
        self.refuses([REFERENCE / "base.pt", "out", "--upsampler", REFERENCE / "base.pt", *tokenizer], "no upsampler")
        self.refuses([REFERENCE / "base.pt", "out", "--upsampler", REFERENCE / "upsample-inpaint.pt", *tokenizer],
                     "10 input channels", "none for a mask")
        self.refuses([REFERENCE / "base.safetensors", "out", *tokenizer], "no network of GLIDE, which alone has one")

    def test_refuses_a_file_with_other_keys(self):
        weights = torch.load(REFERENCE / "base.pt")
        weights["unemb.weight"] = torch.zeros(3)
        torch.save(weights, self.folder / "more.pt")
        tokenizer = "--tokenizer", REFERENCE / "tokenizer"
        self.refuses(["more.pt", "out", *tokenizer], 'unexpected "unemb.weight"')
        del weights["unemb.weight"], weights["final_ln.bias"]
        torch.save(weights, self.folder / "fewer.pt")
        self.refuses(["fewer.pt", "out", *tokenizer], 'no "final_ln.bias"')


if __name__ == "__main__":
    unittest.main()
