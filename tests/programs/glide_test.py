"""txt2img and inpaint with a model of GLIDE as a user runs them: files, records, exit codes and messages."""

import json
import shutil
import subprocess
import unittest

from generate_programs import BUILD, ENVIRONMENT, IMG2IMG, INPAINT, TXT2IMG, Programs, chunks, pixels, png, png_of


def write_glide(folder, kind="glide"):
    subprocess.run([BUILD / "tests" / "random_model", folder, kind], check=True)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = ["a t", "c at", "Ġ cat"]
    tokens = letters + ["".join(merge.split()) for merge in merges] + ["<|endoftext|>"]
    configs = {
        "tokenizer/vocab.json": {token: i for i, token in enumerate(tokens)},
        "tokenizer/tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 16},
        "text_noise_scheduler/scheduler_config.json": {"_class_name": "DDPMScheduler", "variance_type": "learned_range",
                                                       "beta_schedule": "squaredcos_cap_v2"},
        "upscale_noise_scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler"},
        "model_index.json": {
            "_class_name": "GLIDEPipeline", "text_unet": ["diffusers", "UNet2DConditionModel"],
            "text_encoder": ["sfumato", "GLIDETextModel"], "text_noise_scheduler": ["diffusers", "DDPMScheduler"],
            "tokenizer": ["transformers", "GPT2Tokenizer"], "upscale_unet": ["diffusers", "UNet2DConditionModel"],
            "upscale_text_encoder": ["sfumato", "GLIDETextModel"],
            "upscale_noise_scheduler": ["diffusers", "DDIMScheduler"]},
    }
    for name, content in configs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")


def size(path):
    header = dict(chunks(path))[b"IHDR"]
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")


def record(path):
    texts = dict(data.split(b"\0", 1) for kind, data in chunks(path) if kind == b"tEXt")
    return json.loads(texts[b"sfumato"]), texts[b"parameters"].decode()


