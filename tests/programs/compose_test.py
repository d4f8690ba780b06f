"""compose, run as people run it: what it writes, and one line and exit code 2 for what it cannot do."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

IMAGES = pathlib.Path(__file__).parents[1] / "images"
COMPOSE = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"], "tools", "compose")

LIST = """cat\t\tanimal\tcommon\t\tdrawing:cat.svg\tkitty
sofa\t\tfurniture\tcommon,seat=0.5\tred\tdrawing:sofa.svg\tcouch
teapot\t\tobject\t\t\tdrawing:sofa.svg\t
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="{}"/></svg>'


def header(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])


def packed(path, name):
    """The bytes of a tensor."""
    data, start = path.read_bytes(), 8 + int.from_bytes(path.read_bytes()[:8], "little")
    begin, end = header(path)[name]["data_offsets"]
    return data[start + begin:start + end]


def captions(path):
    texts, offsets = packed(path, "captions.bytes"), packed(path, "captions.offsets")
    offsets = struct.unpack(f"<{len(offsets) // 8}q", offsets)
    return [texts[a:b].decode() for a, b in zip(offsets, offsets[1:])]


def png(depth, color_type, row, *others):
    """One pixel, `row`, 16 x 16 times."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + (row * 16)[:max(2, 2 * depth * len(row))] if depth < 8 else b"\0" + row * 16 for _ in range(16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, depth, color_type, 0, 0, 0)) + \
        b"".join(chunk(*other) for other in others) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")


class Compose(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "drawings").mkdir()
        (self.folder / "drawings/cat.svg").write_text(SVG.format("#e80"))
        (self.folder / "drawings/sofa.svg").write_text(SVG.format("#d22"))
        (self.folder / "list.tsv").write_text(LIST)

    def run_compose(self, *arguments):
        listed = [] if "--folder" in arguments else ["--list", self.folder / "list.tsv"]
        return subprocess.run([COMPOSE, *listed, *map(str, arguments)], text=True,
                              capture_output=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def assert_refused(self, *arguments, says):
        result = self.run_compose(*arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        lines = [line for line in result.stderr.splitlines() if not line.startswith(("rendered", "invented", "read"))]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(says, lines[0])

    def test_the_same_seed_gives_the_same_pack(self):
        packs = []
        for name, seed in (("a", 3), ("b", 3), ("c", 4)):
            result = self.run_compose("--pack", self.folder / name, "--scenes", 50, "--held-out", 5, "--seed", seed)
            self.assertEqual(result.returncode, 0, result.stderr)
            packs.append((self.folder / name).read_bytes())
        self.assertEqual(packs[0], packs[1])
        self.assertNotEqual(packs[0], packs[2])

    def test_a_pack_holds_what_train_reads(self):
        path = self.folder / "pack"
        self.run_compose("--pack", path, "--scenes", 50, "--held-out", 5, "--things", "common")
        tensors = header(path)
        self.assertEqual(tensors["__metadata__"]["format"], "sfumato-pack")
        self.assertEqual(json.loads(tensors["__metadata__"]["things"]), 
                         {"cat": ["cats", "kitties", "kitty"], "sofa": ["couch", "couches", "sofas"]})
        self.assertEqual(tensors["cutouts"]["shape"], [2, 4, 112, 112])
        self.assertEqual(tensors["scenes.items"]["shape"], [50, 3, 6])
        self.assertEqual(tensors["scenes.background"]["shape"], [50, 8])
        self.assertEqual(tensors["captions.ids"]["shape"], [50, 32])

    def test_images_come_with_their_captions(self):
        out = self.folder / "out"
        self.assertEqual(self.run_compose("--out", out, "-n", 3, "--size", 32).returncode, 0)
        lines = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
        self.assertEqual([line["file_name"] for line in lines], ["000000.png", "000001.png", "000002.png"])
        for line in lines:
            text = (out / line["file_name"]).with_suffix(".txt").read_text()
            self.assertEqual(text, line["text"])
            self.assertTrue((out / line["file_name"]).read_bytes().startswith(b"\x89PNG"))
        self.assert_refused("--out", out, says="holds scenes already")

    def test_what_it_wrote_it_packs_again(self):
        out, path = self.folder / "out", self.folder / "pack"
        self.run_compose("--out", out, "-n", 20, "--size", 32)
        result = self.run_compose("--folder", out, "--pack", path, "--size", 32)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(header(path)["images"]["shape"], [20, 3, 32, 32])

    def pack(self, folder):
        result = self.run_compose("--folder", folder, "--pack", self.folder / "pack", "--size", 16)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def test_photographs_are_packed_upright(self):
        """turned.jpg: by its EXIF orientation the left part, red, is the top."""
        photos = self.folder / "photos"
        photos.mkdir()
        shutil.copy(IMAGES / "turned.jpg", photos / "a.jpg")
        (photos / "a.txt").write_text("red above")
        self.pack(photos)
        red, green, blue = (packed(self.folder / "pack", "images")[i * 256:(i + 1) * 256] for i in range(3))
        for x in range(16):
            self.assertGreater(red[x] - max(green[x], blue[x]), 150, "the first row")
            self.assertLess(red[-1 - x], 100, "the last row")

    def test_every_kind_of_transparent_png_is_white(self):
        kinds = {"grey1": png(1, 0, b"\0", (b"tRNS", b"\0\0")), "grey2": png(2, 0, b"\0", (b"tRNS", b"\0\0")),
                 "grey4": png(4, 0, b"\0", (b"tRNS", b"\0\0")), "grey8": png(8, 0, b"\x20", (b"tRNS", b"\0\x20")),
                 "grey16": png(16, 0, b"\x20\x30", (b"tRNS", b"\x20\x30")),
                 "rgb8": png(8, 2, b"\1\2\3", (b"tRNS", b"\0\1\0\2\0\3")),
                 "rgb16": png(16, 2, b"\1\2\3\4\5\6", (b"tRNS", b"\1\2\3\4\5\6")),
                 "palette": png(8, 3, b"\1", (b"PLTE", bytes(6)), (b"tRNS", b"\xff\0")),
                 "grey_alpha8": png(8, 4, b"\x20\0"), "grey_alpha16": png(16, 4, b"\x20\x30\0\0"),
                 "rgba8": png(8, 6, b"\1\2\3\0"), "rgba16": png(16, 6, b"\1\2\3\4\5\6\0\0"),
                 "opaque": png(8, 0, b"\x20", (b"tRNS", b"\0\x21"))}
        folder = self.folder / "kinds"
        folder.mkdir()
        for name, data in kinds.items():
            (folder / f"{name}.png").write_bytes(data)
            (folder / f"{name}.caption").write_text(name)
        self.pack(folder)
        images = packed(self.folder / "pack", "images")
        for i, name in enumerate(sorted(kinds)):
            with self.subTest(name):
                self.assertEqual(set(images[i * 768:(i + 1) * 768]), {0x20 if name == "opaque" else 255})

    def test_kohyas_folders(self):
        for name, files in {"2_cat": {"a.png": None, "b.png": "a big cat\na small cat"}, "4_dog": {"c.png": "a dog"}}.items():
            (self.folder / "train" / name).mkdir(parents=True)
            for file, caption in files.items():
                (self.folder / "train" / name / file).write_bytes(png(8, 0, b"\x20"))
                if caption:
                    (self.folder / "train" / name / file).with_suffix(".caption").write_text(caption)
        said = self.pack(self.folder / "train")
        self.assertIn("2_cat: 2 images, 2 times each; 1 without a caption file have 'cat'", said)
        self.assertEqual(captions(self.folder / "pack"), ["cat"] * 2 + ["a big cat", "a small cat"] + ["a dog"] * 4)
        self.assertEqual(struct.unpack("<8q", packed(self.folder / "pack", "images.index")), (0, 0, 1, 1, 2, 2, 2, 2))
        self.assertEqual(header(self.folder / "pack")["images"]["shape"], [3, 3, 16, 16])

    def test_bad_input_is_one_line_and_nothing_written(self):
        pack = self.folder / "pack"
        self.assert_refused(says="expected one of --pack, --out, --sheet and --captions")
        self.assert_refused("--pack", pack, "--scenes", 0, says="--scenes")
        self.assert_refused("--pack", pack, "--scenes", "many", says="--scenes")
        self.assert_refused("--pack", pack, "--scenes", 5, "--held-out", 5, says="--held-out 5 of --scenes 5")
        self.assert_refused("--pack", pack, "--things", "rare", says="--things")
        self.assert_refused("--pack", pack, "--tokenizer", self.folder, says="no tokenizer")
        self.assert_refused("--pack", pack, "--folder", self.folder / "none", says="is no folder")
        self.assert_refused("--pack", pack, "--every-thing", says="--every-thing needs --sheet")
        self.assert_refused("--sheet", self.folder / "sheet.jpg", says="expected a name that ends in .png")
        self.assert_refused("--pack", pack, "--folder", self.folder, "--seed", 3, says="--seed has no effect with --folder")
        self.assert_refused("--pack", pack, "--size", 32, says="--size has no effect with --pack")
        self.assert_refused("--out", self.folder / "o", "--scenes", 5, says="--scenes has no effect with --out")
        self.assert_refused("--pack", pack, "--scenes", 5, "--scenes", 6, says="--scenes is given 2 times: expected once")
        (self.folder / "list.tsv").unlink()
        self.assert_refused("--pack", pack, says="list.tsv")
        (self.folder / "list.tsv").write_text("cat\t\tanimal\t\t\tdrawing:gone.svg\t\n")
        self.assert_refused("--pack", pack, says="gone.svg is not there")
        self.assertFalse(pack.exists())


if __name__ == "__main__":
    unittest.main()
