"""sample, diffuse and invert as a user runs them, on small random models: files, records, exit codes and messages."""

import json
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from generate_programs import BUILD, ENVIRONMENT, TXT2IMG, Programs, chunks, decoded, pixels, png, png_of, write_model

SAMPLE, DIFFUSE, INVERT = (BUILD / "tools" / name for name in ("sample", "diffuse", "invert"))


def write_unconditional(folder, kind, pipeline="DDPMPipeline", scheduler="DDPMScheduler", **config):
    subprocess.run([BUILD / "tests" / "random_model", folder, kind], check=True)
    (folder / "scheduler").mkdir()
    settings = {"_class_name": scheduler, "num_train_timesteps": 100, **config}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", scheduler]}
    if kind == "latents":
        index["vqvae"] = ["diffusers", "VQModel"]
    (folder / "model_index.json").write_text(json.dumps(index))


def size(path):
    header = dict(chunks(path))[b"IHDR"]
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")


def record(path):
    """The JSON of the text chunk sfumato, and the text of parameters."""
    texts = dict(data.split(b"\0", 1) for kind, data in chunks(path) if kind == b"tEXt")
    return json.loads(texts[b"sfumato"]), texts.get(b"parameters", b"").decode()


def picture(path, width=16, height=16):
    rows = [bytes((x * 15 % 256, y * 13 % 256, 99)[c] for x in range(width) for c in range(3)) for y in range(height)]
    path.write_bytes(png_of(width, height, 2, 8, rows))
    return path


