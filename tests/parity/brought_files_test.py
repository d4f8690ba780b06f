"""VAEs, textual inversions and other files as other tools write them give the image of diffusers, or of the same weights in
another file. Run with a Python that has diffusers; see brought_files.py for the environment.
"""

import base64
import json
import unittest
import zlib

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image, PngImagePlugin
from safetensors.torch import load_file, save_file
from single_file_reference import vae_key, vae_value

from brought_files import LEVELS, MODEL, SINGLE, Files, load_pipeline, numbers, reference


def old_save(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


class Vaes(Files):
    @classmethod
    def setUpClass(cls):
        cls.weights = load_file(MODEL / "vae" / "diffusion_pytorch_model.safetensors")
        cls.weights["decoder.conv_out.bias"] = cls.weights["decoder.conv_out.bias"] + 0.3  # not the model's own

    def original(self):
        return {vae_key(name): vae_value(name, value) for name, value in self.weights.items()}

    def test_every_form_of_a_file_gives_one_image(self):
        own = self.picture()
        save_file(self.weights, self.folder / "plain.safetensors")
        expected = self.picture("--vae", "plain.safetensors")
        self.assert_other(expected, own)
        trained = self.original() | {"loss.logvar": torch.zeros(1), "loss.discriminator.main.0.weight": torch.ones(2),
                                     "model_ema.decay": torch.ones(1), "model_ema.encoderconv_inweight": torch.ones(2)}
        torch.save({"state_dict": trained, "epoch": 3}, self.folder / "trained.vae.pt")
        old_save({"state_dict": trained}, self.folder / "old.ckpt")
        torch.save(self.weights, self.folder / "named.bin")
        for name in ("trained.vae.pt", "old.ckpt", "named.bin"):
            self.assert_same(self.picture("--vae", name), expected)

    def test_a_checkpoint_without_a_vae_takes_another(self):
        weights = load_file(SINGLE)
        bare = {name: value for name, value in weights.items() if not name.startswith("first_stage_model.")}
        save_file(bare, self.folder / "bare.safetensors")
        expected = self.picture(model=SINGLE)
        self.assert_same(self.picture("--vae", SINGLE, model="bare.safetensors"), expected)
        self.assert_same(self.picture("--vae", MODEL / "vae", model="bare.safetensors"), expected)
        self.assertIn("or one by --vae", self.refusal(model="bare.safetensors"))

    def test_keys_of_no_network_are_named(self):
        save_file(load_file(SINGLE) | {"embedding_manager.initial": torch.ones(1)}, self.folder / "more.safetensors")
        made = self.picture(model="more.safetensors", warns='left out that are no part of such a model: "embedding_manager.')
        self.assert_same(made, self.picture(model=SINGLE))


class Taesd(Files):
    """diffusers' AutoencoderTiny and the two files of its original layout."""

    @classmethod
    def setUpClass(cls):
        torch.manual_seed(1)
        cls.tiny = AutoencoderTiny(encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4).eval()
        with torch.no_grad():
            for parameter in cls.tiny.parameters():
                parameter *= 1.6  # so that the picture is not flat

    def save_original(self):
        for half, first in (("encoder", 0), ("decoder", 1)):
            weights = {}
            for name, value in getattr(self.tiny, half).state_dict().items():
                layer, rest = name.removeprefix("layers.").split(".", 1)
                weights[f"{int(layer) + first}.{rest}"] = value
            torch.save(weights, self.folder / f"taesd_{half}.pth")

    def test_its_images_are_those_of_diffusers(self):
        self.tiny.save_pretrained(self.folder / "tiny")
        expected = reference(load_pipeline(vae=self.tiny), height=64, width=64)
        self.assertGreater(expected.std(), 10)
        self.assert_same(self.picture("--vae", "tiny"), expected, LEVELS)
        self.assert_same(self.picture("--vae", "tiny/diffusion_pytorch_model.safetensors"), expected, LEVELS)
        self.save_original()
        self.assert_same(self.picture("--vae", "taesd_decoder.pth"), expected, LEVELS)
        (self.folder / "taesd_encoder.pth").unlink()
        self.assertIn("taesd_encoder.pth' is missing", self.refusal("--vae", "taesd_decoder.pth"))

    def test_its_latents_of_an_image_take_no_noise(self):
        """diffusers draws for an encoder with a distribution alone."""
        self.tiny.save_pretrained(self.folder / "tiny")
        start = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
        start.save(self.folder / "start.png")
        pipeline = load_pipeline(StableDiffusionImg2ImgPipeline, vae=self.tiny)
        # PNDM differs here on purpose.
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
        expected = reference(pipeline, image=start, strength=0.5, steps=4)
        made = self.picture("-i", "start.png", "--strength", "0.5", "--vae", "tiny", "--sampler", "ddim", tool="img2img",
                            steps=4)
        self.assert_same(made, expected, LEVELS)

    def test_tiles_change_images_larger_than_one(self):
        self.tiny.save_pretrained(self.folder / "tiny")
        on, off = (self.picture("--vae", "tiny", "--vae-tiling", tiling, width=576) for tiling in ("on", "off"))
        self.assertFalse(np.array_equal(on, off))
        self.assertLess(np.abs(on - off).mean(), 1)  # but for where tiles fade into each other


class Embeddings(Files):
    vectors = numbers(2, 768)

    def expected(self, **options):
        save_file({"emb_params": self.vectors}, self.folder / "plain.safetensors")
        return self.picture("--embedding", "plain.safetensors", prompt="a plain", **options)

    def test_every_form_of_a_pickle_gives_one_image(self):
        expected = self.expected()
        self.assert_other(expected, self.picture(prompt="a plain"))
        words = torch.nn.ParameterDict({"*": torch.nn.Parameter(self.vectors)})
        web_ui = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": words, "name": "plain"}
        old_save({"<plain>": self.vectors}, self.folder / "plain.bin")
        torch.save(web_ui, self.folder / "plain.pt")
        old_save(web_ui | {"step": 9}, self.folder / "plain.ckpt")
        torch.save({"<plain>": self.vectors, "set": {1, 2}, "array": np.arange(3), "type": torch.float16,
                    "size": torch.Size([1]), "device": torch.device("cpu")}, self.folder / "plain.pth")
        for ending in ("bin", "pt", "ckpt", "pth"):
            self.assert_same(self.picture("--embedding", f"plain.{ending}", prompt="a plain"), expected)

    def web_ui_json(self):
        return json.dumps({"string_to_token": {"*": 265}, "name": "plain", "step": 9,
                           "string_to_param": {"*": {"TORCHTENSOR": self.vectors.double().tolist()}}}).encode()

    def test_an_images_text_chunk_and_its_pixels_hold_one(self):
        expected = self.expected()
        cover = np.full((64, 64, 3), 200, np.uint8)
        info = PngImagePlugin.PngInfo()
        info.add_text("sd-ti-embedding", base64.b64encode(self.web_ui_json()).decode())
        Image.fromarray(cover).save(self.folder / "chunk.png", pnginfo=info)
        Image.fromarray(in_pixels(cover, self.web_ui_json())).save(self.folder / "pixels.png")
        Image.fromarray(cover).save(self.folder / "none.png")
        for name in ("chunk", "pixels"):  # by the embedding's own word
            self.assert_same(self.picture("--embedding", f"{name}.png", prompt="a plain"), expected)
        self.assertIn("without a readable embedding", self.refusal("--embedding", "none.png"))


def in_pixels(cover, text):
    """A picture as AUTOMATIC1111's web UI makes it of an embedding: four bits of each byte to the left of the cover, the
    other four to its right, behind a black column each."""
    height = cover.shape[0]
    data = np.frombuffer(zlib.compress(text), np.uint8)
    data = np.resize(data, -(-len(data) // (3 * height)) * 3 * height)
    state, key = 0, np.zeros(len(data), np.uint8)
    for i in range(len(data)):
        state = (state * 1664525 + 1013904223) % 2**32
        key[i] = state % 255 & 15
    block = lambda bits: (bits ^ key | 0x40).reshape(height, -1, 3)  # the high bits are for its looks
    black = np.zeros((height, 1, 3), np.uint8)
    return np.concatenate([block(data & 15), black, cover, black, block(data >> 4)], 1)


class OtherKinds(Files):
    def test_are_named_wherever_a_file_of_weights_is_read(self):
        Image.new("RGB", (8, 8)).save(self.folder / "shown.png")
        kinds = {"picture.safetensors": (b"\x89PNG\r\n\x1a\n....", "is a PNG picture"),
                 "page.safetensors": (b"<!doctype html><html>", "is an HTML page"),
                 "pointer.ckpt": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
                 "quantised.safetensors": (b"GGUF\3\0\0\0....", "is a GGUF file"), "nothing.pt": (b"", "is empty")}
        for name, (content, kind) in kinds.items():
            (self.folder / name).write_bytes(content)
            self.assertIn(kind, self.refusal(model=name))
        for option in (["--vae"], ["--lora"], ["--control-image", "shown.png", "--control"]):
            self.assertIn("is an HTML page", self.refusal(*option, "page.safetensors"))
        self.assertIn("is empty", self.refusal("--embedding", "nothing.pt"))


if __name__ == "__main__":
    unittest.main()