class Glide(Programs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text_model = cls.model
        cls.model, cls.inpainting = cls.root / "glide", cls.root / "glide_inpaint"
        write_glide(cls.model)
        write_glide(cls.inpainting, "glide_inpaint")

    def runs(self, program, *arguments, model=None):
        result = self.run_program(program, *map(str, arguments), model=model)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def refuses(self, program, arguments, *words, model=None):
        result = self.run_program(program, *map(str, arguments), model=model)
        message = result.stderr.decode()
        self.assertEqual(result.returncode, 2, message)
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(word, message)

    def test_writes_both_stages(self):
        self.runs(TXT2IMG, "a cat", "--steps", 3, "--upsample-steps", 2, "-s", 7, "-o", "a.png",
                  "--base-output", "b.png")
        self.assertEqual(size(self.folder / "a.png"), (16, 16))
        self.assertEqual(size(self.folder / "b.png"), (8, 8))
        told, parameters = record(self.folder / "a.png")
        self.assertEqual(told["glide"]["base"], {"sampler": "ddpm", "respacing": "3", "guidance_scale": 3.0})
        self.assertEqual(told["glide"]["upsample"]["respacing"], "2")
        self.assertEqual(told["glide"]["seed"], 7)
        self.assertTrue(parameters.startswith("a cat\nSteps: 3, Sampler: DDPM, CFG scale: 3, Seed: 7, Size: 16x16"),
                        parameters)
        self.assertNotIn("upsample", record(self.folder / "b.png")[0]["glide"])

    def test_the_base_model_alone_gives_the_first_stage(self):
        common = "a cat", "--steps", 3, "-s", 7
        self.runs(TXT2IMG, *common, "--upsample-steps", 2, "-o", "a.png", "--base-output", "b.png")
        self.runs(TXT2IMG, *common, "--no-upsample", "-o", "c.png")
        data = lambda name: dict(chunks(self.folder / name))[b"IDAT"]
        self.assertEqual(data("b.png"), data("c.png"))

    def test_counts_seeds_and_prints_json(self):
        result = json.loads(self.runs(TXT2IMG, "a cat", "--steps", 2, "--no-upsample", "-b", 3, "-s", 4,
                                      "--batch-size", 2, "-o", "x.png", "--json"))
        self.assertEqual([image["seed"] for image in result["images"]], [4, 5, 6])
        self.assertEqual([image["path"] for image in result["images"]], ["x-1.png", "x-2.png", "x-3.png"])

    def test_a_file_of_prompts_is_each_prompt_alone(self):
        (self.folder / "prompts.txt").write_text("a cat\n\na dog\r\n")
        common = "--steps", 2, "--upsample-steps", 2, "-b", 2
        result = json.loads(self.runs(TXT2IMG, "--prompts-file", "prompts.txt", *common, "-s", 4, "-o", "{index}.png",
                                      "--base-output", "base-{seed}.png", "--json"))
        self.assertEqual([image["seed"] for image in result["images"]], [4, 5, 6, 7])
        self.runs(TXT2IMG, "a dog", *common, "-s", 6, "-o", "dog-{index}.png", "--base-output", "dog-base-{seed}.png")
        for name, alone in (("3", "dog-1"), ("4", "dog-2"), ("base-7", "dog-base-7")):
            self.assertEqual((self.folder / f"{name}.png").read_bytes(), (self.folder / f"{alone}.png").read_bytes())
        self.assertEqual(record(self.folder / "2.png")[0]["glide"]["prompt"], "a cat")
        self.refuses(TXT2IMG, ["a cat", "--prompts-file", "prompts.txt"], "a prompt and --prompts-file")
        (self.folder / "none.txt").write_text("\n")
        self.refuses(TXT2IMG, ["--prompts-file", "none.txt"], "'none.txt' holds no prompt")

    def test_another_prompt_is_another_image(self):
        for name, prompt in ("a", "a cat"), ("b", "a dog"):
            self.runs(TXT2IMG, prompt, "--steps", 3, "--no-upsample", "-s", 1, "-o", f"{name}.png")
        self.assertNotEqual((self.folder / "a.png").read_bytes(), (self.folder / "b.png").read_bytes())

    def test_help_is_of_the_models_own_options(self):
        text = self.runs(TXT2IMG, "--help")
        self.assertIn("--upsample-steps", text)
        self.assertNotIn("--hires-scale", text)

    def test_refuses_options_of_other_models_by_name(self):
        options = ("--hires-scale", "2"), ("--clip-skip", "2"), ("--lora", "x.safetensors"), ("-W", "64"), ("--vae", "x")
        for option in options:
            self.refuses(TXT2IMG, ["a cat", *option], f"'{option[0]}'", "GLIDE")
        self.refuses(TXT2IMG, ["a cat", "--upsample-step", 2], "did you mean '--upsample-steps'?")

    def test_refuses_options_that_exclude_each_other(self):
        common = ["a cat"]
        self.refuses(TXT2IMG, common + ["--steps", 3, "--respacing", "4"], "--steps and --respacing")
        self.refuses(TXT2IMG, common + ["--no-upsample", "--upsample-steps", 3], "--upsample-steps with --no-upsample")
        self.refuses(TXT2IMG, common + ["--no-upsample", "--base-output", "b.png"], "--base-output")
        self.refuses(TXT2IMG, common + ["--steps", 0], "--steps 0: expected 1 or more")
        self.refuses(TXT2IMG, common + ["--respacing", "ddim999"], "no whole stride")
        self.refuses(TXT2IMG, common + ["--cfg-scale", 0.5], "guidance scale is 0.5")
        self.refuses(TXT2IMG, common + ["-o", "a.png", "--base-output", "a.png"], "another name")
        self.refuses(TXT2IMG, ["a cat, " * 3500, "--quiet", "-o", "a.png", "--base-output", "b.jpg"],
                     "output 'b.jpg'", "a JPEG holds 65533")
        self.refuses(TXT2IMG, [], "no prompt")

    def write_clip(self, kind):
        """A CLIPModel with the model's own tokenizer, at the schedule of the base model if it is noised."""
        folder = self.folder / kind
        subprocess.run([BUILD / "tests" / "random_model", folder, kind], check=True)
        shutil.copytree(self.model / "tokenizer", folder / "tokenizer")
        if kind == "noised_clip":
            shutil.copy(self.model / "text_noise_scheduler" / "scheduler_config.json", folder)

    def test_clip_guides_the_base_model(self):
        common = ["a cat", "--steps", 3, "--no-upsample", "-s", 7, "--cfg-scale", 1]
        self.runs(TXT2IMG, *common, "-o", "plain.png")
        for kind in ("clip", "noised_clip"):
            self.write_clip(kind)
            self.runs(TXT2IMG, *common, "--clip-guidance", 5, "--clip-model", kind, "-o", f"{kind}.png")
            self.assertNotEqual(pixels(self.folder / "plain.png"), pixels(self.folder / f"{kind}.png"))
            sfumato, parameters = record(self.folder / f"{kind}.png")
            self.assertEqual(sfumato["glide"]["clip_guidance"], {"model": kind, "scale": 5.0})
            self.assertIn(f"CLIP guidance: 5, CLIP model: {kind}", parameters)

    def test_refuses_clips_that_do_not_fit(self):
        self.refuses(TXT2IMG, ["a cat", "--clip-guidance", 5], "--clip-guidance without --clip-model: expected both")
        self.refuses(TXT2IMG, ["a cat", "--clip-model", "x"], "--clip-model without --clip-guidance: expected both")
        guided = ["a cat", "--clip-guidance", 5, "--clip-model"]
        self.refuses(TXT2IMG, ["a cat", "--clip-guidance", -1, "--clip-model", "x"], "--clip-guidance -1", "more than 0")
        self.refuses(TXT2IMG, ["a cat", "--clip-guidance", "nan", "--clip-model", "x"], "--clip-guidance nan")
        self.refuses(TXT2IMG, guided + ["nowhere"], "nowhere")
        self.refuses(TXT2IMG, guided + [self.model / "text_unet"], "clip model", "'text_config' is missing")
        self.write_clip("noised_clip")
        scheduler = {"_class_name": "DDPMScheduler", "num_train_timesteps": 500}
        (self.folder / "noised_clip" / "scheduler_config.json").write_text(json.dumps(scheduler))
        self.refuses(TXT2IMG, guided + ["noised_clip"], "clip model", "500 timesteps, expected the model's 1000")

    def test_inpaints(self):
        rows = [bytes((x * 15 % 256, y * 13 % 256, 99)[c] for x in range(16) for c in range(3)) for y in range(16)]
        (self.folder / "photo.png").write_bytes(png_of(16, 16, 2, 8, rows))
        mask = [bytes(255 if 4 <= x < 10 and 4 <= y < 10 else 0 for x in range(16)) for y in range(16)]
        (self.folder / "mask.png").write_bytes(png_of(16, 16, 0, 8, mask))
        self.runs(INPAINT, "a cat", "-i", "photo.png", "--mask", "mask.png", "--steps", 3, "--upsample-steps", 2, "-s", 1,
                  "-o", "a.png", model=self.inpainting)
        self.assertEqual(size(self.folder / "a.png"), (16, 16))
        self.assertEqual(record(self.folder / "a.png")[0]["glide"]["mask"], "mask.png")
        for name, options in (("a", ()), ("c", ("--invert-mask",))):
            if options:
                self.runs(INPAINT, "--from-image", "a.png", *options, "-o", f"{name}.png", model=self.inpainting)
            result = self.again(INPAINT, "--from-image", f"{name}.png", "-o", f"{name}-again.png")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((self.folder / f"{name}.png").read_bytes(), (self.folder / f"{name}-again.png").read_bytes())
        self.assertNotEqual(pixels(self.folder / "a.png"), pixels(self.folder / "c.png"))

    def test_refuses_to_inpaint_what_does_not_fit(self):
        (self.folder / "photo.png").write_bytes(png(16, 16))
        (self.folder / "mask.png").write_bytes(png(12, 16, 0))
        common = ["a cat", "-i", "photo.png", "--mask", "mask.png", "--steps", 2]
        self.refuses(INPAINT, common, "3 input channels, expected 7")
        self.refuses(INPAINT, common, "the mask is 12x16, expected the image's size, 16x16", model=self.inpainting)
        self.refuses(INPAINT, ["a cat", "-i", "photo.png"], "no mask", model=self.inpainting)
        self.refuses(TXT2IMG, ["a cat", "--steps", 2], "for inpainting: use inpaint", model=self.inpainting)

    def test_other_programs_name_txt2img(self):
        (self.folder / "photo.png").write_bytes(png(16, 16))
        self.refuses(IMG2IMG, ["a cat", "-i", "photo.png"], "GLIDE", "txt2img")
        self.refuses(BUILD / "tools" / "sample", [], "GLIDE", "txt2img")

    def again(self, program, *arguments):
        """Runs a program without -m."""
        return subprocess.run([program, "--device", "cpu", *map(str, arguments)], cwd=self.folder, capture_output=True,
                              timeout=120, env=ENVIRONMENT)

    def test_an_image_makes_itself_again(self):
        self.runs(TXT2IMG, "a cat", "--respacing", "2,1", "--upsample-steps", 2, "--upsample-temp", 0.9, "-s", 7, "-b", 2,
                  "--negative-prompt", "dog", "--cfg-scale", 2.5, "-o", "{index}.png", "--base-output", "b{index}.png")
        for made in ("2", "b2"):
            result = self.again(TXT2IMG, "--from-image", f"{made}.png", "-o", f"{made}-again.png")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((self.folder / f"{made}.png").read_bytes(), (self.folder / f"{made}-again.png").read_bytes())
        self.runs(TXT2IMG, "a dog", "--steps", 2, "--upsample-steps", 2, "--upsample-temp", 0.9, "-s", 3,
                  "--negative-prompt", "dog", "--cfg-scale", 2.5, "-o", "dog.png")
        result = self.again(TXT2IMG, "a dog", "--from-image", "1.png", "--steps", 2, "-s", 3, "-o", "dog-again.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.folder / "dog.png").read_bytes(), (self.folder / "dog-again.png").read_bytes())
        self.runs(TXT2IMG, "--from-image", "b1.png", "--sampler", "ddim", "--steps", 3, "-o", "ddim.png")
        self.runs(TXT2IMG, "--from-image", "ddim.png", "--sampler", "dpm++2m", "-o", "other.png")
        self.runs(TXT2IMG, "--from-image", "b1.png", "--upsample-steps", 2, "-o", "larger.png")
        self.assertEqual(size(self.folder / "larger.png"), (16, 16))

    def test_a_recorded_guidance_by_clip_is_read_back(self):
        self.write_clip("clip")
        self.runs(TXT2IMG, "a cat", "--steps", 3, "--no-upsample", "-s", 7, "--clip-guidance", 5, "--clip-model", "clip",
                  "-o", "a.png")
        self.runs(TXT2IMG, "a cat", "--steps", 3, "--no-upsample", "-s", 7, "-o", "plain.png")
        self.runs(TXT2IMG, "--from-image", "a.png", "-o", "b.png")
        self.runs(TXT2IMG, "--from-image", "a.png", "--clip-guidance", 0, "-o", "c.png")
        self.assertEqual((self.folder / "a.png").read_bytes(), (self.folder / "b.png").read_bytes())
        self.assertEqual(pixels(self.folder / "plain.png"), pixels(self.folder / "c.png"))

    def test_refuses_images_that_it_cannot_make_again(self):
        (self.folder / "plain.png").write_bytes(png(16, 16))
        self.refuses(TXT2IMG, ["--from-image", "plain.png"], "'plain.png' holds no request")
        self.refuses(TXT2IMG, ["--from-image", "none.png"], "none.png")
        result = self.run_program(TXT2IMG, "a cat", "--steps", "1", "-o", "sd.png", "-W", "16", "-H", "16",
                                  model=self.text_model)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.refuses(TXT2IMG, ["--from-image", "sd.png"], "'sd.png' was made by a model of Stable Diffusion")
        self.runs(TXT2IMG, "a cat", "--steps", 2, "--no-upsample", "-o", "a.png")
        result = self.again(INPAINT, "--from-image", "a.png")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"'a.png' was made by txt2img: make it again with that program", result.stderr)

    def test_an_image_of_glide_is_no_request_of_stable_diffusion(self):
        self.runs(TXT2IMG, "a cat", "--steps", 2, "--no-upsample", "-o", "a.png")
        self.refuses(TXT2IMG, ["--from-image", "a.png"], "was made by txt2img with a model of GLIDE", model=self.text_model)


if __name__ == "__main__":
    unittest.main()
