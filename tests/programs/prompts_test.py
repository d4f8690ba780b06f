"""Runs txt2img with what AUTOMATIC1111's web UI reads of prompts: LoRA tags with two weights, and comments."""

import unittest

from generate_programs import TXT2IMG, Programs, pixels, write_safetensors


def pair(layer):
    """A LoRA of rank 1 for a layer [32, 32] of the text encoder or one [16, 16] of the UNet."""
    width = 32 if layer.startswith("lora_te") else 16
    return {f"{layer}.lora_down.weight": ([1, width], [1.0] * width),
            f"{layer}.lora_up.weight": ([width, 1], [0.5 * (-1) ** i for i in range(width)])}


TEXT_ENCODER = pair("lora_te_text_model_encoder_layers_0_self_attn_out_proj")
UNET = pair("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0")


class ReadsPrompts(Programs):
    def setUp(self):
        super().setUp()
        (self.folder / "loras").mkdir()
        for name, tensors in (("both", {**TEXT_ENCODER, **UNET}), ("words", TEXT_ENCODER), ("unet", UNET)):
            write_safetensors(self.folder / "loras" / f"{name}.safetensors", tensors)

    def picture(self, *arguments):
        self.makes(TXT2IMG, "-s", "1", "--force", "-o", "picture.png", *arguments)
        return pixels(self.folder / "picture.png")

    def test_the_first_weight_of_a_lora_is_the_text_encoders_and_the_second_the_unets(self):
        apart = self.picture("a cat", "--lora", "loras/words.safetensors:0.5", "--lora", "loras/unet.safetensors:-1")
        self.assertEqual(self.picture("a cat<lora:both:0.5:-1>"), apart)
        self.assertEqual(self.picture("a cat", "--lora", "loras/both.safetensors:0.5:-1"), apart)
        self.assertNotEqual(self.picture("a cat<lora:both:-1:0.5>"), apart)
        self.assertNotEqual(self.picture("a cat<lora:both:0.5>"), apart)

    def test_both_weights_are_in_the_record(self):
        made = self.picture("a cat<lora:both:0.5:-1>")
        self.makes(TXT2IMG, "--from-image", "picture.png", "-o", "again.png")
        self.assertEqual(pixels(self.folder / "again.png"), made)

    def test_comments_do_not_count_in_this_syntax(self):
        self.assertEqual(self.picture("a cat # on a sofa<lora:both>"), self.picture("a cat"))
        self.assertEqual(self.picture("a cat", "-n", "# a sofa\nred"), self.picture("a cat", "-n", "red"))
        self.assertNotEqual(self.picture("a cat # on a sofa", "--prompt-syntax", "plain"),
                            self.picture("a cat", "--prompt-syntax", "plain"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
