"""Runs txt2img and img2img with a refiner, as a user does, with small random models of Stable Diffusion XL."""

import json
import shutil
import subprocess
import unittest

from generate_programs import BUILD, IMG2IMG, TXT2IMG, Programs, chunks, pixels, png, write_safetensors, write_tokenizer


def write_xl_model(folder, is_refiner):
    subprocess.run([BUILD / "tests" / "random_model", folder, "refiner" if is_refiner else "xl"], check=True)
    names = ("tokenizer_2",) if is_refiner else ("tokenizer", "tokenizer_2")
    for name in names:
        write_tokenizer(folder / name)
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({
        "_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
        "beta_end": 0.012, "steps_offset": 1, "timestep_spacing": "leading"}))
    first = [None, None] if is_refiner else ["transformers", "CLIPTextModel"]
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionXLImg2ImgPipeline" if is_refiner else "StableDiffusionXLPipeline",
        "scheduler": ["diffusers", "EulerDiscreteScheduler"], "text_encoder": first,
        "tokenizer": [None, None] if is_refiner else ["transformers", "CLIPTokenizer"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "force_zeros_for_empty_prompt": not is_refiner,
        "requires_aesthetics_score": is_refiner}))


def change_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Refines(Programs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = cls.model
        cls.model, cls.refiner = cls.root / "xl", cls.root / "refiner"
        write_xl_model(cls.model, is_refiner=False)
        write_xl_model(cls.refiner, is_refiner=True)

    def picture(self, *arguments, program=TXT2IMG):
        self.makes(program, *arguments, "-s", "1", "--steps", "5", "--force", "-o", "picture.png")
        return pixels(self.folder / "picture.png")

    def test_a_refiner_makes_the_last_steps(self):
        without = self.picture("a cat")
        late, early = (self.picture("a cat", "--refiner", self.refiner, "--refiner-at", at) for at in ("0.8", "0.5"))
        self.assertEqual(len({without, late, early}), 3)
        self.assertEqual(self.picture("a cat", "--refiner", self.refiner), late)
        self.assertEqual(self.picture("a cat", "--refiner", self.refiner, "--refiner-at", "0.999"), without)

    def test_a_model_that_refines_itself_goes_on_as_if_alone(self):
        self.assertEqual(self.picture("a cat", "--refiner", self.model, "--refiner-at", "0.5"), self.picture("a cat"))

    def test_its_image_is_made_again_from_its_record(self):
        self.makes(TXT2IMG, "a cat", "-s", "1", "--refiner", self.refiner, "--refiner-at", "0.6", "-o", "made.png")
        texts = b"".join(data for kind, data in chunks(self.folder / "made.png") if kind in (b"tEXt", b"iTXt"))
        self.assertIn(b"Refiner: refiner, Refiner switch at: 0.6", texts)
        self.makes(TXT2IMG, "--from-image", "made.png", "-o", "again.png")
        self.makes(TXT2IMG, "--from-image", "made.png", "--refiner-at", "0.3", "-o", "earlier.png")
        made, again, earlier = (pixels(self.folder / name) for name in ("made.png", "again.png", "earlier.png"))
        self.assertEqual(again, made)
        self.assertNotEqual(earlier, made)

    def test_it_takes_part_in_image_to_image_and_in_the_second_pass(self):
        (self.folder / "photo.png").write_bytes(png(64, 64))
        start = ("a cat", "-i", "photo.png", "--strength", "0.9")
        self.assertNotEqual(self.picture(*start, "--refiner", self.refiner, program=IMG2IMG),
                            self.picture(*start, program=IMG2IMG))
        hires = ("a cat", "--hires-scale", "1.5", "--hires-steps", "3")
        self.assertNotEqual(self.picture(*hires, "--refiner", self.refiner), self.picture(*hires))

    def test_an_embeddings_word_is_the_refiners_too(self):
        write_safetensors(self.folder / "sofa.safetensors", {"emb_params": ([1, 32], [0.3, -0.3] * 16)})
        alone = ("a sofa", "--refiner", self.refiner, "--refiner-at", "0.01")  # it makes every step
        self.assertNotEqual(self.picture(*alone, "--embedding", "sofa.safetensors"), self.picture(*alone))

    def test_what_is_no_refiner_of_the_model_is_refused(self):
        self.refuses(TXT2IMG, "a cat", "--refiner", self.plain, says=[str(self.plain), "no Stable Diffusion XL"])
        self.refuses(TXT2IMG, "a cat", "--refiner", self.refiner, model=self.plain,
                     says=[str(self.refiner), "is a Stable Diffusion XL"])
        self.refuses(TXT2IMG, "a cat", "--refiner", "nowhere", says=["nowhere", "no such folder or file"])
        self.refuses(TXT2IMG, "a cat", "--refiner-at", "0.5", says=["--refiner-at", "--refiner"])
        for at in ("0", "1", "-0.5", "nan"):
            self.refuses(TXT2IMG, "a cat", "--refiner", self.refiner, "--refiner-at", at, says=["refiner switch at"])

    def test_a_refiner_of_other_latents_is_refused(self):
        for part, changes, says in (("vae", {"scaling_factor": 0.5}, ["scaling_factor 0.5", "0.18215"]),
                                    ("scheduler", {"beta_end": 0.02}, ["noise levels"]),
                                    ("scheduler", {"_class_name": "EDMEulerScheduler"}, ["numbered timesteps"])):
            folder = self.folder / part
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.refiner, folder)
            name = "scheduler_config.json" if part == "scheduler" else "config.json"
            change_json(folder / part / name, **changes)
            self.refuses(TXT2IMG, "a cat", "--refiner", folder, says=[str(folder), *says])


if __name__ == "__main__":
    unittest.main(verbosity=2)
