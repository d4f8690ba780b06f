"""Runs txt2img, img2img and inpaint as a user does, with a small random model: what they write, and what they refuse."""

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
TXT2IMG, IMG2IMG, INPAINT = (BUILD / "tools" / name for name in ("txt2img", "img2img", "inpaint"))
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


# What EXIF says of a picture whose left side is to be shown at the top: a TIFF header and a directory of one entry.
TURNED = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<HHHIII", 1, 0x112, 3, 1, 6, 0)


def png(width, height, color_type=2, depth=8, exif=b""):
    """A valid PNG of one value; color_type 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color_type]
    return png_of(width, height, color_type, depth, (b"\x50" * (width * channels * depth // 8),) * height, exif)


def png_of(width, height, color_type, depth, rows, exif=b""):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    said = chunk(b"eXIf", exif) if exif else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + said + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def mask_png(width, height, white):
    """Grey, with the columns of the range `white` at 255."""
    return png_of(width, height, 0, 8, (bytes(255 * (x in white) for x in range(width)),) * height)


def decoded(path):
    """The rows of an 8-bit RGB PNG: bytes."""
    found = dict(chunks(path))
    width, height = struct.unpack(">II", found[b"IHDR"][:8])
    data, rows, above = zlib.decompress(pixels(path)), [], bytes(width * 3)
    for y in range(height):
        kind, *row = data[y * (width * 3 + 1):(y + 1) * (width * 3 + 1)]
        for x, value in enumerate(row):
            left, up, corner = (row[x - 3], above[x], above[x - 3]) if x >= 3 else (0, above[x], 0)
            paeth = min((left, up, corner), key=lambda p: abs(left + up - corner - p))
            row[x] = (value + (0, left, up, (left + up) // 2, paeth)[kind]) % 256
        rows.append(bytes(row))
        above = row
    return rows


def chunks(path):
    """The chunks of a PNG: kind and data."""
    data, at, found = Path(path).read_bytes(), 8, []
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        found.append((data[at + 4:at + 8], data[at + 8:at + 8 + size]))
        at += 12 + size
    return found


def write_safetensors(path, tensors):
    """float32 tensors: name to (shape, numbers)."""
    header, data = {}, b""
    for name, (shape, numbers) in tensors.items():
        begin = len(data)
        data += struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_lora(path, layer="lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0"):
    write_safetensors(path, {f"{layer}.lora_down.weight": ([1, 16], [1.0] * 16),
                             f"{layer}.lora_up.weight": ([16, 1], [0.5 * (-1) ** i for i in range(16)])})


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
    def test_a_lora_in_the_prompt_is_that_of_the_command_line(self):
        (self.folder / "loras").mkdir()
        write_lora(self.folder / "loras" / "style.safetensors")
        self.makes(TXT2IMG, "a cat", "-s", "1", "--lora", "loras/style.safetensors:0.75", "-o", "option.png")
        self.makes(TXT2IMG, "a cat<lora:style:0.75>", "-s", "1", "-o", "tag.png")
        self.makes(TXT2IMG, "--from-image", "tag.png", "-o", "again.png")
        for name in ("tag.png", "again.png"):
            self.assertEqual(pixels(self.folder / name), pixels(self.folder / "option.png"))

    def test_a_lora_changes_the_picture_and_is_made_again_from_its_record(self):
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

    def test_additions_that_do_not_fit_are_refused(self):
        write_lora(self.folder / "other.safetensors", layer="lora_unet_elsewhere")
        write_safetensors(self.folder / "wide.safetensors", {"emb_params": ([1, 33], [0.0] * 33)})
        self.refuses(TXT2IMG, "a cat", "--lora", "other.safetensors",
                     says=["other.safetensors", '1 unexpected: "lora_unet_elsewhere"'])
        self.refuses(TXT2IMG, "a cat", "--lora", "missing.safetensors", says=["missing.safetensors"])
        self.refuses(TXT2IMG, "a cat", "--embedding", "wide.safetensors", says=["wide.safetensors", "33"])

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

    def test_pictures_made_at_once_are_those_made_one_by_one(self):
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
        (self.folder / "prompts.txt").write_text("a cat\na sofa")
        self.makes(TXT2IMG, "--prompts-file", "prompts.txt", "-s", "1", "-o", "f{index}.png")
        self.assertEqual(self.files(), ["1.png", "2.png", "f1.png", "f2.png", "prompts.txt"])
        self.assertEqual(pixels(self.folder / "2.png"), pixels(self.folder / "f2.png"))
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
        for prompt in ("", "猫坐在沙发上，(红色:1.2)", "?!:;()[]|", "[cat|(sofa:" * 909, "\\"):
            result = self.run_program(TXT2IMG, "-p", prompt, "--steps", "1", "-o", "u.png", "--force")
            self.assertEqual((result.returncode, result.stderr), (0, b""), prompt[:40])
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

    def test_pictures_of_every_kind_to_start_from(self):
        kinds = {"rgb": png(20, 20), "one": png(1, 1), "grey": png(20, 20, 0), "grey16": png(20, 20, 0, 16),
                 "rgb16": png(20, 20, 2, 16), "alpha": png(20, 20, 6), "grey_alpha": png(20, 20, 4),
                 "cmyk": (Path(__file__).parents[1] / "images" / "cmyk.jpg").read_bytes(),
                 "turned": png(24, 16, exif=TURNED), "turned_alpha": png(24, 16, 6, exif=TURNED)}
        for name, data in kinds.items():
            (self.folder / name).write_bytes(data)
            for strength in ("0", "0.6", "1"):
                self.makes(IMG2IMG, "a cat", "-i", name, "--strength", strength, "-o", f"{name}_{strength}.png")
        size = lambda path: struct.unpack(">II", chunks(self.folder / path)[0][1][:8])
        self.assertEqual((size("rgb_1.png"), size("one_1.png"), size("cmyk_1.png")), ((16, 16), (8, 8), (16, 16)))
        self.assertEqual((size("turned_1.png"), size("turned_alpha_1.png")), ((16, 24), (16, 24)))

    def test_kinds_of_guidance_and_random_numbers(self):
        """Each changes the picture, is recorded, and makes the same again from the record."""
        self.makes(TXT2IMG, "a cat", "-s", "5", "--cfg-scale", "3", "-o", "usual.png")
        changes = {"pag": ["--pag-scale", "3", "--pag-layers", "down_blocks.0"],
                   "adaptive": ["--pag-scale", "3", "--pag-adaptive-scale", "0.004", "--pag-layers", "down_blocks.0"],
                   "sag": ["--sag-scale", "2"],
                   "interval": ["--guidance-end", "0.5"], "late": ["--guidance-start", "0.5"],
                   "threshold": ["--dynamic-threshold", "0.9", "--dynamic-threshold-max", "1.5"],
                   "cfg++": ["--guidance", "cfg++", "--cfg-scale", "0.6"], "cuda": ["--rng", "cuda"]}
        seen = {pixels(self.folder / "usual.png")}
        for name, arguments in changes.items():
            self.makes(TXT2IMG, "a cat", "-s", "5", "--cfg-scale", "3", *arguments, "-o", f"{name}.png")
            self.makes(TXT2IMG, "--from-image", f"{name}.png", "-o", f"{name}_again.png")
            self.assertEqual(chunks(self.folder / f"{name}.png"), chunks(self.folder / f"{name}_again.png"))
            seen.add(pixels(self.folder / f"{name}.png"))
        self.assertEqual(len(seen), 1 + len(changes))

    def test_a_picture_from_a_picture_again(self):
        (self.folder / "i.png").write_bytes(png(24, 16))
        self.makes(IMG2IMG, "a cat", "-i", "i.png", "-s", "3", "--strength", "0.5", "-o", "a.png")
        self.makes(IMG2IMG, "--from-image", "a.png", "-o", "b.png")
        self.assertEqual(pixels(self.folder / "a.png"), pixels(self.folder / "b.png"))

    def write_masked(self, width=40, height=24, white=range(20, 40)):
        (self.folder / "i.png").write_bytes(png(width, height))
        (self.folder / "m.png").write_bytes(mask_png(width, height, white))

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

    def test_part_of_a_picture_anew_and_the_rest_as_it_was(self):
        self.write_masked(43, 26)
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "-s", "3", "-o", "a.png")
        rows = decoded(self.folder / "a.png")
        self.assertEqual((len(rows), len(rows[0])), (26, 43 * 3))
        for row in rows:
            self.assertEqual(row[:20 * 3] + row[40 * 3:], b"\x50" * (23 * 3))
        self.assertNotEqual({row[20 * 3:40 * 3] for row in rows}, {b"\x50" * 60})
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--no-paste", "-s", "3", "-o", "b.png")
        rows = decoded(self.folder / "b.png")
        self.assertEqual((len(rows), len(rows[0])), (24, 40 * 3))
        self.assertNotEqual({row[:60] for row in rows}, {b"\x50" * 60})

    def test_the_other_part_of_a_picture_anew(self):
        self.write_masked()
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "--invert-mask", "-o", "a.png")
        rows = decoded(self.folder / "a.png")
        self.assertEqual({row[20 * 3:] for row in rows}, {b"\x50" * 60})
        self.assertNotEqual({row[:20 * 3] for row in rows}, {b"\x50" * 60})

    def test_a_small_part_at_full_size(self):
        self.write_masked(200, 120, range(150, 170))
        result = self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "--only-masked",
                            "--mask-padding", "4", "--json", "-o", "a.png")
        request = json.loads(result)["images"][0]["request"]
        self.assertEqual((request["width"], request["height"]), (64, 64), "the model's size")
        rows = decoded(self.folder / "a.png")
        self.assertEqual((len(rows), len(rows[0])), (120, 200 * 3))
        self.assertEqual({row[:150 * 3] + row[170 * 3:] for row in rows}, {b"\x50" * (180 * 3)})

    def test_a_mask_of_another_size_or_kind(self):
        self.write_masked()
        (self.folder / "small.png").write_bytes(mask_png(10, 6, range(5, 10)))
        # White paint on a transparent ground, as drawing programs save it.
        rows = (bytes(255 if x >= 20 else 0 for x in range(40) for _ in range(2)),) * 24
        (self.folder / "alpha.png").write_bytes(png_of(40, 24, 4, 8, rows))
        for name in ("small.png", "alpha.png"):
            self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", name, "--mask-blur", "0", "-o", f"of_{name}")
            rows = decoded(self.folder / f"of_{name}")
            # Enlarging the small one by 4 rings over three of its pixels.
            self.assertEqual({row[:8 * 3] for row in rows}, {b"\x50" * 24}, name)
            self.assertNotEqual({row[25 * 3:] for row in rows}, {b"\x50" * 45}, name)

    def test_part_of_a_picture_again_from_its_own_file(self):
        self.write_masked()
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "-s", "3", "--mask-blur", "2.5", "--strength",
                   "0.7", "--invert-mask", "--only-masked", "--mask-padding", "5", "-o", "a.png")
        self.makes(INPAINT, "--from-image", "a.png", "-o", "b.png")
        self.assertEqual(chunks(self.folder / "a.png"), chunks(self.folder / "b.png"))
        text = chunks(self.folder / "a.png")[1][1].decode()
        self.assertIn("Denoising strength: 0.7, Mask blur: 2.5, Mask mode: Inpaint not masked, Inpaint area: Only "
                      "masked, Masked area padding: 5", text)
        self.refuses(IMG2IMG, "--from-image", "a.png", says=["a.png", "inpaint"])

    def test_a_model_by_name(self):
        environment = {**ENVIRONMENT, "SFUMATO_MODELS": str(self.root)}
        result = subprocess.run([TXT2IMG, "a cat", "-m", "model", "--steps", "1", "-o", self.folder / "a.png"],
                                env=environment, capture_output=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def controls(self, *names):
        """The arguments for the model's ControlNets, each shown a picture of its own."""
        arguments = []
        for name in names:
            (self.folder / f"{name}.png").write_bytes(png(30, 20))
            arguments += ["--control", str(self.model / name), "--control-image", f"{name}.png"]
        return arguments

    def test_a_picture_by_controlnets_and_again(self):
        self.makes(TXT2IMG, "a cat", "-s", "3", "-o", "plain.png")
        self.makes(TXT2IMG, "a cat", "-s", "3", *self.controls("control_rgb"), "-o", "one.png")
        two = [*self.controls("control_rgb", "control_bgr"), "--control-scale", "0.8", "--control-scale", "1.5",
               "--control-end", "0.5", "--control-guess"]
        self.makes(TXT2IMG, "a cat", "-s", "3", *two, "-o", "two.png")
        self.assertEqual(len({pixels(self.folder / f"{name}.png") for name in ("plain", "one", "two")}), 3)
        self.makes(TXT2IMG, "--from-image", "two.png", "-o", "again.png")
        self.assertEqual(chunks(self.folder / "two.png"), chunks(self.folder / "again.png"))
        self.makes(TXT2IMG, "--from-image", "two.png", "--control-scale", "0", "-o", "zero.png")
        self.assertEqual(pixels(self.folder / "zero.png"), pixels(self.folder / "plain.png"))

    def test_img2img_by_a_controlnet_that_sees_edges(self):
        (self.folder / "i.png").write_bytes(png(24, 16))
        arguments = ["a cat", "-i", "i.png", "-s", "3", *self.controls("control_rgb")]
        self.makes(IMG2IMG, *arguments, "-o", "grey.png")
        self.makes(IMG2IMG, *arguments, "--control-preprocess", "canny", "-o", "edges.png")
        self.assertNotEqual(pixels(self.folder / "grey.png"), pixels(self.folder / "edges.png"))
        self.makes(IMG2IMG, "--from-image", "edges.png", "-o", "again.png")
        self.assertEqual(chunks(self.folder / "edges.png"), chunks(self.folder / "again.png"))

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

    def test_kinds_of_guidance(self):
        for arguments, words in [(["--guidance", "magic"], ["guidance 'magic'", "cfg++"]),
                                 (["--guidance", "cfg++"], ["guidance scale 7.5", "0 to 1 with cfg++"]),
                                 (["--guidance-start", "-1"], ["guidance start -1", "0 to 1"]),
                                 (["--guidance-end", "2"], ["guidance end 2", "0 to 1"]),
                                 (["--pag-scale", "-3"], ["pag scale -3"]),
                                 (["--pag-scale", "3", "--pag-layers", "attic"], ["pag layers 'attic'", "mid"]),
                                 (["--sag-scale", "-1"], ["sag scale -1"]),
                                 (["--sag-scale", "1", "-W", "32"], ["sag scale", "4 x 8"]),
                                 (["--dynamic-threshold", "1.5"], ["dynamic threshold 1.5", "0 to 1"]),
                                 (["--dynamic-threshold-max", "0"], ["dynamic threshold max 0", "1 to 1000"]),
                                 (["--rng", "gpu"], ["rng 'gpu'", "cpu or cuda"])]:
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
