"""LoRAs and ControlNets as other tools write them give the image of diffusers and peft, or of the same weights in another
file. Run with a Python that has diffusers and peft; see brought_files.py for the environment.
"""

import subprocess
import unittest

import numpy as np
import torch
from diffusers import ControlNetModel
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import save_file
from single_file_reference import unet_key

from brought_files import LEVELS, TOOLS, Files, load_pipeline, numbers, reference

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_"


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


if __name__ == "__main__":
    unittest.main()
