"""What txt2img, img2img and inpaint refuse: one line that says why, exit status 2 (1 for a failure), and no file."""

import json
import resource
import shutil
import signal
import struct
import subprocess
import unittest

from generate_programs import (BUILD, ENVIRONMENT, IMG2IMG, INPAINT, TXT2IMG, Programs, mask_png, png, write_lora,
                               write_safetensors)


class Refuses(Programs):
    def test_a_folder_of_an_unknown_class_with_those_known(self):
        model = self.damaged_model()
        index = json.loads((model / "model_index.json").read_text())
        (model / "model_index.json").write_text(json.dumps(index | {"_class_name": "FluxPipeline"}))
        self.refuses(TXT2IMG, "a cat", model=model,
                     says=["'FluxPipeline'", "StableDiffusionPipeline, ", "sample runs DDPMPipeline"])

    def test_numbers_out_of_range(self):
        for arguments, words in [(["--steps", "0"], ["steps 0", "1 to 1000"]),
                                 (["--steps", "100000"], ["steps 100000", "1 to 1000"]),
                                 (["--steps", "many"], ["many"]), (["-W", "65"], ["width 65", "multiple of 8"]),
                                 (["-H", "-8"], ["height -8"]), (["--crop-left", "-5"], ["crop left -5: expected 0 to"]),
                                 (["--cfg-scale", "nan"], ["guidance scale nan: expected 0 to 1000\n"]),
                                 (["--eta", "2"], ["eta 2: expected 0 to 1\n"]), (["-b", "0"], ["batch count 0"]),
                                 (["-s", "abc"], ["seed 'abc'"]), (["-s", "1.5"], ["1.5"]),
                                 (["-s", "99999999999999999999"], ["99999999999999999999"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", *arguments, says=words)

    def test_kinds_of_guidance(self):
        subprocess.run([BUILD / "tests" / "random_model", self.folder / "clip", "clip"], check=True)
        shutil.copytree(self.model / "tokenizer", self.folder / "clip" / "tokenizer")
        for arguments, words in [(["--guidance", "magic"], ["guidance 'magic'", "cfg++"]),
                                 (["--guidance", "cfg++"], ["guidance scale 7.5", "0 to 1 with cfg++"]),
                                 (["--guidance-start", "-1"], ["guidance start -1", "0 to 1"]),
                                 (["--guidance-end", "2"], ["guidance end 2", "0 to 1"]),
                                 (["--pag-scale", "-3"], ["pag scale -3"]),
                                 (["--pag-scale", "3", "--pag-layers", "attic"], ["pag layers 'attic'", "mid"]),
                                 (["--sag-scale", "-1"], ["sag scale -1"]),
                                 (["--sag-scale", "1", "-W", "32"], ["sag scale", "4 x 8"]),
                                 (["--clip-guidance", "3"], ["--clip-guidance without --clip-model"]),
                                 (["--clip-model", "x"], ["--clip-model without --clip-guidance"]),
                                 (["--clip-guidance", "-3", "--clip-model", "clip"], ["clip guidance -3", "expected 0, or a number above"]),
                                 (["--clip-guidance", "3", "--clip-model", "x"], ["'x'"]),
                                 (["--clip-guidance", "3", "--clip-model", str(self.model / "unet")],
                                  ["clip model", "'text_config' is missing"]),
                                 (["--dynamic-threshold", "1.5"], ["dynamic threshold 1.5", "0 to 1"]),
                                 (["--dynamic-threshold", "0.9", "--dynamic-threshold-max", "0"], ["dynamic threshold max 0", "1 to 1000"]),
                                 (["--rng", "gpu"], ["rng 'gpu'", "cpu or cuda"]),
                                 (["--noise", "white"], ["noise 'white'", "generator or brownian"]),
                                 (["--noise", "brownian", "--sampler", "ddim"], ["with the sampler ddim"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", *arguments, says=words)

    def test_guidance_by_clip_is_refused_before_the_model_loads(self):
        subprocess.run([BUILD / "tests" / "random_model", self.folder / "noised", "noised_clip"], check=True)
        model = self.folder / "no-weights"
        shutil.copytree(self.model, model)
        (model / "unet" / "diffusion_pytorch_model.safetensors").write_text("none")
        for arguments, words in [(["--clip-guidance", "-3"], ["clip guidance -3: expected 0, or a number above"]),
                                 (["--clip-guidance", "nan"], ["clip guidance nan"]),
                                 (["--clip-guidance", "3", "--hires-scale", "2"], ["is noised", "second pass"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", "--clip-model", "noised", *arguments, model=model, says=words)

    def test_schedulers_that_do_not_fit(self):
        model = self.damaged_model()
        scheduler = model / "scheduler" / "scheduler_config.json"
        scheduler.write_text(json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler"}))
        self.refuses(TXT2IMG, "a cat", model=model, says=["scheduler is FlowMatchEulerDiscreteScheduler", "expected"])
        scheduler.write_text(json.dumps({"_class_name": "IPNDMScheduler"}))
        self.refuses(TXT2IMG, "a cat", "--sampler", "heun", model=model, says=["sampler is 'heun'", "ipndm", "alpha = 0"])
        scheduler.write_text(json.dumps({"_class_name": "EDMEulerScheduler"}))
        self.refuses(TXT2IMG, "a cat", "--schedule", "simple", model=model,
                     says=["schedule is 'simple'", "karras, exponential", "EDMEulerScheduler"])
        self.refuses(TXT2IMG, "a cat", "--sampler", "tcd", model=model,
                     says=["EDMEulerScheduler", "numbered timesteps"])

    def test_a_multistep_start_that_the_sampler_has_not(self):
        (self.folder / "start.png").write_bytes(png(64, 64))
        for sampler, start, words in [("euler", "diffusers", ["fresh with the sampler euler"]),
                                      ("pndm", "late", ["'late'", "fresh or diffusers"])]:
            with self.subTest(sampler):
                self.refuses(IMG2IMG, "a cat", "-i", "start.png", "--sampler", sampler, "--multistep-start", start,
                             says=words)

    def test_lists_need_neither_prompt_nor_model(self):
        for what, names in (("samplers", ["ddim", "dpm++2m", "lcm"]), ("schedules", ["discrete", "karras", "beta"])):
            for program in (TXT2IMG, IMG2IMG):
                result = self.run_program(program, "--list", what, model="no such model")
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                listed = dict(line.split(None, 1) for line in result.stdout.decode().splitlines())
                for name in names:
                    self.assertIn(name, listed)
        self.refuses(TXT2IMG, "--list", "cats", says=["cats", "samplers", "schedules"])

    def test_wrong_names(self):
        self.refuses(TXT2IMG, "a cat", "--sampler", "magic", says=["magic", "ddim"])
        self.refuses(TXT2IMG, "a cat", "--device", "abacus", says=["abacus"])
        self.refuses(TXT2IMG, "a cat", "--device", "cuda:99", says=["cuda:99"])
        self.refuses(TXT2IMG, "a cat", "--dtype", "float1", says=["float1"])
        self.refuses(TXT2IMG, "a cat", "--no-such-flag", says=["--no-such-flag"])
        self.refuses(TXT2IMG, "a cat", "on a sofa", says=["on a sofa"])

    def test_prompts(self):
        self.refuses(TXT2IMG, says=["prompt"])
        self.refuses(TXT2IMG, b"caf\xe9", says=["UTF-8"])
        self.refuses(TXT2IMG, "a cat", "-n", b"\xff", says=["negative prompt", "UTF-8"])
        self.refuses(TXT2IMG, "--prompts-file", "none.txt", says=["none.txt"])
        self.refuses(TXT2IMG, "a cat", "--prompt-syntax", "poetry", says=["'poetry'", "a1111 or plain"])
        self.refuses(TXT2IMG, "a cat <lora:style:0.8>", says=["<lora:style>", "no style.safetensors in 'loras'"])
        self.refuses(TXT2IMG, "a cat", "-n", "a dog <lora:style:0.8>", says=["negative prompt", "<lora:style"])
        self.refuses(TXT2IMG, "--prompts-file", "-", says=["no prompt"], input=b"\n")

    def test_models(self):
        self.refuses(TXT2IMG, "a cat", model="no/such/folder", says=["no/such/folder"])
        self.refuses(TXT2IMG, "a cat", model=self.folder, says=["model_index.json"])

    def test_a_model_with_a_part_missing(self):
        model = self.damaged_model()
        shutil.rmtree(model / "unet")
        self.refuses(TXT2IMG, "a cat", model=model, says=["unet", "missing"])

    def test_a_model_with_a_part_of_an_unknown_class(self):
        model = self.damaged_model()
        index = json.loads((model / "model_index.json").read_text())
        for part, entry in [("vae", ["diffusers", "VQModel"]), ("vae", [None, None]), ("vae", None)]:
            with self.subTest(entry):
                (model / "model_index.json").write_text(json.dumps({**index, part: entry}))
                self.refuses(TXT2IMG, "a cat", model=model, says=["vae", "AutoencoderKL"])
        (model / "model_index.json").write_text("{ not JSON")
        self.refuses(TXT2IMG, "a cat", model=model, says=["model_index.json' is not valid JSON: line 1, column "])

    def test_a_config_with_a_value_of_another_type(self):
        model = self.damaged_model()
        path = model / "unet" / "config.json"
        config = json.loads(path.read_text())
        for key, value, says in (("center_input_sample", "yes", "'center_input_sample' is \"yes\": expected true or false"),
                                 ("act_fn", 3, "'act_fn' is 3: expected a string"),
                                 ("block_out_channels", 3, "'block_out_channels' is 3: expected a list"),
                                 ("norm_eps", [1], "'norm_eps' is [1]: expected a number")):
            with self.subTest(key):
                path.write_text(json.dumps(config | {key: value}))
                self.refuses(TXT2IMG, "a cat", model=model, says=[says])

    def test_additions_that_do_not_fit(self):
        write_lora(self.folder / "other.safetensors", layer="lora_unet_elsewhere")
        write_safetensors(self.folder / "wide.safetensors", {"emb_params": ([1, 33], [0.0] * 33)})
        self.refuses(TXT2IMG, "a cat", "--lora", "other.safetensors",
                     says=["other.safetensors", '1 unexpected: "lora_unet_elsewhere"'])
        self.refuses(TXT2IMG, "a cat", "--lora", "missing.safetensors", says=["missing.safetensors"])
        self.refuses(TXT2IMG, "a cat", "--embedding", "wide.safetensors", says=["wide.safetensors", "33"])

    def test_a_model_of_another_value(self):
        model = self.damaged_model()
        config = json.loads((model / "scheduler" / "scheduler_config.json").read_text())
        (model / "scheduler" / "scheduler_config.json").write_text(json.dumps({**config, "beta_schedule": "cubic"}))
        self.refuses(TXT2IMG, "a cat", model=model, says=["scheduler", "cubic"])

    def test_damaged_weights(self):
        model = self.damaged_model()
        weights = model / "unet" / "diffusion_pytorch_model.safetensors"
        whole = weights.read_bytes()
        for damaged in (whole[:-100], whole[:100], b"", struct.pack("<Q", 1 << 60) + whole[8:]):
            weights.write_bytes(damaged)
            self.refuses(TXT2IMG, "a cat", model=model, says=["diffusion_pytorch_model.safetensors"])

    def test_initial_images(self):
        (self.folder / "text.png").write_text("not a picture")
        (self.folder / "short.png").write_bytes(png(200, 200)[:-40])
        (self.folder / "empty.png").write_bytes(b"")
        for name in ("text.png", "short.png", "empty.png", "none.png", "."):
            with self.subTest(name):
                self.refuses(IMG2IMG, "a cat", "-i", name, says=[name])
        (self.folder / "whole.png").write_bytes(png(16, 16))
        for strength in ("-0.1", "1.1", "nan"):
            self.refuses(IMG2IMG, "a cat", "-i", "whole.png", "--strength", strength, says=["strength"])
        self.refuses(IMG2IMG, "a cat", says=["-i"])

    def test_second_passes(self):
        for arguments, words in [(["--hires-scale", "0.5"], ["hires scale 0.5"]), (["--hires-scale", "9"], ["1 to 8"]),
                                 (["--hires-scale", "nan"], ["hires scale"]), (["--hires-width", "65"], ["hires width 65"]),
                                 (["--hires-scale", "2", "--hires-height", "64"], ["not both"]),
                                 (["--hires-scale", "2", "--hires-strength", "2"], ["hires strength 2"]),
                                 (["--hires-scale", "2", "--hires-strength", "0.001"], ["hires strength 0.001"]),
                                 (["--hires-scale", "2", "--hires-steps", "2000"], ["hires steps 2000"]),
                                 (["--hires-scale", "2", "--hires-upscaler", "magic"], ["magic", "lanczos"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", *arguments, says=words)

    def test_masks(self):
        (self.folder / "i.png").write_bytes(png(40, 24))
        (self.folder / "white.png").write_bytes(mask_png(40, 24, range(40)))
        (self.folder / "black.png").write_bytes(mask_png(40, 24, range(0)))
        (self.folder / "thin.png").write_bytes(mask_png(40, 24, range(17, 18)))
        (self.folder / "text.png").write_text("not a picture")
        self.refuses(INPAINT, "a cat", "-i", "i.png", says=["--mask"])
        self.refuses(INPAINT, "a cat", "--mask", "white.png", says=["-i"])
        for name in ("text.png", "none.png"):
            self.refuses(INPAINT, "a cat", "-i", "i.png", "--mask", name, says=[name])
        for name in ("black.png", "thin.png"):
            self.refuses(INPAINT, "a cat", "-i", "i.png", "--mask", name, says=[name, "white"])
        self.refuses(INPAINT, "a cat", "-i", "i.png", "--mask", "white.png", "--invert-mask", "--only-masked",
                     says=["white.png", "inverted"])
        for option, value in (("--mask-blur", "-1"), ("--mask-blur", "nan"), ("--mask-padding", "-1")):
            self.refuses(INPAINT, "a cat", "-i", "i.png", "--mask", "white.png", option, value, says=["mask"])

    def test_controlnets(self):
        (self.folder / "c.png").write_bytes(png(16, 16))
        control, image = ["--control", str(self.model / "control_rgb")], ["--control-image", "c.png"]
        for arguments, words in [
                (control, ["0 times --control-image", "one for each --control"]),
                ([*control, *image, *image], ["2 times --control-image", "1 ControlNets"]),
                (image, ["1 times --control-image", "0 ControlNets"]),
                ([*control, "--control-image", "none.png"], ["none.png"]),
                ([*control, *image, "--control-scale", "-1"], ["control scale -1", "0 to 10"]),
                ([*control, *image, "--control-scale", "11"], ["control scale 11", "0 to 10"]),
                ([*control, *image, "--control-scale", "nan"], ["control scale", "0 to 10"]),
                ([*control, *image, "--control-scale", "1", "--control-scale", "2"], ["2 times --control-scale"]),
                ([*control, *image, "--control-start", "0.5", "--control-end", "0.5"], ["control start 0.5", "end"]),
                ([*control, *image, "--control-end", "1.5"], ["control end 1.5", "0 to 1"]),
                ([*control, *image, "--control-preprocess", "magic"], ["magic", "canny"]),
                (["--control-scale", "1"], ["--control-scale without --control"]),
                (["--control-guess"], ["--control-guess without --control"]),
                (["--pag-layers", "mid"], ["--pag-layers without --pag-scale"]),
                (["--hires-steps", "3"], ["--hires-steps without --hires-scale"]),
                (["--dynamic-threshold-max", "3"], ["--dynamic-threshold-max without --dynamic-threshold"]),
                (["-o", "x.png", "--save-latents", "x.png"], ["'x.png'", "another name"]),
                (["-o", "x.png", "--quality", "50"], ["'x.png'", ".jpg"]),
                (["--control", "no/such", *image], ["ControlNet 'no/such'", "no such folder or file"]),
                (["--control", str(self.folder), *image], [str(self.folder), "no config.json"]),
                (["--control", str(self.model / "unet"), *image], ["unet", "expected a diffusers ControlNetModel"]),
                (["--control", str(self.model / "control_other"), *image],
                 ["control_other", "cross_attention_dim is 48", "the model's 32"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", *arguments, says=words)

    def test_outputs(self):
        (self.folder / "mine.png").write_text("mine")
        self.refuses(TXT2IMG, "a cat", "-o", "mine.png", says=["mine.png", "--force"])
        self.refuses(TXT2IMG, "a cat", "-o", "mine.png/a.png", says=["mine.png"])
        self.refuses(TXT2IMG, "a cat", "-o", "/proc/a.png", says=["/proc/a.png"])
        self.refuses(TXT2IMG, "a cat", "--force", "-o", "/dev/full", says=["/dev/full"])
        self.refuses(TXT2IMG, "a cat", "-o", "a.bmp", says=["a.bmp", ".png"])
        for length in (300, 252):  # the longest name has 255 bytes
            self.refuses(TXT2IMG, "a cat", "-o", "a" * length + ".png", says=["output 'aaa", "File name too long"])
        self.makes(TXT2IMG, "a cat", "-o", "a" * 251 + ".png")
        self.assertEqual(self.files(), ["a" * 251 + ".png", "mine.png"])
        self.refuses(TXT2IMG, "a cat", "-o", "{name}.png", says=["{name}", "{seed}"])
        self.refuses(TXT2IMG, "a cat", "--save-latents", "mine.png", says=["mine.png"])

    def test_a_record_that_a_jpeg_cannot_hold_before_the_model_loads(self):
        long = "a cat, " * 3500  # in UTF-8 and UTF-16 73,500 bytes
        for name in ("a.jpg", "a.JPEG"):
            self.refuses(TXT2IMG, long, "-o", name, model="no-such-model",
                         says=[f"output '{name}'", "a JPEG holds 65533", ".png or .webp"])
        self.makes(TXT2IMG, long, "-o", "a.webp", "--prompt-syntax", "plain")

    def test_a_file_without_a_request(self):
        (self.folder / "plain.png").write_bytes(png(16, 16))
        self.refuses(TXT2IMG, "--from-image", "plain.png", says=["plain.png", "request"])
        self.refuses(TXT2IMG, "--from-image", "none.png", says=["none.png"])

    def test_a_full_disk(self):
        def small_files_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.refuses(TXT2IMG, "a cat", "--steps", "1", "--quiet", "-o", "a.png", code=1, says=["a.png"],
                     preexec_fn=small_files_only)

    def test_a_full_standard_output(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([TXT2IMG, "a cat", "-m", self.model, "--steps", "1", "-o", self.folder / "a.png"],
                                    stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"standard output", result.stderr)

if __name__ == "__main__":
    unittest.main()
