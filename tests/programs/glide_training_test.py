"""From `train` to txt2img as a user runs them: GLIDE's cascade in latents, several packs, folders of captioned images."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from generate_programs import INPAINT, TXT2IMG, chunks
from train_programs import LENGTH, VAE, run, states, write_pack, write_png

UNET = {
    "block_out_channels": [8, 8],
    "norm_num_groups": 4,
    "layers_per_block": 1,
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "attention_head_dim": 8,
    "cross_attention_dim": 16,
    "class_embed_type": "simple_projection",
    "projection_class_embeddings_input_dim": 16,
}
GLIDE = {
    "kind": "glide",
    "steps": 4,
    "batch_size": 4,
    "text_encoder": {"vocab_size": 260, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "max_position_embeddings": LENGTH},
    "scheduler": {"_class_name": "DDPMScheduler", "num_train_timesteps": 50, "variance_type": "learned_range",
                  "clip_sample": False},
    "sample": {"count": 2, "steps": 2},
    "log_every": 1,
    "sample_every": 4,
    "checkpoint_every": 2,
}


def write_tokenizer(folder):
    """GPT-2's, byte by byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    tokens = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens + ["<|endoftext|>"])}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "model_max_length": LENGTH}))


def size(path):
    header = dict(chunks(path))[b"IHDR"]
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")


class GlideTraining(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sfumato-glide-training-"))
        self.addCleanup(shutil.rmtree, self.folder)
        write_tokenizer(self.folder / "tokenizer")

    def recipe(self, name, *changes):
        recipe = json.loads(json.dumps(GLIDE | {"unet": UNET}))
        if "tokenizer" not in recipe and name != "upsampler":
            recipe["tokenizer"] = str(self.folder / "tokenizer")
        for change in changes:
            for key, value in change.items():
                recipe[key] = (recipe.get(key, {}) | value) if isinstance(value, dict) else value
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(recipe))
        return path

    def trains(self, recipe, *arguments):
        result = run(recipe, "--out", self.folder / recipe.stem, "--quiet", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def refused(self, *arguments, says):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(says, result.stderr)

    def exports(self, name):
        result = run("--export", self.folder / name, self.folder / f"{name}-model", "--dtype", "fp32", "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / f"{name}-model"

    def cascade(self, inpaint):
        """Trains both stages in latents and returns the folder of both."""
        known = 5 if inpaint else 0  # the masked image and its mask
        common = {"inpaint": inpaint}
        self.trains(self.recipe("base", common, {
            "vae": str(self.folder / "vae-model"),
            "data": {"pack": str(self.folder / "small.safetensors"), "image_size": 8},
            "unet": {"in_channels": 4 + known, "out_channels": 8, "sample_size": 4}}))
        base = self.exports("base")
        upsampler = self.recipe("upsampler", common, {
            "kind": "glide_upsampler", "base": str(base), "low_res_size": 8, "vae": str(base / "vae"),
            "data": {"pack": str(self.folder / "large.safetensors"), "image_size": 16, "low_res_noise": 0.1},
            "unet": {"in_channels": 8 + known, "out_channels": 8, "sample_size": 8}})
        self.refused(upsampler, "--out", self.folder / "x", "--set", f"vae={self.folder / 'vae-model'}",
                     says="which differs from the base model's")
        self.trains(upsampler)
        return self.exports("upsampler")

    def makes(self, program, model, *arguments):
        result = subprocess.run(
            [program, "-m", model, "a", "--steps", "3", "--upsample-steps", "2", "-s", "1", "-o", self.folder / "a.png",
             "--base-output", self.folder / "b.png", "--device", "cpu", "--force", *arguments],
            capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1"), timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((size(self.folder / "a.png"), size(self.folder / "b.png")), ((16, 16), (8, 8)))

    def test_a_cascade_in_latents(self):
        write_pack(self.folder / "large.safetensors")
        write_pack(self.folder / "small.safetensors", side=8)
        vae = self.folder / "vae.json"
        vae.write_text(json.dumps(VAE | {"data": VAE["data"] | {"pack": str(self.folder / "large.safetensors")}}))
        self.trains(vae, "--steps", 3)
        self.exports("vae")
        self.makes(TXT2IMG, self.cascade(inpaint=False))
        for name in ("base", "base-model", "upsampler", "upsampler-model"):
            shutil.rmtree(self.folder / name)
        write_png(self.folder / "photo.png", 16, 16, (20, 90, 200))
        write_png(self.folder / "mask.png", 16, 16, (255, 255, 255))
        self.makes(INPAINT, self.cascade(inpaint=True), "-i", self.folder / "photo.png", "--mask",
                   self.folder / "mask.png")

    def test_several_packs(self):
        packs = self.folder / "packs"
        packs.mkdir()
        for name in ("one", "two"):
            write_pack(packs / f"{name}.safetensors")
        write_pack(self.folder / "three.safetensors")
        pixels = {"unet": {"in_channels": 3, "out_channels": 6, "sample_size": 16}}
        recipe = self.recipe("glide", pixels, {"data": {"pack": [str(packs), str(self.folder / "three.safetensors")],
                                                        "image_size": 16}})
        self.trains(recipe)
        self.trains(recipe, "--resume", "--steps", 5)
        write_pack(self.folder / "small.safetensors", side=8)
        self.refused(recipe, "--out", self.folder / "x", "--set",
                     "data.pack=" + json.dumps([str(packs), str(self.folder / "small.safetensors")]),
                     says=f"the packs '{packs / 'one.safetensors'}' and '{self.folder / 'small.safetensors'}' do not fit")
        self.assertFalse((self.folder / "x").exists())

    def test_a_folder_of_captioned_images(self):
        for folder in ("photos", "others"):
            for i in range(12):
                write_png(self.folder / folder / f"{i}.png", 20, 24, (20 * i, 90, 200))
                (self.folder / folder / f"{i}.txt").write_text("red" if i % 2 else "blue")
        pixels = {"unet": {"in_channels": 3, "out_channels": 6, "sample_size": 16}}
        recipe = self.recipe("glide", pixels, {"data": {"folder": str(self.folder / "photos"), "image_size": 16}})
        out = self.folder / "glide"
        self.assertIn("12 images, 1 held out", self.trains(recipe))
        pack = (out / "pack.safetensors").stat().st_mtime_ns
        self.assertEqual(self.trains(recipe, "--resume", "--steps", 6).count("held out"), 0)
        self.assertEqual((out / "pack.safetensors").stat().st_mtime_ns, pack)
        self.assertEqual(len(states(out)), 2)
        self.refused(recipe, "--out", out, "--resume", "--steps", 8, "--set", f"data.folder={self.folder / 'others'}",
                     says="'data.folder' is")
        self.refused(recipe, "--out", self.folder / "x", "--set", "data.folder=nowhere", says="'nowhere'")
        self.refused(recipe, "--out", self.folder / "x", "--set", "data.pack=p", says="expected one of them")
        (self.folder / "photos" / "3.txt").unlink()
        self.refused(recipe, "--out", self.folder / "x", says="3.png")


if __name__ == "__main__":
    unittest.main()
