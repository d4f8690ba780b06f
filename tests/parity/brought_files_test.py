"""Files as other tools write them give the picture of diffusers and peft, or of the same weights in another file.

Run with a Python that has diffusers and peft. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/txt2img,
and SFUMATO_PARITY_DIR, where single_file_reference.py wrote its files.
"""

import base64
import json
import os
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

import numpy as np
import torch
from diffusers import (AutoencoderTiny, ControlNetModel, DDIMScheduler, StableDiffusionImg2ImgPipeline,
                       StableDiffusionPipeline, logging)
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from PIL import Image, PngImagePlugin
from safetensors.torch import load_file, save_file
from single_file_reference import unet_key, vae_key, vae_value

TOOLS = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools"
GOLDEN = Path(os.environ["SFUMATO_PARITY_DIR"])
SINGLE, MODEL = GOLDEN / "sd1.safetensors", GOLDEN / "sd1"
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_"
STEPS, GUIDANCE, SEED = 2, 4.0, 5
# Float32 networks agree to 1e-4 of their range, so that rounding to 8 bits may differ by one step.
LEVELS = 1

torch.set_num_threads(2)
logging.set_verbosity_error()
logging.disable_progress_bar()


def old_save(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


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

    def test_its_latents_of_a_image_take_no_noise(self):
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

    def test_a_images_text_chunk_and_its_pixels_hold_one(self):
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


def kohya(layers, prefix="lora_unet_", rename=lambda layer: layer.replace(".", "_"), parts=("lora_down", "lora_up")):
    """A LoRA of rank 2 of attention layers of 32 channels."""
    weights = {}
    for i, layer in enumerate(layers):
        name = prefix + rename(layer)
        weights[f"{name}.{parts[0]}.weight"] = numbers(2, 32, seed=i)
        weights[f"{name}.{parts[1]}.weight"] = numbers(32, 2, seed=i + 9)
    return weights


class Loras(Files):
    layers = [ATTENTION + "q", ATTENTION + "v"]

    def write(self, name, weights):
        save_file({key: value.contiguous() for key, value in weights.items()}, self.folder / f"{name}.safetensors")
        return f"{name}.safetensors"

    def test_adapters_of_peft_give_its_image(self):
        plain = self.picture()
        targets = ["to_q", "to_v"]
        configs = {
            "alpha": LoraConfig(r=2, lora_alpha=6, target_modules=targets),
            "patterns": LoraConfig(r=2, lora_alpha=6, target_modules=targets, use_rslora=True,
                                   rank_pattern={r"down_blocks.*attn1\.to_q": 3, "mid_block.*": 4},
                                   alpha_pattern={r".*attn2\.to_v": 1, "to_q": 9}),
            "dora": LoraConfig(r=2, lora_alpha=3, target_modules=targets, use_dora=True),
            "loha": LoHaConfig(r=2, alpha=6, target_modules=targets),
            "lokr": LoKrConfig(r=2, alpha=6, target_modules=targets),
        }
        for name, config in configs.items():
            pipeline = load_pipeline()
            adapted = get_peft_model(pipeline.unet, config)
            for i, (key, parameter) in enumerate(adapted.named_parameters()):
                if any(part in key for part in ("lora_A", "lora_B", "hada_", "lokr_")):
                    parameter.data = numbers(*parameter.shape, seed=i)
            adapted.save_pretrained(self.folder / name)
            pipeline.unet = adapted.base_model.model
            expected = reference(pipeline, height=64, width=64)
            self.assert_other(expected, plain)
            self.assert_same(self.picture("--lora", f"{name}/adapter_model.safetensors"), expected, LEVELS)
            self.assert_same(self.picture("--lora", name), expected, LEVELS)
        (self.folder / "alpha" / "adapter_config.json").unlink()
        self.assertIn("expected that beside it", self.refusal("--lora", "alpha"))

    def test_an_adapter_of_a_text_encoder_gives_its_image(self):
        pipeline = load_pipeline()
        adapted = get_peft_model(pipeline.text_encoder, LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj"]))
        for i, (key, parameter) in enumerate(adapted.named_parameters()):
            if "lora_" in key:
                parameter.data = numbers(*parameter.shape, seed=i)
        adapted.save_pretrained(self.folder / "text_encoder")
        pipeline.text_encoder = adapted.base_model.model
        expected = reference(pipeline, height=64, width=64)
        self.assert_other(expected, self.picture())
        self.assert_same(self.picture("--lora", "text_encoder"), expected, LEVELS)
        self.assert_same(self.picture("--lora", "text_encoder:0:1"), self.picture())

    def test_every_prefix_gives_one_image(self):
        expected = self.picture("--lora", self.write("kohya", kohya(self.layers)))
        self.assert_other(expected, self.picture())
        original = lambda layer: unet_key(layer + ".weight", 2, ()).removesuffix(".weight")
        forms = {"lycoris": kohya(self.layers, "lycoris_"),
                 "comfy": kohya(self.layers, "diffusion_model.", original),
                 "comfy_peft": kohya(self.layers, "diffusion_model.", original, ("lora_A", "lora_B")),
                 "named": kohya(self.layers, "diffusion_model.", lambda layer: layer),
                 "default": kohya(self.layers, "unet.", lambda layer: layer, ("lora_A.default", "lora_B.default"))}
        for name, weights in forms.items():
            self.assert_same(self.picture("--lora", self.write(name, weights)), expected)

    def test_a_bundled_embedding_is_a_word(self):
        vectors, lora = numbers(2, 768), kohya(self.layers)
        self.write("lora", lora)
        self.write("plain", {"emb_params": vectors})
        options = dict(prompt="a plain")
        expected = self.picture("--lora", "lora.safetensors", "--embedding", "plain.safetensors", **options)
        self.assert_other(expected, self.picture("--lora", "lora.safetensors", **options))
        for part in ("string_to_param.*", "emb_params"):
            self.write("bundle", lora | {f"bundle_emb.plain.{part}": vectors})
            self.assert_same(self.picture("--lora", "bundle.safetensors", **options), expected)
        self.write("bundle", lora | {"bundle_emb.plain.emb_params": numbers(2, 5)})
        self.assertIn("takes vectors of 768", self.refusal("--lora", "bundle.safetensors"))

    def test_layers_that_the_model_lacks_are_left_out_when_asked_for(self):
        lora = kohya(self.layers)
        expected = self.picture("--lora", self.write("lora", lora))
        foreign = kohya(["text_model.encoder.layers.11.mlp.fc1"], "lora_te_")
        self.write("more", lora | foreign)
        message = self.refusal("--lora", "more.safetensors")
        self.assertIn('1 unexpected: "lora_te_text_model_encoder_layers_11_mlp_fc1" (--lora-partial', message)
        warning = '1 left out, which the model lacks: "lora_te_text_model_encoder_layers_11_mlp_fc1"'
        made = self.picture("--lora", "more.safetensors", "--lora-partial", warns=warning)
        self.assert_same(made, expected)
        again = subprocess.run([TOOLS / "txt2img", "--from-image", "made.png", "-o", "again.png"], cwd=self.folder,
                               capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn(warning, again.stderr)
        self.write("foreign", foreign)
        self.assertIn("does not fit the model", self.refusal("--lora", "foreign.safetensors", "--lora-partial"))
        self.write("shape", lora | {f"lora_unet_{ATTENTION.replace('.', '_')}k.{part}.weight": numbers(*shape)
                                    for part, shape in (("lora_down", (2, 7)), ("lora_up", (32, 2)))})
        self.assertIn("1 misshapen", self.refusal("--lora", "shape.safetensors", "--lora-partial"))

    def test_tags_find_files_in_folders_below(self):
        (self.folder / "loras" / "styles").mkdir(parents=True)
        expected = self.picture("--lora", self.write("loras/styles/ink", kohya(self.layers)))
        self.assert_same(self.picture(prompt="a cat on a sofa<lora:ink:1>"), expected)
        (self.folder / "loras" / "more").mkdir()
        self.write("loras/more/ink", kohya(self.layers))
        self.assertIn("expected one file of that name", self.refusal(prompt="a cat<lora:ink:1>"))
        self.assert_same(self.picture(prompt="a cat on a sofa<lora:styles/ink:1>"), expected)


class ControlNets(Files):
    def setUp(self):
        super().setUp()
        torch.manual_seed(2)
        unet = load_pipeline().unet
        network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16, 32))
        for parameter in network.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
        ups = unet.config.up_block_types
        self.unet = {unet_key(name, 2, ups): value for name, value in unet.state_dict().items()}
        self.weights = {controlnet_key(name): value for name, value in network.state_dict().items()}
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
            self.folder / "shown.png")

    def controlled(self, weights, **options):
        save_file(weights, self.folder / "control.safetensors")
        return self.picture("--control", "control.safetensors", "--control-image", "shown.png", **options)

    def test_differences_from_the_unet_are_added_to_it(self):
        whole = {f"control_model.{key}": value for key, value in self.weights.items()}
        expected = self.controlled(whole)
        self.assert_other(expected, self.picture())
        difference = {f"control_model.{key}": value - self.unet.get(key, 0) for key, value in self.weights.items()}
        self.assert_same(self.controlled(difference | {"difference": torch.tensor(())}), expected, LEVELS)
        self.assert_other(self.controlled(difference), expected)  # without the mark they are the weights

    def test_keys_of_no_part_are_refused_by_name(self):
        whole = {f"control_model.{key}": value for key, value in self.weights.items()}
        self.controlled(whole | {"first_stage_model.x": torch.ones(1), "betas": torch.ones(1)})  # a whole checkpoint's
        save_file(whole | {"lora_controlnet": torch.ones(1)}, self.folder / "control.safetensors")
        message = self.refusal("--control", "control.safetensors", "--control-image", "shown.png")
        self.assertIn('1 unexpected: "lora_controlnet"', message)


def controlnet_key(name):
    """lllyasviel's names."""
    words = name.split(".")
    if words[0] == "controlnet_down_blocks":
        return f"zero_convs.{words[1]}.0.{words[2]}"
    if words[0] == "controlnet_mid_block":
        return f"middle_block_out.0.{words[1]}"
    if words[0] == "controlnet_cond_embedding":
        place = {"conv_in": 0, "conv_out": 14}.get(words[1]) if words[1] != "blocks" else 2 * int(words[2]) + 2
        return f"input_hint_block.{place}.{words[-1]}"
    return unet_key(name, 2, ())


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
