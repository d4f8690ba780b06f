"""What recurs in requests: random seeds, variations, choices in prompts, names and formats of files, records of other
programs, with a small random model."""

import hashlib
import json
import os
import signal
import struct
import subprocess
import time
import unittest
import zlib

from generate_programs import (ENVIRONMENT, IMG2IMG, INPAINT, TXT2IMG, Programs, chunks, decoded, pixels, png, write_lora,
                               write_safetensors)


class Options(Programs):
    def record(self, name):
        texts = dict(data.split(b"\0", 1) for kind, data in chunks(self.folder / name) if kind == b"tEXt")
        return json.loads(texts[b"sfumato"]), texts[b"parameters"].decode()

    def picture(self, *arguments):
        self.makes(TXT2IMG, "--force", "-o", "picture.png", *arguments)
        return pixels(self.folder / "picture.png")

    def test_a_negative_seed_is_a_random_one_that_is_printed_and_recorded(self):
        seeds = set()
        for seed in ("-1", "-1", "-12"):
            printed = self.makes(TXT2IMG, "a cat", "-s", seed, "-o", f"a{len(seeds)}.png")
            recorded = self.record(f"a{len(seeds)}.png")[0]["request"]["seed"]
            self.assertIn(f"  seed {recorded}  ", printed)
            seeds.add(recorded)
        self.assertEqual(len(seeds), 3)
        self.assertEqual(self.picture("a cat", "-s", str(self.record("a2.png")[0]["request"]["seed"])),
                         pixels(self.folder / "a2.png"))
        for wrong in ("-", "-1.5", "--1", "-a"):
            self.refuses(TXT2IMG, "a cat", f"--seed={wrong}", says=["seed"])

    def test_a_subseed_varies_an_image(self):
        plain, other = self.picture("a cat", "-s", "5"), self.picture("a cat", "-s", "9")
        self.assertEqual(self.picture("a cat", "-s", "5", "--subseed", "9", "--subseed-strength", "1"), other)
        varied = self.picture("a cat", "-s", "5", "--subseed", "9", "--subseed-strength", "0.2")
        self.assertNotIn(varied, (plain, other))
        self.assertIn("Variation seed: 9, Variation seed strength: 0.2", self.record("picture.png")[1])
        self.makes(TXT2IMG, "--from-image", "picture.png", "-o", "again.png")
        self.assertEqual(chunks(self.folder / "again.png"), chunks(self.folder / "picture.png"))
        self.makes(TXT2IMG, "a cat", "-s", "5", "--subseed", "8", "--subseed-strength", "0.2", "-b", "2", "-o", "b.png")
        self.assertEqual(pixels(self.folder / "b-2.png"), varied)
        self.assertEqual(self.record("b-2.png")[0]["request"]["seed"], 5)
        self.refuses(TXT2IMG, "a cat", "--subseed", "9", says=["--subseed-strength"])
        self.refuses(TXT2IMG, "a cat", "--subseed-strength", "1.5", says=["subseed strength 1.5"])

    def warned(self, *arguments, **options):
        result = self.run_program(TXT2IMG, "--steps", "2", "--force", "-o", "w.png", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return [line for line in result.stderr.decode().splitlines() if "warning" in line]

    def test_what_the_model_makes_nothing_of_is_a_warning(self):
        self.assertEqual(self.warned("a cat"), [])
        for option, text in (("--original-width", "original width 32"), ("--crop-left", "crop left 32")):
            self.assertEqual(self.warned("a cat", option, "32"),
                             [f"txt2img: warning: {text} has no effect with this model: Stable Diffusion XL takes sizes"])
        self.assertEqual(self.warned("a cat", "--sampler", "euler", "--eta", "0.5"),
                         ["txt2img: warning: eta 0.5 has no effect with the sampler euler: ddim and tcd have one"])
        self.assertEqual(self.warned("a cat", "--tf32"), ["txt2img: warning: --tf32 has no effect on cpu"])

    def test_a_size_that_is_rounded_is_a_warning(self):
        self.assertEqual(self.warned("a cat", "-W", "64", "-H", "64", "--hires-scale", "1.1", "--hires-strength", "0.1"),
                         ["txt2img: warning: the second pass's size 70x70 is rounded to 64x64: the VAE takes multiples of 8"])
        (self.folder / "i.png").write_bytes(png(37, 45))
        for program, more in ((IMG2IMG, []), (INPAINT, ["--mask", "i.png", "--mask-blur", "0", "--invert-mask"])):
            result = self.run_program(program, "a cat", "-i", "i.png", "--steps", "2", *more)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertIn("warning: the image's size 37x45 is rounded to 32x40: the VAE takes multiples of 8\n",
                          result.stderr.decode())
        result = self.run_program(IMG2IMG, "a cat", "-i", "i.png", "--steps", "2", "-W", "64", "-H", "32")
        self.assertNotIn("rounded", result.stderr.decode())

    def test_a_long_prompt_is_cut_in_the_warning_too(self):
        lines = self.warned("sofa " * 10000, "--prompt-syntax", "plain")
        self.assertEqual(len(lines), 1)
        self.assertIn("left out: \"sofa sofa", lines[0])
        self.assertIn("bytes in all)", lines[0])
        self.assertLess(len(lines[0]), 300)

    def test_the_seed_in_the_name_of_latents(self):
        self.makes(TXT2IMG, "a cat", "-s", "5", "-o", "a.png", "--save-latents", "l{seed}.safetensors")
        self.assertTrue((self.folder / "l5.safetensors").exists())
        self.refuses(TXT2IMG, "a cat", "--save-latents", "l{index}.safetensors", says=["'{index}' has no value here"])

    def test_quiet_json_is_the_json_alone(self):
        result = self.run_program(TXT2IMG, "a cat", "--steps", "2", "-o", "q.png", "--quiet", "--json", "--tf32")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual(json.loads(result.stdout)["images"][0]["path"], "q.png")

    def test_tiling_is_recorded_and_goes_without_tiles(self):
        plain = self.picture("a cat", "-s", "5")
        seamless = self.picture("a cat", "-s", "5", "--tiling")
        self.assertNotEqual(seamless, plain)
        self.assertIn(", Tiling: True", self.record("picture.png")[1])
        self.makes(TXT2IMG, "--from-image", "picture.png", "-o", "again.png")
        self.assertEqual(pixels(self.folder / "again.png"), seamless)
        self.makes(TXT2IMG, "--from-image", "picture.png", "--no-tiling", "-o", "without.png")
        self.assertEqual(pixels(self.folder / "without.png"), plain)
        self.refuses(TXT2IMG, "a cat", "--tiling", "--vae-tiling", "on", says=["vae tiling 'on'", "--tiling"])

    def test_choices_in_a_prompt_are_made_by_the_seed_and_recorded(self):
        (self.folder / "wildcards" / "things").mkdir(parents=True)
        (self.folder / "wildcards" / "animal.txt").write_text("# animals\ncat\r\n\n{big|small} dog\n")
        (self.folder / "wildcards" / "things" / "seat.txt").write_text("sofa\n")
        prompt = "a {red|0::green|2::blue} __animal__ on a __things/seat__"
        self.makes(TXT2IMG, prompt, "-s", "1", "-b", "12", "-n", "{a|b}", "-o", "a-{seed}.png", "--steps", "1")
        made = [self.record(f"a-{seed}.png")[0]["request"] for seed in range(1, 13)]
        prompts = {request["prompt"] for request in made}
        possible = {f"a {color} {animal} on a sofa" for color in ("red", "blue")
                    for animal in ("cat", "big dog", "small dog")}
        self.assertLessEqual(prompts, possible)
        self.assertGreater(len(prompts), 2)
        self.assertEqual({request["negative_prompt"] for request in made}, {"a", "b"})
        self.makes(TXT2IMG, prompt, "-s", "7", "-n", "{a|b}", "-o", "b.png", "--steps", "1")
        self.assertEqual(chunks(self.folder / "b.png"), chunks(self.folder / "a-7.png"))
        self.makes(TXT2IMG, "--from-image", "b.png", "-o", "c.png", "--steps", "1")
        self.assertEqual(chunks(self.folder / "c.png"), chunks(self.folder / "b.png"))

    def test_choices_that_cannot_be_made(self):
        (self.folder / "wildcards").mkdir()
        (self.folder / "wildcards" / "empty.txt").write_text("# nothing\n")
        (self.folder / "wildcards" / "loop.txt").write_text("__loop__\n")
        for prompt, words in [("a __bird__", ["__bird__", "no bird.txt in 'wildcards'"]), ("__empty__", ["empty.txt"]),
                              ("__loop__", ["name each other"]), ("a {2$$red|blue}", ["$$"]),
                              ("a {0::red|0::blue}", ["weight"])]:
            with self.subTest(prompt):
                self.refuses(TXT2IMG, prompt, says=words)
        self.makes(TXT2IMG, "a {cat} {on|a {sofa", "-o", "literal.png")
        self.assertEqual(self.record("literal.png")[0]["request"]["prompt"], "a {cat} {on|a {sofa")
        self.makes(TXT2IMG, "a {cat|dog}", "--prompt-syntax", "plain", "-o", "plain.png")
        self.assertEqual(self.record("plain.png")[0]["request"]["prompt"], "a {cat|dog}")

    def test_images_that_exist_are_left_out(self):
        (self.folder / "prompts.txt").write_text("a cat\na dog\na sofa\n")
        arguments = ["--prompts-file", "prompts.txt", "-s", "5", "-b", "2"]
        self.makes(TXT2IMG, *arguments, "-o", "all-{index}.png")
        for index in (1, 4):
            (self.folder / f"some-{index}.png").write_text("mine")
        printed = self.makes(TXT2IMG, *arguments, "--skip-existing", "--batch-size", "2", "-o", "some-{index}.png")
        self.assertEqual(len(printed.splitlines()), 4)
        for index in range(1, 7):
            if index in (1, 4):
                self.assertEqual((self.folder / f"some-{index}.png").read_text(), "mine")
            else:
                self.assertEqual(self.record(f"some-{index}.png"), self.record(f"all-{index}.png"))
        result = self.run_program(TXT2IMG, *arguments, "--skip-existing", "-o", "some-{index}.png", model="no model")
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.assertIn(b"all pictures exist already", result.stderr)
        self.refuses(TXT2IMG, "a cat", "--skip-existing", says=["-o"])
        self.refuses(TXT2IMG, "a cat", "--skip-existing", "-o", "a-{seed}.png", says=["{seed}", "-s"])
        self.refuses(TXT2IMG, "a cat", "--skip-existing", "--force", "-o", "a.png", says=["expected one of them"])

    def test_jpeg_and_webp_hold_the_record(self):
        prompt = "a café: one cat, on (a sofa:1.2) 猫🐈"
        self.makes(TXT2IMG, prompt, "-s", "5", "-o", "a.png")
        for name, start in (("a.jpg", b"\xff\xd8\xff\xe1"), ("a.JPEG", b"\xff\xd8\xff\xe1"), ("a.webp", b"RIFF")):
            self.makes(TXT2IMG, prompt, "-s", "5", "-o", name)
            self.assertTrue((self.folder / name).read_bytes().startswith(start), name)
            self.makes(TXT2IMG, "--from-image", name, "-o", f"of-{name}.png")
            self.assertEqual(chunks(self.folder / f"of-{name}.png"), chunks(self.folder / "a.png"))
        sizes = []
        for quality in ("10", "95"):
            self.makes(TXT2IMG, "a cat", "-W", "128", "--quality", quality, "--force", "-o", "q.jpg")
            sizes.append((self.folder / "q.jpg").stat().st_size)
        self.assertLess(sizes[0], sizes[1])
        self.makes(TXT2IMG, "a cat", "-b", "2", "-o", "b.webp")
        self.assertTrue((self.folder / "b-2.webp").exists())
        self.refuses(TXT2IMG, "a cat", "-o", "c.tiff", says=["c.tiff", ".png, .jpg, .jpeg or .webp"])
        self.refuses(TXT2IMG, "a cat", "-o", "c.png", "--quality", "50", says=["--quality"])
        self.refuses(TXT2IMG, "a cat", "-o", "c.jpg", "--quality", "0", says=["quality 0", "1 to 100"])

    def test_paths_and_prompts_that_are_no_utf8(self):
        os.mkdir(os.fsencode(self.folder) + b"/caf\xe9")
        name = b"caf\xe9/i.png"
        with open(os.path.join(os.fsencode(self.folder), name), "wb") as file:
            file.write(png(16, 16))
        self.refuses(IMG2IMG, "a cat", "-i", name, says=["image '", "UTF-8"])
        self.refuses(TXT2IMG, "a cat", "--vae", b"caf\xe9", says=["vae '", "UTF-8"])
        self.refuses(TXT2IMG, "a cat", "--lora", b"caf\xe9.safetensors", says=["lora '", "UTF-8"])
        self.refuses(TXT2IMG, "a cat", model=b"caf\xe9", says=["model '", "UTF-8"])
        self.refuses(TXT2IMG, b"caf\xe9", says=["prompt: ", "UTF-8"])
        (self.folder / "prompts.txt").write_bytes(b"a cat\ncaf\xe9\n")
        self.refuses(TXT2IMG, "--prompts-file", "prompts.txt", says=["prompts.txt", "prompt 2", "UTF-8"])
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", b"caf\xe9/a.png")
        self.makes(TXT2IMG, "a cat", "-s", "1", "-o", "b.png", "--json")
        with open(os.path.join(os.fsencode(self.folder), b"caf\xe9/a.png"), "rb") as file:
            self.assertEqual(file.read(), (self.folder / "b.png").read_bytes())

    def preview_of_an_interrupted_run(self, *arguments):
        command = [TXT2IMG, "-m", self.model, "--device", "cpu", "a cat", "-s", "1", "-H", "48", "-o", "a.png", "--force"]
        process = subprocess.Popen([*command, "--steps", "900", "--preview-every", "3", *arguments], cwd=self.folder,
                                   env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(600):
            if (self.folder / "a.preview.png").exists():
                break
            time.sleep(0.1)
        rows = decoded(self.folder / "a.preview.png")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual((len(rows), len(rows[0])), (48, 64 * 3))
        self.assertEqual(self.files(), [])  # the same command runs again without --force
        return rows

    def test_previews_until_the_image_is_there(self):
        rows = self.preview_of_an_interrupted_run()
        self.assertEqual(rows[0], rows[1])  # a latent pixel is a square of one colour
        rows = self.preview_of_an_interrupted_run("--preview-vae", self.model)
        self.assertNotEqual(rows[0], rows[1])
        self.refuses(TXT2IMG, "a cat", "--preview-vae", self.model, says=["--preview-vae", "--preview-every"])
        self.refuses(TXT2IMG, "a cat", "--preview-every", "1", "--preview-vae", "no-vae", says=["no-vae"])
        (self.folder / "a.preview.png").write_text("mine")
        self.refuses(TXT2IMG, "a cat", "-o", "a.png", "--preview-every", "1", says=["a.preview.png", "--force"])
        self.refuses(TXT2IMG, "a cat", "-o", "b.png", "--preview-every", "-1", says=["preview every -1"])
        self.assertEqual(self.picture("a cat", "-s", "1", "--preview-every", "1"), self.picture("a cat", "-s", "1"))
        self.assertEqual(self.files(), ["a.preview.png", "picture.png"])

    def test_an_animation_shows_the_reverse_process_of_all_images(self):
        self.makes(TXT2IMG, "a cat", "-s", "1", "-b", "2", "--animate", "a.gif", "--frames", "2", "-o", "{index}.png")
        data = (self.folder / "a.gif").read_bytes()
        self.assertEqual(data[:6], b"GIF89a")
        width, height = struct.unpack("<HH", data[6:10])
        rows = decoded(self.folder / "1.png")
        self.assertGreaterEqual(height, len(rows))
        self.assertGreaterEqual(width, 4 * len(rows[0]) // 3)  # two grids of two pictures side by side
        self.assertEqual(data.count(b"\x21\xf9\x04"), 3)  # a control block a frame: two, and the pictures
        plain = self.picture("a cat", "-s", "1")
        self.assertEqual(pixels(self.folder / "1.png"), plain)
        for arguments, says in ((["--animate", "a.png"], ["a.png", ".gif"]), (["--frames", "3"], ["--frames", "--animate"]),
                                (["--animate", "b.gif", "--frames", "0"], ["frames 0"]),
                                (["--animate", "a.gif"], ["a.gif", "--force"])):
            self.refuses(TXT2IMG, "a cat", "-o", "c.png", *arguments, says=says)
        self.refuses(INPAINT, "a cat", "-i", "1.png", "--mask", "1.png", "--animate", "b.gif", says=["--animate"])

    def test_parameters_name_loras_and_embeddings(self):
        (self.folder / "loras").mkdir()
        write_lora(self.folder / "loras" / "style.safetensors")
        write_safetensors(self.folder / "sofa.safetensors", {"emb_params": ([1, 32], [0.3] * 32)})
        self.makes(TXT2IMG, "a cat on a sofa", "--lora", "loras/style.safetensors:0.5:0.75", "--embedding",
                   "sofa.safetensors", "-s", "1", "-o", "a.png")
        parameters = self.record("a.png")[1]
        self.assertTrue(parameters.startswith("a cat on a sofa <lora:style:0.5:0.75>\n"), parameters)
        # Of the LoRA without its header, as the web UI takes it: hashlib.sha256(file[8 + header:]).hexdigest()[:12].
        lora, embedding = ((self.folder / name).read_bytes() for name in ("loras/style.safetensors", "sofa.safetensors"))
        short = lambda data: hashlib.sha256(data).hexdigest()[:12]
        self.assertIn(f'Lora hashes: "style: {short(lora[8 + struct.unpack("<Q", lora[:8])[0]:])}", '
                      f'TI hashes: "sofa: {short(embedding)}"', parameters)
        self.makes(TXT2IMG, "a cat on a sofa <lora:style:0.5:0.75>", "--embedding", "sofa.safetensors", "-s", "1",
                   "-o", "b.png")
        self.assertEqual(self.record("b.png")[1], parameters)

    def test_an_image_of_another_program(self):
        def chunk(keyword, text):
            data = b"tEXt" + keyword + b"\0" + text.encode("latin-1")
            return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
        whole = png(16, 16)
        text = ("a cat\nNegative prompt: a dog\nSteps: 2, Sampler: Euler a, CFG scale: 4, Seed: 5, Size: 64x48, "
                "RNG: CPU, ENSD: 31337, Version: v1.9.4")
        (self.folder / "theirs.png").write_bytes(whole[:33] + chunk(b"parameters", text) + whole[33:])
        result = self.run_program(TXT2IMG, "--from-image", "theirs.png", "-o", "a.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"made by AUTOMATIC1111's web UI", result.stderr)
        self.assertIn(b"not taken over: ENSD: 31337\n", result.stderr)
        self.makes(TXT2IMG, "a cat", "-n", "a dog", "--sampler", "euler_a", "--cfg-scale", "4", "-s", "5", "-W", "64",
                   "-H", "48", "-o", "b.png")
        self.assertEqual(pixels(self.folder / "a.png"), pixels(self.folder / "b.png"))
        (self.folder / "theirs.png").write_bytes(whole[:33] + chunk(b"parameters", text.replace("RNG", "Model: gone, RNG"))
                                                 + whole[33:])
        result = self.run_program(TXT2IMG, "--from-image", "theirs.png", "-o", "c.png", "--quiet")
        self.assertEqual(result.returncode, 0, "-m names a model")


if __name__ == "__main__":
    unittest.main()