class Unconditional(Programs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text_model = cls.model
        cls.model = cls.root / "ddpm"
        write_unconditional(cls.model, "pixels")
        cls.classes, cls.latents = cls.root / "classes", cls.root / "ldm"
        write_unconditional(cls.classes, "classes", "DDIMPipeline", "DDIMScheduler")
        write_unconditional(cls.latents, "latents", "LDMPipeline", "DDIMScheduler", clip_sample=False)

    def runs(self, program, *arguments, **options):
        result = self.run_program(program, *map(str, arguments), **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def diffuses(self, *arguments):
        result = subprocess.run([DIFFUSE, *map(str, arguments)], cwd=self.folder, env=ENVIRONMENT, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()


class Samples(Unconditional):
    def test_folders_of_continuous_processes(self):
        pictures = []
        for name, config in (("EDMDPMSolverMultistepScheduler", {}), ("IPNDMScheduler", {}),
                             ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
                             ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True})):
            model = self.folder / f"model{len(pictures)}"
            write_unconditional(model, "pixels", scheduler=name, **config)
            self.runs(SAMPLE, "-s", "7", "--steps", "4", "-o", f"{len(pictures)}.png", model=model)
            pictures.append(pixels(self.folder / f"{len(pictures)}.png"))
            self.refuses(SAMPLE, "--sampler", "tcd", model=model, says=["sampler is 'tcd'"])
        self.assertEqual(len(set(map(bytes, pictures))), 4)
        self.refuses(SAMPLE, "--sampler", "heun", model=model, says=["sampler is 'heun'", "alpha = 0"])
        self.refuses(SAMPLE, "--sampler", "ddim", "--skip-type", "quadratic", model=model,
                     says=["FlowMatchEulerDiscreteScheduler", "numbered timesteps"])
        write_unconditional(self.folder / "shifted", "pixels", scheduler="FlowMatchEulerDiscreteScheduler",
                            use_dynamic_shifting=True)
        self.refuses(SAMPLE, model=self.folder / "shifted", says=["'use_dynamic_shifting' is true"])

    def test_images_and_their_grid_under_free_names(self):
        said = self.runs(SAMPLE, "-n", "3", "-s", "7", "--steps", "4")
        self.assertEqual(self.files(), ["out/0001-7.png", "out/0001-grid.png", "out/0002-8.png", "out/0003-9.png"])
        self.assertRegex(said, r"^out/0001-7\.png  seed 7  \d+\.\d\d s\n")
        self.assertEqual(size(self.folder / "out/0001-7.png"), (16, 16))
        self.assertEqual(size(self.folder / "out/0001-grid.png"), (34, 34))
        self.runs(SAMPLE, "-s", "7", "--steps", "4")
        self.assertIn("out/0004-7.png", self.files())

    def test_one_seed_is_one_image_at_any_batch_size(self):
        self.runs(SAMPLE, "-n", "5", "-s", "3", "--steps", "6", "--batch-size", "5", "-o", "a{seed}.png", "--no-grid")
        self.runs(SAMPLE, "-n", "5", "-s", "3", "--steps", "6", "--batch-size", "2", "-o", "b{seed}.png", "--no-grid")
        self.runs(SAMPLE, "-s", "6", "--steps", "6", "-o", "c{seed}.png")
        for seed in range(3, 8):
            self.assertEqual(decoded(self.folder / f"a{seed}.png"), decoded(self.folder / f"b{seed}.png"))
        self.assertEqual(decoded(self.folder / "c6.png"), decoded(self.folder / "a6.png"))

    def test_the_record_holds_what_was_resolved(self):
        self.runs(SAMPLE, "-s", "5", "--steps", "4", "--variance", "fixed_large", "-o", "a.png")
        said, parameters = record(self.folder / "a.png")
        self.assertEqual(said["program"], "sample")
        self.assertEqual(said["sample"], {"sampler": "ddpm", "seed": 5, "steps": 4, "skip_type": "uniform",
                                          "variance": "fixed_large"})
        self.assertEqual(said["model"], str(self.model))
        self.runs(SAMPLE, "-s", "5", "-n", "2", "--compare-steps", "2,3", "-o", "b.png")
        self.assertEqual(record(self.folder / "b.png")[0]["sample"]["compare_steps"], [2, 3])
        self.assertRegex(parameters, "^Steps: 4, Sampler: DDPM, Seed: 5, Size: 16x16, Model: ddpm, ")

    def test_every_option_of_the_chain_counts(self):
        self.runs(SAMPLE, "-s", "1", "--steps", "5", "-o", "plain.png")
        for name, options in (("steps", ["--steps", "6"]), ("ddim", ["--steps", "5", "--sampler", "ddim"]),
                              ("eta", ["--steps", "5", "--sampler", "ddim", "--eta", "0.7"]),
                              ("quadratic", ["--steps", "5", "--skip-type", "quadratic"]),
                              ("respaced", ["--respacing", "3,2"]), ("solver", ["--steps", "5", "--sampler", "dpm++2m"]),
                              ("variance", ["--steps", "5", "--variance", "fixed_large"])):
            self.runs(SAMPLE, "-s", "1", "-o", f"{name}.png", *options)
        images = [pixels(self.folder / name) for name in self.files()]
        self.assertEqual(len(set(images)), 8)

    def test_classes_in_turn_or_the_one_asked_for(self):
        self.runs(SAMPLE, "-n", "3", "-s", "1", "--steps", "3", "-o", "a{index}.png", "--no-grid", model=self.classes)
        self.assertEqual([record(self.folder / f"a{k}.png")[0]["sample"]["class"] for k in (1, 2, 3)], [0, 1, 2])
        self.runs(SAMPLE, "-s", "2", "--steps", "3", "-o", "b.png", "--class", "1", model=self.classes)
        self.runs(SAMPLE, "-s", "2", "--steps", "3", "-o", "c.png", "--class", "4", model=self.classes)
        self.assertEqual(decoded(self.folder / "b.png"), decoded(self.folder / "a2.png"))
        self.assertNotEqual(decoded(self.folder / "c.png"), decoded(self.folder / "b.png"))

    def test_all_classes_are_those_without_the_one_for_none(self):
        model = self.folder / "dropout"
        shutil.copytree(self.classes, model)
        config = json.loads((model / "unet" / "config.json").read_text())
        (model / "unet" / "config.json").write_text(json.dumps(config | {"_none_class": 2}))
        self.runs(SAMPLE, "-n", "5", "-s", "1", "--steps", "2", "-o", "a{index}.png", "--no-grid", model=model)
        self.assertEqual([record(self.folder / f"a{k}.png")[0]["sample"]["class"] for k in range(1, 6)], [0, 1, 3, 4, 0])
        self.runs(SAMPLE, "-s", "1", "--steps", "2", "-o", "none.png", "--class", "2", model=model)
        (model / "unet" / "config.json").write_text(json.dumps(config | {"_none_class": 5}))
        self.refuses(SAMPLE, model=model, says=["_none_class is 5", "less than num_class_embeds, 5"])

    def test_the_seed_in_names_of_grids_strips_and_animations(self):
        self.runs(SAMPLE, "-n", "2", "-s", "7", "--steps", "2", "--only-grid", "--grid", "g{seed}.png")
        self.runs(SAMPLE, "-n", "2", "-s", "7", "--compare-steps", "2,3", "-o", "c{seed}.png")
        self.runs(SAMPLE, "-s", "7", "--steps", "2", "--animate", "a{seed}.gif", "-o", "i{seed}-{index}.png")
        self.assertEqual(self.files(), ["a7.gif", "c7.png", "g7.png", "i7-1.png"])
        for arguments in (["-n", "2", "--grid", "{index}.png"], ["--animate", "{index}.gif"],
                          ["--compare-steps", "2", "-o", "{index}.png"], ["--interpolate", "3", "-o", "{name}.png"]):
            with self.subTest(arguments):
                self.refuses(SAMPLE, *arguments, says=["has no value here: expected {seed} or a plain name"])

    def test_latents_are_decoded(self):
        self.runs(SAMPLE, "-s", "1", "--steps", "3", "-o", "a.png", model=self.latents)
        self.assertEqual(size(self.folder / "a.png"), (32, 32))

    def test_a_grid_alone_in_columns(self):
        self.runs(SAMPLE, "-n", "6", "--steps", "2", "--grid", "g.png", "--only-grid", "--columns", "6")
        self.assertEqual(self.files(), ["g.png"])
        self.assertEqual(size(self.folder / "g.png"), (6 * 18 - 2, 16))

    def test_strips_between_two_seeds_and_over_numbers_of_steps(self):
        self.runs(SAMPLE, "--interpolate", "9", "-s", "1", "--sampler", "ddim", "--steps", "3", "-n", "4", "-o", "i.png")
        self.runs(SAMPLE, "-s", "9", "--sampler", "ddim", "--steps", "3", "-o", "end.png")
        self.runs(SAMPLE, "--compare-steps", "2,3,5", "-n", "2", "-s", "9", "--sampler", "ddim", "-o", "c.png")
        self.assertEqual(size(self.folder / "i.png"), (4 * 18 - 2, 16))
        self.assertEqual(size(self.folder / "c.png"), (3 * 18 - 2, 34))
        end = decoded(self.folder / "end.png")
        self.assertEqual([row[-48:] for row in decoded(self.folder / "i.png")], end)
        self.assertEqual([row[18 * 3:34 * 3] for row in decoded(self.folder / "c.png")[:16]], end)

    def test_animations(self):
        for name, begins in (("a.gif", b"GIF89a"), ("a.webp", b"RIFF"), ("a.mp4", b"\0\0\0")):
            self.runs(SAMPLE, "-n", "2", "-s", "1", "--steps", "10", "--animate", name, "--frames", "5", "--no-grid",
                      "--batch-size", "1", "-o", name + "{seed}.png")
            self.assertTrue((self.folder / name).read_bytes().startswith(begins))
        self.assertEqual((self.folder / "a.gif").read_bytes().count(b"\x21\xf9\x04"), 6)

    def test_ctrl_c_leaves_whole_files_or_none(self):
        process = subprocess.Popen([SAMPLE, "-m", self.model, "-n", "400", "--batch-size", "1", "--steps", "100",
                                    "--animate", "a.gif", "--device", "cpu"], cwd=self.folder, env=ENVIRONMENT,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(self.files())
        for name in self.files():
            self.assertRegex(name, r"^out/\d{4}-\d+\.png$")
            self.assertEqual(chunks(self.folder / name)[-1][0], b"IEND")

    def test_what_is_refused(self):
        for arguments, says in (
                (["--steps", "0"], ["--steps 0", "at least 1"]), (["-n", "0"], ["-n 0"]),
                (["--steps", "101"], ["101", "100"]), (["--eta", "2", "--sampler", "ddim"], ["--eta '2'", "0 to 1"]),
                (["--eta", "0.5"], ["eta", "ddpm"]), (["--sampler", "lcm"], ["'lcm'", "ddim, ddpm"]),
                (["--skip-type", "cubic"], ["'cubic'", "quadratic"]), (["--respacing", "x"], ["'x'"]),
                (["--steps", "3", "--respacing", "5"], ["respacing", "steps"]),
                (["--variance", "learned_range"], ["learned_range", "no variance"]),
                (["--class", "1"], ["class '1'", "no classes"]), (["--animate", "a.avi"], ["a.avi", ".gif"]),
                (["--frames", "3"], ["--frames", "--animate"]), (["-o", "a.bmp"], ["a.bmp", ".png"]),
                (["--interpolate", "3", "--compare-steps", "3"], ["one of them"]),
                (["--interpolate", "3", "-n", "1"], ["at least 2"]), (["--compare-steps", "3,0"], ["at least 1"]),
                (["--grid", "a.png", "--no-grid"], ["--no-grid"]), (["--batch-size", "0"], ["--batch-size 0"]),
                (["--prompt", "a cat"], ["unknown option '--prompt'"]),
                (["--steps", "4", "--seed", "x"], ["x"])):
            with self.subTest(arguments):
                self.refuses(SAMPLE, *arguments, says=says)
        self.refuses(SAMPLE, "--class", "5", model=self.classes, says=["class '5'", "0 to 4"])
        self.refuses(SAMPLE, "--class", "0,1,2", "-n", "2", model=self.classes,
                     says=["class '0,1,2' names 3 classes for 2 images"])
        self.refuses(SAMPLE, "--class", "0,1", "--interpolate", "3", model=self.classes, says=["2 classes for 1 image"])
        self.runs(SAMPLE, "--steps", "2", "-o", "a.png")
        self.refuses(SAMPLE, "--steps", "2", "-o", "a.png", says=["a.png", "--force"])

    def test_folders_that_are_none_or_of_another_kind(self):
        self.refuses(SAMPLE, model=self.folder / "none", says=["none", "no such folder"])
        self.refuses(SAMPLE, model=self.text_model, says=["StableDiffusionPipeline", "txt2img"])
        self.refuses(TXT2IMG, "a cat", says=["DDPMPipeline", "use sample"])
        unknown = self.folder / "unknown"
        unknown.mkdir()
        (unknown / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
        self.refuses(SAMPLE, model=unknown, says=["FluxPipeline", "sample runs DDPMPipeline", "txt2img", "StableDiffusionPipeline"])
        for name, data, says in (("p.png", png(16, 16), "the file is a PNG picture: expected the folder"),
                                 ("m.safetensors", b"\x02\0\0\0\0\0\0\0{}", "txt2img, img2img and inpaint run")):
            (self.folder / name).write_bytes(data)
            self.refuses(SAMPLE, model=self.folder / name, says=[name, says])
        result = subprocess.run([BUILD / "tools" / "convert", self.model, self.folder / "out"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1), result.stderr)
        self.assertIn("it is a DDPMPipeline, which sample runs: convert takes Stable Diffusion alone", result.stderr)
        damaged = self.damaged_model()
        (damaged / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        self.refuses(SAMPLE, model=damaged, says=["unet"])

    def test_an_image_of_sample_is_no_request_for_txt2img(self):
        self.runs(SAMPLE, "--steps", "2", "-o", "a.png")
        self.refuses(TXT2IMG, "--from-image", "a.png", model=self.text_model, says=["a.png", "sample"])


class Diffuses(Unconditional):
    def test_a_strip_from_the_image_to_noise(self):
        picture(self.folder / "p.png")
        self.diffuses("p.png", "-o", "s.png", "-s", "1")
        self.assertEqual(size(self.folder / "s.png"), (12 * 18 - 2, 16))
        original, strip = decoded(self.folder / "p.png"), decoded(self.folder / "s.png")
        error = lambda k: sum(abs(a - b) for row, whole in zip(strip, original)
                              for a, b in zip(row[k * 54:k * 54 + 48], whole)) / 768
        # At t = 0 the noise has a standard deviation of 0.01 of [-1, 1]: about 1.
        self.assertLess(error(0), 3)
        self.assertGreater(error(3), error(0))
        self.assertGreater(error(11), 40)
        self.assertEqual(record(self.folder / "s.png")[0]["seed"], 1)

    def test_schedules_timesteps_and_sizes_count(self):
        picture(self.folder / "p.png")
        for name, options in (("linear", []), ("cosine", ["--beta-schedule", "cosine"]),
                              ("scaled", ["--beta-schedule", "scaled_linear"]), ("start", ["--beta-start", "0.01"]),
                              ("end", ["--beta-end", "0.3"]), ("short", ["--num-train-timesteps", "301"]),
                              ("model", ["-m", self.latents, "--num-train-timesteps", "400"])):
            self.diffuses("p.png", "-o", f"{name}.png", "-s", "1", "--timesteps", "0,300", *options)
        images = [pixels(self.folder / name) for name in self.files() if name != "p.png"]
        self.assertEqual(len(set(images)), 7)
        self.diffuses("p.png", "-o", "s.png", "-W", "8", "-H", "10", "--timesteps", "0,1,2", "--columns", "2")
        self.assertEqual(size(self.folder / "s.png"), (18, 22))

    def test_the_seed_in_its_name(self):
        picture(self.folder / "p.png")
        self.assertEqual(self.diffuses("p.png", "-o", "s{seed}.png", "-s", "3"), "s3.png  seed 3\n")
        self.assertTrue((self.folder / "s3.png").exists())

    def test_in_the_latents_of_any_system(self):
        picture(self.folder / "p.png", 40, 35)
        command = [DIFFUSE, "p.png", "-o", "s.png", "-m", self.text_model, "--timesteps", "0,999"]
        result = subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, "diffuse: warning: the image's size 40x35 is rounded to "
                                                                 "40x32: the model takes multiples of 8\n"))
        self.assertEqual(size(self.folder / "s.png"), (2 * 42 - 2, 32))

    def test_what_is_refused(self):
        picture(self.folder / "p.png")
        for arguments, says in ((["p.png"], ["no output"]), (["-o", "s.png"], ["no image"]),
                                (["none.png", "-o", "s.png"], ["none.png"]), (["p.png", "-o", "s.gif"], ["s.gif"]),
                                (["p.png", "-o", "s.png", "--timesteps", "0,1000"], ["1000", "0 to 999"]),
                                (["p.png", "-o", "s.png", "--timesteps", "0,a"], ["'0,a'"]),
                                (["p.png", "-o", "s.png", "--beta-schedule", "square"], ["square", "cosine"]),
                                (["p.png", "-o", "s.png", "--beta-schedule", "cosine", "--beta-end", "0.1"], ["cosine"]),
                                (["p.png", "-o", "s.png", "--beta-end", "1.5"], ["beta_end"]),
                                (["p.png", "-o", "s.png", "-W", "0"], ["--width 0"]),
                                (["p.png", "-o", "s.png", "-W", "5000"], ["5000x", "at most 2048"]),
                                (["p.png", "-o", "p.png"], ["p.png", "--force"]),
                                (["p.png", "-o", "{index}.png"], ["'{index}' has no value here"]),
                                (["p.png", "-o", "s.png", "-m", "none"], ["none"])):
            with self.subTest(arguments):
                before = self.files()
                result = subprocess.run([DIFFUSE, *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True)
                message = result.stderr.decode()
                self.assertEqual(result.returncode, 2, message)
                self.assertEqual(message.count("\n"), 1, message)
                for word in says:
                    self.assertIn(word, message)
                self.assertEqual(self.files(), before)


class Inverts(Unconditional):
    def test_an_image_its_noise_and_the_image_again(self):
        picture(self.folder / "p.png", 20, 20)
        said = self.runs(INVERT, "p.png", "-o", "s.png", "--steps", "50", "--save-noise", "n.safetensors")
        self.assertRegex(said, r"^s\.png  round trip \d+\.\d\d dB\n$")
        self.assertEqual(size(self.folder / "s.png"), (3 * 18 - 2, 16))
        self.assertTrue((self.folder / "n.safetensors").exists())

    def test_with_a_text_model_under_one_prompt_and_back_under_another(self):
        picture(self.folder / "p.png", 35, 35)
        options = ["p.png", "--prompt", "a cat", "--steps", "4"]
        self.runs(INVERT, *options, "-o", "same.png", model=self.text_model)
        self.runs(INVERT, *options, "-o", "sofa.png", "--edit-prompt", "a red sofa", model=self.text_model)
        self.runs(INVERT, *options, "-o", "guided.png", "--edit-prompt", "a red sofa", "--guidance", "4",
                  model=self.text_model)
        self.assertEqual(size(self.folder / "same.png"), (2 * 34 - 2, 32))
        self.assertEqual(len({pixels(self.folder / name) for name in ("same.png", "sofa.png", "guided.png")}), 3)

    def test_under_another_class(self):
        picture(self.folder / "p.png")
        self.runs(INVERT, "p.png", "-o", "a.png", "--steps", "4", "--class", "1", model=self.classes)
        self.runs(INVERT, "p.png", "-o", "b.png", "--steps", "4", "--class", "1", "--edit-class", "2", model=self.classes)
        self.assertNotEqual(pixels(self.folder / "a.png"), pixels(self.folder / "b.png"))

    def test_strips(self):
        picture(self.folder / "p.png")
        (self.folder / "q.png").write_bytes(png(30, 20))
        for model, side in ((self.model, 16), (self.latents, 32)):
            self.runs(INVERT, "p.png", "-o", "i.png", "--interpolate", "q.png", "-n", "4", "--steps", "3", "--force",
                      model=model)
            self.runs(INVERT, "p.png", "-o", "c.png", "--compare-steps", "2,3,5", "--steps", "3", "--force", model=model)
            for name in ("i.png", "c.png"):
                self.assertEqual(size(self.folder / name), (4 * (side + 2) - 2, side))

    def test_ctrl_c_leaves_nothing(self):
        picture(self.folder / "p.png")
        process = subprocess.Popen([INVERT, "p.png", "-m", self.latents, "-o", "s.png", "--device", "cpu",
                                    "--compare-steps", ",".join(["100"] * 200)], cwd=self.folder, env=ENVIRONMENT,
                                   stderr=subprocess.PIPE)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (130, -signal.SIGINT))
        self.assertEqual(self.files(), ["p.png"])

    def test_what_is_refused(self):
        picture(self.folder / "p.png")
        for arguments, says in ((["p.png"], ["no output"]), (["-o", "s.png"], ["no image"]),
                                (["none.png", "-o", "s.png"], ["none.png"]),
                                (["p.png", "-o", "s.png", "--prompt", "a cat"], ["a cat", "takes no prompt"]),
                                (["p.png", "-o", "s.png", "--guidance", "3"], ["--guidance without --prompt"]),
                                (["p.png", "-o", "{seed}.png"], ["'{seed}' has no value here: expected a plain name"]),
                                (["p.png", "-o", "s.png", "--steps", "0"], ["--steps 0"]),
                                (["p.png", "-o", "s.png", "--class", "1"], ["class '1'"]),
                                (["p.png", "-o", "s.png", "-n", "3"], ["--interpolate"]),
                                (["p.png", "-o", "s.png", "--interpolate", "none.png"], ["none.png"])):
            with self.subTest(arguments):
                self.refuses(INVERT, *arguments, says=says)
        self.refuses(INVERT, "p.png", "-o", "s.png", model=self.classes, says=["no class"])
        self.refuses(INVERT, "p.png", "-o", "s.png", "--class", "1", model=self.text_model, says=["a class"])
        self.refuses(INVERT, "p.png", "-o", "s.png", "--prompt", "", "--guidance", "3", model=self.text_model,
                     says=["guidance 3 without a prompt"])
        self.refuses(INVERT, "p.png", "-o", "s.png", "--prompt", "a cat", "-W", "33", model=self.text_model,
                     says=["width 33: expected a multiple of 8"])
        self.refuses(INVERT, "p.png", "-o", "s.jpg", "--prompt", "a cat, " * 10000, model=self.text_model,
                     says=["output 's.jpg'", "a JPEG holds 65533"])


if __name__ == "__main__":
    unittest.main()
