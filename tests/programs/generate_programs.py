"""What the tests of the programs share: a small random model, pictures to give them and the reading of what they write,
and a test case that runs txt2img, img2img and inpaint as a user does.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/ and tests/random_model.
"""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

BUILD = Path(os.environ["SFUMATO_BUILD_DIR"])
TXT2IMG, IMG2IMG, INPAINT = (BUILD / "tools" / name for name in ("txt2img", "img2img", "inpaint"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # networks this small only wait for each other on more


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


def unless_given(arguments, option, value):
    """An option with its value, which may be given once, unless the arguments have it."""
    return [] if option in arguments else [option, value]


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
        command = [program, "-m", model or self.model, *unless_given(arguments, "--device", "cpu"), *arguments]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, timeout=120, **options)

    def files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def makes(self, program, *arguments, **options):
        result = self.run_program(program, *unless_given(arguments, "--steps", "2"), *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode(errors="surrogateescape")

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
