"""Runs txt2img and img2img as a user does, with a small random model: what they write, and what they refuse."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zlib
from pathlib import Path

BUILD = Path(os.environ["SFUMATO_BUILD_DIR"])
TXT2IMG, IMG2IMG = BUILD / "tools" / "txt2img", BUILD / "tools" / "img2img"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "2"}


def write_tokenizer(folder):
    """CLIP's, byte by byte, with eight merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = ["c a", "ca t</w>", "o n</w>", "s o", "so f", "sof a</w>", "r e", "re d</w>"]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 16}))


def write_model(folder):
    subprocess.run([BUILD / "tests" / "random_model", folder], check=True)
    write_tokenizer(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": "DDIMScheduler"}))
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionPipeline", "safety_checker": [None, None],
        "feature_extractor": ["transformers", "SomethingElse"], "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}))


def png(width, height, color_type=2, depth=8):
    """A valid PNG of one value; color_type 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color_type]
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + b"\x50" * (width * channels * depth // 8)) * height
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chunks(path):
    """The chunks of a PNG: kind and data."""
    data, at, found = Path(path).read_bytes(), 8, []
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        found.append((data[at + 4:at + 8], data[at + 8:at + 8 + size]))
        at += 12 + size
    return found


def pixels(path):
    return b"".join(data for kind, data in chunks(path) if kind == b"IDAT")


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="sfumato-programs-"))
        cls.model = cls.root / "model"
        write_model(cls.model)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.root))

    def run_program(self, program, *arguments, model=None, **options):
        command = [program, "-m", model or self.model, "--device", "cpu", *arguments]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, timeout=120, **options)

    def files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def makes(self, program, *arguments, **options):
        result = self.run_program(program, "--steps", "2", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def refuses(self, program, *arguments, code=2, says=(), **options):
        """Exactly one line on standard error that holds each word of `says`, and no file more than before."""
        before = self.files()
        result = self.run_program(program, *arguments, **options)
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, message)
        self.assertEqual(message.count("\n"), 1, message)
        for word in says:
            self.assertIn(word, message)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(self.files(), before)

    def damaged_model(self):
        folder = self.folder / "damaged"
        shutil.copytree(self.model, folder)
        return folder


class Makes(Programs):
    def test_a_picture_under_a_free_name(self):
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

    def test_a_picture_of_a_batch_is_that_of_its_seed(self):
        self.makes(TXT2IMG, "a cat", "-s", "5", "-b", "2", "-o", "{seed}.png")
        self.makes(TXT2IMG, "a cat", "-s", "6", "-o", "alone.png")
        self.assertEqual(pixels(self.folder / "6.png"), pixels(self.folder / "alone.png"))
        self.assertNotEqual(pixels(self.folder / "5.png"), pixels(self.folder / "6.png"))

    def test_a_picture_again_from_its_own_file(self):
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
                                   "Seed: 5, Size: 64x64, Model: model, Version: sfumato".encode("latin-1"))
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
        (self.folder / "prompts.txt").write_text("a cat\na sofa")
        self.makes(TXT2IMG, "--prompts-file", "prompts.txt", "-s", "1", "-o", "f{index}.png")
        self.assertEqual(self.files(), ["1.png", "2.png", "f1.png", "f2.png", "prompts.txt"])
        self.assertEqual(pixels(self.folder / "2.png"), pixels(self.folder / "f2.png"))
        self.assertNotEqual(pixels(self.folder / "1.png"), pixels(self.folder / "2.png"))

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

    def test_pictures_of_every_kind_to_start_from(self):
        kinds = {"rgb": png(20, 20), "one": png(1, 1), "grey": png(20, 20, 0), "grey16": png(20, 20, 0, 16),
                 "rgb16": png(20, 20, 2, 16), "alpha": png(20, 20, 6), "grey_alpha": png(20, 20, 4)}
        for name, data in kinds.items():
            (self.folder / f"{name}.png").write_bytes(data)
            for strength in ("0", "0.6", "1"):
                self.makes(IMG2IMG, "a cat", "-i", f"{name}.png", "--strength", strength, "-o", f"{name}_{strength}.png")
        width = lambda path: struct.unpack(">I", chunks(self.folder / path)[0][1][:4])[0]
        self.assertEqual((width("rgb_1.png"), width("one_1.png")), (16, 8))

    def test_a_picture_from_a_picture_again(self):
        (self.folder / "i.png").write_bytes(png(24, 16))
        self.makes(IMG2IMG, "a cat", "-i", "i.png", "-s", "3", "--strength", "0.5", "-o", "a.png")
        self.makes(IMG2IMG, "--from-image", "a.png", "-o", "b.png")
        self.assertEqual(pixels(self.folder / "a.png"), pixels(self.folder / "b.png"))

    def test_a_model_by_name(self):
        environment = {**ENVIRONMENT, "SFUMATO_MODELS": str(self.root)}
        result = subprocess.run([TXT2IMG, "a cat", "-m", "model", "--steps", "1", "-o", self.folder / "a.png"],
                                env=environment, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_ctrl_c_ends_it_and_leaves_whole_files(self):
        process = subprocess.Popen([TXT2IMG, "a cat", "-m", self.model, "--device", "cpu", "--steps", "20", "-b", "5000",
                                    "-o", "{index}.png"], cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertIn(b"1.png", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertLess(time.monotonic() - start, 20)
        for name in self.files():
            self.assertRegex(name, r"^\d+\.png$")
            self.assertEqual(chunks(self.folder / name)[-1][0], b"IEND")


class Refuses(Programs):
    def test_numbers_out_of_range(self):
        for arguments, words in [(["--steps", "0"], ["steps 0", "1 to 1000"]),
                                 (["--steps", "100000"], ["steps 100000", "1 to 1000"]),
                                 (["--steps", "many"], ["many"]), (["-W", "65"], ["width 65", "multiple of 8"]),
                                 (["-H", "-8"], ["height -8"]), (["--cfg-scale", "nan"], ["guidance scale"]),
                                 (["--eta", "2"], ["eta 2", "0 to 1"]), (["-b", "0"], ["batch count 0"]),
                                 (["-s", "abc"], ["seed 'abc'"]), (["-s", "-1"], ["-1"]), (["-s", "1.5"], ["1.5"]),
                                 (["-s", "99999999999999999999"], ["99999999999999999999"])]:
            with self.subTest(arguments):
                self.refuses(TXT2IMG, "a cat", *arguments, says=words)

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
        self.refuses(TXT2IMG, "a cat", model=model, says=["model_index.json"])

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

    def test_outputs(self):
        (self.folder / "mine.png").write_text("mine")
        self.refuses(TXT2IMG, "a cat", "-o", "mine.png", says=["mine.png", "--force"])
        self.refuses(TXT2IMG, "a cat", "-o", "mine.png/a.png", says=["mine.png"])
        self.refuses(TXT2IMG, "a cat", "-o", "/proc/a.png", says=["/proc/a.png"])
        self.refuses(TXT2IMG, "a cat", "--force", "-o", "/dev/full", says=["/dev/full"])
        self.refuses(TXT2IMG, "a cat", "-o", "a.jpg", says=["a.jpg", ".png"])
        self.refuses(TXT2IMG, "a cat", "-o", "{name}.png", says=["{name}", "{seed}"])
        self.refuses(TXT2IMG, "a cat", "--save-latents", "mine.png", says=["mine.png"])

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
