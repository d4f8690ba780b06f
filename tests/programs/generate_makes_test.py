"""What txt2img makes of a prompt and its options, with a small random model: pictures, their records and names."""

import json
import shutil
import signal
import struct
import subprocess
import time
import unittest

from generate_programs import (BUILD, ENVIRONMENT, TXT2IMG, Programs, chunks, decoded, pixels, unless_given, write_lora,
                               write_safetensors)


class Makes(Programs):
    def test_a_lora_in_the_prompt_is_that_of_the_command_line(self):
        (self.folder / "loras").mkdir()
        write_lora(self.folder / "loras" / "style.safetensors")
        self.makes(TXT2IMG, "a cat", "-s", "1", "--lora", "loras/style.safetensors:0.75", "-o", "option.png")
        self.makes(TXT2IMG, "a cat<lora:style:0.75>", "-s", "1", "-o", "tag.png")
        self.makes(TXT2IMG, "--from-image", "tag.png", "-o", "again.png")
        for name in ("tag.png", "again.png"):
            self.assertEqual(pixels(self.folder / name), pixels(self.folder / "option.png"))

    def test_a_lora_changes_the_image_and_is_made_again_from_its_record(self):
        write_lora(self.folder / "a.safetensors")
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", "plain.png")
        self.makes(TXT2IMG, "a cat", "-s", "1", "--lora", "a.safetensors:0", "-o", "none.png")
        self.makes(TXT2IMG, "--lora", "a.safetensors:0.5", "--lora", "a.safetensors:0.25", "a cat", "-s", "1",
                   "-o", "lora.png")
        self.makes(TXT2IMG, "--from-image", "lora.png", "-o", "again.png")
        self.assertEqual(pixels(self.folder / "none.png"), pixels(self.folder / "plain.png"))
        self.assertNotEqual(pixels(self.folder / "lora.png"), pixels(self.folder / "plain.png"))
        self.assertEqual(pixels(self.folder / "again.png"), pixels(self.folder / "lora.png"))

    def test_an_embeddings_word_in_the_prompt_counts(self):
        write_safetensors(self.folder / "sofa.safetensors",
                          {"emb_params": ([2, 32], [0.3 * (-1) ** i for i in range(64)])})
        self.makes(TXT2IMG, "a red sofa", "-s", "1", "-o", "plain.png")
        self.makes(TXT2IMG, "a red sofa", "-s", "1", "--embedding", "sofa.safetensors", "-o", "added.png")
        self.makes(TXT2IMG, "a red cat", "-s", "1", "-o", "cat.png")
        self.makes(TXT2IMG, "a red cat", "-s", "1", "--embedding", "sofa.safetensors", "-o", "cat-added.png")
        self.assertNotEqual(pixels(self.folder / "added.png"), pixels(self.folder / "plain.png"))
        self.assertEqual(pixels(self.folder / "cat-added.png"), pixels(self.folder / "cat.png"))

    def test_tiles_change_images_larger_than_one_and_are_made_again_from_the_record(self):
        for name, width, tiling in (("on", 576, "on"), ("off", 576, "off"), ("one", 512, "on"), ("whole", 512, "off")):
            self.makes(TXT2IMG, "a cat", "-s", "1", "-W", str(width), "-H", "32", "--vae-tiling", tiling,
                       "-o", f"{name}.png")
        self.makes(TXT2IMG, "--from-image", "on.png", "-o", "again.png")
        on, off, one, whole, again = (pixels(self.folder / f"{name}.png")
                                      for name in ("on", "off", "one", "whole", "again"))
        self.assertNotEqual(on, off)
        self.assertEqual(again, on)
        self.assertEqual(one, whole)

    def test_what_the_model_predicts_is_said_by_the_user_and_in_the_record(self):
        says = self.damaged_model()
        config = {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}
        (says / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", "plain.png")
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", "folder.png", model=says)
        self.makes(TXT2IMG, "a cat", "-s", "1", "--prediction", "v_prediction", "-o", "option.png")
        self.makes(TXT2IMG, "--from-image", "option.png", "-o", "again.png")
        plain, folder, option, again = (pixels(self.folder / f"{name}.png")
                                        for name in ("plain", "folder", "option", "again"))
        self.assertEqual([option, again], [folder, folder])
        self.assertNotEqual(plain, folder)

    def test_a_folder_of_a_kin_of_the_plain_pipeline_is_loaded_as_one(self):
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", "plain.png")
        model = self.damaged_model()
        index = json.loads((model / "model_index.json").read_text())
        for name, option in (("StableDiffusionControlNetPipeline", "--control"), ("StableDiffusionPAGPipeline", "--pag-scale"),
                             ("StableDiffusionSAGPipeline", "--sag-scale"), ("StableDiffusionPanoramaPipeline", "not supported"),
                             ("LatentConsistencyModelImg2ImgPipeline", None)):
            (model / "model_index.json").write_text(json.dumps(index | {"_class_name": name}))
            result = self.run_program(TXT2IMG, "a cat", "--steps", "2", "-s", "1", "-o", "b.png", "--force", model=model)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(pixels(self.folder / "b.png"), pixels(self.folder / "plain.png"))
            notes = [line for line in result.stderr.decode().splitlines() if "note: " in line]
            self.assertEqual(len(notes), option is not None, notes)
            if option:
                self.assertIn(name, notes[0])
                self.assertIn(option, notes[0])

    def test_an_image_under_a_free_name(self):
        first = self.makes(TXT2IMG, "a cat", "-s", "7")
        second = self.makes(TXT2IMG, "a cat", "-s", "7")
        self.assertEqual(self.files(), ["out/0001-7.png", "out/0002-7.png"])
        self.assertRegex(first, r"^out/0001-7\.png  seed 7  \d+\.\d\d s\n$")
        self.assertEqual(pixels(self.folder / "out/0001-7.png"), pixels(self.folder / "out/0002-7.png"))
        self.assertIn("0002", second)

    def test_a_random_seed_where_none_is_given(self):
        self.makes(TXT2IMG, "a cat")
        self.makes(TXT2IMG, "a cat")
        first, second = self.files()
        self.assertNotEqual(first.split("-")[1], second.split("-")[1])

    def test_names_by_pattern(self):
        self.makes(TXT2IMG, "a cat", "-s", "5", "-b", "2", "-o", "x/{index}_{seed}.png")
        self.makes(TXT2IMG, "a cat", "-s", "5", "-b", "2", "-o", "y.png")
        self.assertEqual(self.files(), ["x/1_5.png", "x/2_6.png", "y-1.png", "y-2.png"])

    def test_an_image_of_a_batch_is_that_of_its_seed(self):
        self.makes(TXT2IMG, "a cat", "-s", "5", "-b", "2", "-o", "{seed}.png")
        self.makes(TXT2IMG, "a cat", "-s", "6", "-o", "alone.png")
        self.assertEqual(pixels(self.folder / "6.png"), pixels(self.folder / "alone.png"))
        self.assertNotEqual(pixels(self.folder / "5.png"), pixels(self.folder / "6.png"))

    def test_images_made_at_once_are_those_made_one_by_one(self):
        arguments = ("a cat", "-s", "5", "-b", "5", "--eta", "0.5")
        self.makes(TXT2IMG, *arguments, "-o", "one-{seed}.png")
        result = json.loads(self.makes(TXT2IMG, *arguments, "--batch-size", "3", "--json", "-o", "batch-{seed}.png",
                                       "--save-latents", "l.safetensors"))
        self.assertEqual([image["seed"] for image in result["images"]], [5, 6, 7, 8, 9])
        self.assertEqual({image["request"]["batch_count"] for image in result["images"]}, {1})
        data = (self.folder / "l.safetensors").read_bytes()
        header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
        self.assertEqual(header["latents"]["shape"], [5, 4, 8, 8])
        for seed in range(5, 10):
            one, other = (b"".join(decoded(self.folder / f"{kind}-{seed}.png")) for kind in ("one", "batch"))
            # 50 dB, which rounding in another order stays far above; another seed's picture is below 30.
            error = sum((a - b) ** 2 for a, b in zip(one, other)) / len(one)
            self.assertLess(error, 255 ** 2 / 10 ** 5)
            self.assertEqual(chunks(self.folder / f"one-{seed}.png")[1:3], chunks(self.folder / f"batch-{seed}.png")[1:3])
        self.refuses(TXT2IMG, "a cat", "--batch-size", "0", says=["batch size 0"])

    def test_an_image_again_from_its_own_file(self):
        self.makes(TXT2IMG, "a cat", "-n", "a dog", "-s", "5", "-W", "40", "--cfg-scale", "3", "--eta", "0.5", "-o", "a.png")
        result = self.run_program(TXT2IMG, "--from-image", "a.png", "-o", "b.png", model=self.model)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(chunks(self.folder / "a.png"), chunks(self.folder / "b.png"))
        self.makes(TXT2IMG, "--from-image", "a.png", "-o", "c.png", "-s", "6")
        self.assertNotEqual(pixels(self.folder / "a.png"), pixels(self.folder / "c.png"))

    def test_metadata_that_other_programs_read(self):
        self.makes(TXT2IMG, "a café", "-n", "dogs", "-s", "5", "-o", "a.png")
        self.makes(TXT2IMG, "猫", "-s", "5", "-o", "b.png")
        texts = [data for kind, data in chunks(self.folder / "a.png") if kind == b"tEXt"]
        self.assertEqual(texts[0], "parameters\0a café\nNegative prompt: dogs\nSteps: 2, Sampler: DDIM, CFG scale: 7.5, "
                                   "Seed: 5, Size: 64x64, Model: model, RNG: CPU, Version: sfumato".encode("latin-1"))
        international = [data for kind, data in chunks(self.folder / "b.png") if kind == b"iTXt"]
        self.assertTrue(international[0].startswith("parameters\0\0\0\0\0猫\nSteps: 2".encode()))

    def test_json(self):
        result = json.loads(self.makes(TXT2IMG, "a cat", "-s", "5", "-b", "2", "--json", "-o", "{seed}.png"))
        self.assertEqual([image["path"] for image in result["images"]], ["5.png", "6.png"])
        self.assertEqual([image["seed"] for image in result["images"]], [5, 6])
        self.assertEqual(result["images"][0]["request"]["width"], 64)
        self.assertEqual((result["device"], result["dtype"]), ("cpu", "float32"))

    def test_prompts_from_standard_input_and_file(self):
        self.makes(TXT2IMG, "--prompts-file", "-", "-s", "1", "-o", "{index}.png", input=b"a cat\r\n\na sofa\n")
        (self.folder / "prompts.txt").write_bytes(b"\xef\xbb\xbfa cat\n \t\na sofa")  # with a byte-order mark
        self.makes(TXT2IMG, "--prompts-file", "prompts.txt", "-s", "1", "-o", "f{index}.png")
        self.assertEqual(self.files(), ["1.png", "2.png", "f1.png", "f2.png", "prompts.txt"])
        for picture in ("1.png", "2.png"):
            self.assertEqual(pixels(self.folder / picture), pixels(self.folder / f"f{picture}"))
        self.assertNotEqual(pixels(self.folder / "1.png"), pixels(self.folder / "2.png"))

    def test_prompts_with_weights_or_plain(self):
        picture = lambda *arguments: (self.makes(TXT2IMG, *arguments, "-s", "1", "--force", "-o", "p.png"),
                                      pixels(self.folder / "p.png"))[1]
        for prompt in ("a (cat:1.5)", "[a:cat:1]", "a AND cat", "cat BREAK cat"):
            self.assertNotEqual(picture(prompt), picture(prompt, "--prompt-syntax", "plain"), prompt)
        self.assertEqual(picture("a cat"), picture("a cat", "--prompt-syntax", "plain"))
        self.assertEqual(picture("a (cat:1.5)"), picture("a (cat:1.5)", "--prompt-syntax", "a1111"))
        self.assertNotEqual(picture("a (cat:1.5)"), picture("a cat"))

    def test_unusual_prompts(self):
        for prompt in ("", "猫坐在沙发上，(红色:1.2)", "?!:;()[]|", "\\"):
            result = self.run_program(TXT2IMG, "-p", prompt, "--steps", "1", "-o", "u.png", "--force")
            self.assertEqual((result.returncode, result.stderr), (0, b""), prompt[:40])
        result = self.run_program(TXT2IMG, "-p", "[cat|(sofa:" * 909, "--steps", "1", "-o", "u.png", "--force")
        self.assertEqual((result.returncode, result.stderr.count(b"\n")), (0, 1))  # 1.1^909 overflows
        self.assertIn(b"not finite", result.stderr)
        plain = self.run_program(TXT2IMG, "cat " * 30, "--prompt-syntax", "plain", "--steps", "1", "-o", "v.png")
        self.assertIn(b"left out", plain.stderr)

    def test_latents(self):
        self.makes(TXT2IMG, "a cat", "-b", "2", "-o", "{index}.png", "--save-latents", "l.safetensors")
        data = (self.folder / "l.safetensors").read_bytes()
        header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
        self.assertEqual((header["latents"]["dtype"], header["latents"]["shape"]), ("F32", [2, 4, 8, 8]))

    def test_force_overwrites(self):
        (self.folder / "a.png").write_text("mine")
        self.makes(TXT2IMG, "a cat", "--force", "-o", "a.png")
        self.assertEqual(chunks(self.folder / "a.png")[0][0], b"IHDR")

    def test_quiet(self):
        result = self.run_program(TXT2IMG, "a cat", "--steps", "2", "--quiet", "-o", "a.png")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))

    def test_kinds_of_guidance_and_random_numbers(self):
        """Each changes the picture, is recorded, and makes the same again from the record."""
        self.makes(TXT2IMG, "a cat", "-s", "5", "--cfg-scale", "3", "-o", "usual.png")
        subprocess.run([BUILD / "tests" / "random_model", self.folder / "clip", "clip"], check=True)
        shutil.copytree(self.model / "tokenizer", self.folder / "clip" / "tokenizer")
        changes = {"clip": ["--clip-guidance", "100", "--clip-model", "clip"],
                   "pag": ["--pag-scale", "3", "--pag-layers", "down_blocks.0"],
                   "adaptive": ["--pag-scale", "3", "--pag-adaptive-scale", "0.004", "--pag-layers", "down_blocks.0"],
                   "sag": ["--sag-scale", "2"],
                   "interval": ["--guidance-end", "0.5"], "late": ["--guidance-start", "0.5"],
                   "threshold": ["--dynamic-threshold", "0.9", "--dynamic-threshold-max", "1.5"],
                   "cfg++": ["--guidance", "cfg++", "--cfg-scale", "0.6"], "cuda": ["--rng", "cuda"]}
        seen = {pixels(self.folder / "usual.png")}
        for name, arguments in changes.items():
            guided = unless_given(arguments, "--cfg-scale", "3")
            self.makes(TXT2IMG, "a cat", "-s", "5", *guided, *arguments, "-o", f"{name}.png")
            self.makes(TXT2IMG, "--from-image", f"{name}.png", "-o", f"{name}_again.png")
            self.assertEqual(chunks(self.folder / f"{name}.png"), chunks(self.folder / f"{name}_again.png"))
            seen.add(pixels(self.folder / f"{name}.png"))
        self.assertEqual(len(seen), 1 + len(changes))

    def test_noise_of_a_brownian_motion(self):
        """By default where there is no other reference; the record says which, also where nobody asked."""
        said = lambda name: b"".join(data for _, data in chunks(self.folder / name)[1:3]).decode()
        for sampler, usual in (("dpm++sde", "brownian"), ("dpm++2m_sde", "generator"), ("dpm++3m_sde", "brownian")):
            made = {}
            for noise in ("", "generator", "brownian"):
                name = f"{sampler}_{noise}.png"
                arguments = ["-s", "5", "--sampler", sampler, *(["--noise", noise] if noise else [])]
                self.makes(TXT2IMG, "a cat", *arguments, "-o", name)
                self.assertIn(f'"noise":"{noise or usual}"', said(name))
                self.makes(TXT2IMG, "--from-image", name, "-o", f"again_{name}")
                self.assertEqual(chunks(self.folder / name), chunks(self.folder / f"again_{name}"))
                made[noise] = pixels(self.folder / name)
            self.assertEqual(made[""], made[usual])
            self.assertNotEqual(made["generator"], made["brownian"])
        self.makes(TXT2IMG, "a cat", "-s", "4", "-b", "2", "--sampler", "dpm++sde", "-o", "{index}.png")
        second, alone = decoded(self.folder / "2.png"), decoded(self.folder / "dpm++sde_brownian.png")
        self.assertLessEqual(max(abs(a - b) for row, other in zip(second, alone) for a, b in zip(row, other)), 1)
        self.makes(TXT2IMG, "a cat", "-s", "5", "--sampler", "euler_a", "-o", "euler.png")
        self.assertNotIn('"noise"', said("euler.png"))

    def test_a_second_pass_at_a_higher_resolution(self):
        for upscaler in ("latent", "lanczos"):
            self.makes(TXT2IMG, "a cat", "-s", "5", "-W", "40", "--hires-scale", "2", "--hires-steps", "3",
                       "--hires-upscaler", upscaler, "-o", f"{upscaler}.png")
            rows = decoded(self.folder / f"{upscaler}.png")
            self.assertEqual((len(rows), len(rows[0])), (128, 80 * 3))
            self.makes(TXT2IMG, "--from-image", f"{upscaler}.png", "--steps", "2", "-o", f"{upscaler}-again.png")
            self.assertEqual(pixels(self.folder / f"{upscaler}.png"), pixels(self.folder / f"{upscaler}-again.png"))
        text = chunks(self.folder / "lanczos.png")[1][1].decode()
        self.assertIn("Size: 40x64", text)
        self.assertIn("Denoising strength: 0.7, Hires upscale: 2, Hires steps: 3, Hires upscaler: Lanczos", text)
        self.makes(TXT2IMG, "a cat", "--hires-width", "96", "--hires-strength", "0", "-o", "b.png")
        self.assertEqual(len(decoded(self.folder / "b.png")), 96)

    def test_a_model_by_name(self):
        environment = {**ENVIRONMENT, "SFUMATO_MODELS": str(self.root)}
        result = subprocess.run([TXT2IMG, "a cat", "-m", "model", "--steps", "1", "-o", self.folder / "a.png"],
                                env=environment, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def ends_and_leaves_whole_files(self, number, code):
        process = subprocess.Popen([TXT2IMG, "a cat", "-m", self.model, "--device", "cpu", "--steps", "20", "-b", "5000",
                                    "-o", "{index}.png"], cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertIn(b"1.png", process.stdout.readline())
        process.send_signal(number)
        start = time.monotonic()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, code)
        self.assertLess(time.monotonic() - start, 20)
        for name in self.files():
            self.assertRegex(name, r"^\d+\.png$")
            self.assertEqual(chunks(self.folder / name)[-1][0], b"IEND")
            (self.folder / name).unlink()

    def test_ctrl_c_and_sigterm_end_it_and_leave_whole_files(self):
        self.ends_and_leaves_whole_files(signal.SIGINT, 130)
        self.ends_and_leaves_whole_files(signal.SIGTERM, 143)


if __name__ == "__main__":
    unittest.main()
