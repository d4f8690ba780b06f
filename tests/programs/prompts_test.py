"""Runs txt2img with what AUTOMATIC1111's web UI reads of prompts: LoRA tags with two weights, and comments."""

import json
import shutil
import unittest

from generate_programs import TXT2IMG, Programs, pixels, write_safetensors


def pair(layer):
    """A LoRA of rank 1 for a layer [32, 32] of the text encoder or one [16, 16] of the UNet."""
    width = 32 if layer.startswith("lora_te") else 16
    return {f"{layer}.lora_down.weight": ([1, width], [1.0] * width),
            f"{layer}.lora_up.weight": ([width, 1], [0.5 * (-1) ** i for i in range(width)])}


TEXT_ENCODER = pair("lora_te_text_model_encoder_layers_0_self_attn_out_proj")
UNET_LAYER = "mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0"
UNET = pair(f"lora_unet_{UNET_LAYER}")


class ReadsPrompts(Programs):
    def setUp(self):
        super().setUp()
        (self.folder / "loras").mkdir()
        for name, tensors in (("both", {**TEXT_ENCODER, **UNET}), ("words", TEXT_ENCODER), ("unet", UNET)):
            write_safetensors(self.folder / "loras" / f"{name}.safetensors", tensors)

    def picture(self, *arguments, **options):
        self.makes(TXT2IMG, "-s", "1", "--force", "-o", "picture.png", *arguments, **options)
        return pixels(self.folder / "picture.png")

    def test_the_first_weight_of_a_lora_is_the_text_encoders_and_the_second_the_unets(self):
        apart = self.picture("a cat", "--lora", "loras/words.safetensors:0.5", "--lora", "loras/unet.safetensors:-1")
        self.assertEqual(self.picture("a cat<lora:both:0.5:-1>"), apart)
        self.assertEqual(self.picture("a cat", "--lora", "loras/both.safetensors:0.5:-1"), apart)
        self.assertNotEqual(self.picture("a cat<lora:both:-1:0.5>"), apart)
        self.assertNotEqual(self.picture("a cat<lora:both:0.5>"), apart)

    def test_each_prompt_of_a_file_has_the_loras_of_its_own_tags(self):
        bundle = {**UNET, "bundle_emb.blob.emb_params": ([1, 32], [3.0] * 32)}
        write_safetensors(self.folder / "loras" / "bundle.safetensors", bundle)
        prompts = ["a blob", "a blob<lora:bundle>", "a blob", "a cat<lora:both:0.5:-1>", "a blob<lora:bundle:2>"]
        (self.folder / "prompts.txt").write_text("\n".join(prompts) + "\n")
        self.makes(TXT2IMG, "-s", "1", "--prompts-file", "prompts.txt", "-o", "{index}.png")
        for i, prompt in enumerate(prompts):
            self.makes(TXT2IMG, prompt, "-s", str(1 + i), "-o", "alone.png", "--force")
            alone = pixels(self.folder / "alone.png")
            self.assertEqual(pixels(self.folder / f"{i + 1}.png"), alone, prompt)
            self.makes(TXT2IMG, "--from-image", f"{i + 1}.png", "-o", "again.png", "--force")
            self.assertEqual(pixels(self.folder / "again.png"), alone, prompt)
        self.assertNotEqual(self.picture(prompts[1]), self.picture(prompts[0]))

    def test_an_embedding_outlasts_the_loras_of_a_prompt(self):
        bundle = {**UNET, "bundle_emb.blob.emb_params": ([1, 32], [3.0] * 32)}
        write_safetensors(self.folder / "loras" / "bundle.safetensors", bundle)
        write_safetensors(self.folder / "own.safetensors", {"emb_params": ([1, 32], [-2.0] * 32)})
        prompts = ["an own blob<lora:bundle>", "an own blob", "an own blob<lora:both>"]
        (self.folder / "prompts.txt").write_text("\n".join(prompts) + "\n")
        embedding = ("--embedding", "own.safetensors")
        self.makes(TXT2IMG, "-s", "1", "--prompts-file", "prompts.txt", *embedding, "-o", "{index}.png")
        for i, prompt in enumerate(prompts):
            self.makes(TXT2IMG, prompt, "-s", str(1 + i), *embedding, "-o", "alone.png", "--force")
            self.assertEqual(pixels(self.folder / f"{i + 1}.png"), pixels(self.folder / "alone.png"), prompt)

    def test_a_lora_of_a_later_prompt_is_checked_before_the_first_image(self):
        write_safetensors(self.folder / "loras" / "foreign.safetensors",
                          {"lora_unet_nowhere.lora_down.weight": ([1, 4], [1.0] * 4),
                           "lora_unet_nowhere.lora_up.weight": ([4, 1], [1.0] * 4)})
        (self.folder / "prompts.txt").write_text("a cat\na cat<lora:foreign>\n")
        self.refuses(TXT2IMG, "--prompts-file", "prompts.txt", "-o", "{index}.png", says=["foreign.safetensors", "nowhere"])
        self.assertFalse((self.folder / "1.png").exists())

    def test_the_third_number_cuts_the_rank(self):
        wide = {f"lora_unet_{UNET_LAYER}.lora_down.weight": ([2, 16], [1.0] * 16 + [-2.0] * 16),
                f"lora_unet_{UNET_LAYER}.lora_up.weight": ([16, 2], [0.5 * (-1) ** i for i in range(32)])}
        first = {f"lora_unet_{UNET_LAYER}.lora_down.weight": ([1, 16], [1.0] * 16),
                 f"lora_unet_{UNET_LAYER}.lora_up.weight": ([16, 1], [0.5] * 16)}
        for name, tensors in (("wide", wide), ("first", first)):
            write_safetensors(self.folder / "loras" / f"{name}.safetensors", tensors)
        cut = self.picture("a cat<lora:wide:1:1:1>")
        self.makes(TXT2IMG, "--from-image", "picture.png", "-o", "again.png")
        self.assertEqual(pixels(self.folder / "again.png"), cut)
        self.assertEqual(cut, self.picture("a cat<lora:first>"))
        self.assertEqual(self.picture("a cat<lyco:wide:te=3:dyn=1:unet=1>"), cut)
        self.assertNotEqual(self.picture("a cat<lora:wide>"), cut)

    def test_tags_of_another_kind_are_taken_out_with_a_warning(self):
        plain = self.picture("a cat")
        for tag, why in (("<hypernet:h:1>", "hypernetworks are not supported"), ("<style:b>", "expected lora")):
            result = self.run_program(TXT2IMG, f"a cat{tag}", "--steps", "2", "-s", "1", "-o", "b.png", "--force")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(f"the tag {tag} is left out of the prompt: {why}", result.stderr.decode())
            self.assertEqual(pixels(self.folder / "b.png"), plain)

    def test_both_weights_are_in_the_record(self):
        made = self.picture("a cat<lora:both:0.5:-1>")
        self.makes(TXT2IMG, "--from-image", "picture.png", "-o", "again.png")
        self.assertEqual(pixels(self.folder / "again.png"), made)

    def test_a_word_that_the_tokenizers_folder_adds_stands_for_its_embedding(self):
        model = self.folder / "model"
        shutil.copytree(self.model, model)
        red = json.loads((model / "tokenizer" / "vocab.json").read_text())["red</w>"]
        self.assertNotEqual(self.picture("a <cat-toy>"), self.picture("a red"))
        (model / "tokenizer" / "added_tokens.json").write_text(json.dumps({"<cat-toy>": red}))
        self.assertEqual(self.picture("a <cat-toy>", model=model), self.picture("a red"))
        (model / "tokenizer" / "added_tokens.json").write_text(json.dumps({"<cat-toy>": 522}))
        self.refuses(TXT2IMG, "a <cat-toy>", model=model, code=1, says=["id 522", "0 to 521"])

    def test_comments_do_not_count_in_this_syntax(self):
        self.assertEqual(self.picture("a cat # on a sofa<lora:both>"), self.picture("a cat"))
        self.assertEqual(self.picture("a cat", "-n", "# a sofa\nred"), self.picture("a cat", "-n", "red"))
        self.assertNotEqual(self.picture("a cat # on a sofa", "--prompt-syntax", "plain"),
                            self.picture("a cat", "--prompt-syntax", "plain"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
