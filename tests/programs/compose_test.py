"""compose, run as people run it: what it writes, and one line and exit code 2 for what it cannot do."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

COMPOSE = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"], "tools", "compose")

LIST = """cat\t\tanimal\tcommon\t\tdrawing:cat.svg\tkitty
sofa\t\tfurniture\tcommon,seat=0.5\tred\tdrawing:sofa.svg\tcouch
teapot\t\tobject\t\t\tdrawing:sofa.svg\t
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="{}"/></svg>'


def header(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])


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
        return subprocess.run([COMPOSE, "--list", self.folder / "list.tsv", *map(str, arguments)], text=True,
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

    def test_pictures_come_with_their_captions(self):
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
        (self.folder / "list.tsv").unlink()
        self.assert_refused("--pack", pack, says="list.tsv")
        (self.folder / "list.tsv").write_text("cat\t\tanimal\t\t\tdrawing:gone.svg\t\n")
        self.assert_refused("--pack", pack, says="gone.svg is not there")
        self.assertFalse(pack.exists())


if __name__ == "__main__":
    unittest.main()
