"""evaluate with a classifier that `train` trains here on two coloured things: it names the pack's own pictures, and finds
nothing in those of a random model."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from generate_programs import BUILD, ENVIRONMENT, write_model

SHIPPED_TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "tokenizer"
LIST = """cat\t\tanimal\tcommon\t\tdrawing:cat.svg\t
sofa\t\tfurniture\tcommon,seat=0.5\t\tdrawing:sofa.svg\t
tree\t\tplant\tcommon\t\tdrawing:tree.svg\t
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}"><rect width="100" height="100" fill="{}"/></svg>'
RECIPE = {"kind": "classifier", "steps": 80, "batch_size": 32, "data": {"image_size": 16},
          "classifier": {"block_out_channels": [16, 32], "norm_num_groups": 4}, "optimizer": {"lr": 0.01},
          "schedule": {"warmup_steps": 5}, "ema_decay": 0.9, "sample_every": 80, "checkpoint_every": 80}

CLIP = {"kind": "clip", "steps": 60, "batch_size": 32, "data": {"image_size": 16}, "noised": False,
        "clip": {"projection_dim": 16,
                 "text_config": {"vocab_size": 4096, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
                                 "num_attention_heads": 2, "max_position_embeddings": 32, "eos_token_id": 1},
                 "vision_config": {"image_size": 16, "patch_size": 4, "hidden_size": 32, "intermediate_size": 64,
                                   "num_hidden_layers": 1, "num_attention_heads": 2}},
        "optimizer": {"lr": 0.003}, "schedule": {"warmup_steps": 5}, "ema_decay": 0.9, "sample_every": 60,
        "checkpoint_every": 60}


def run(program, *arguments):
    return subprocess.run([BUILD / "tools" / program, *map(str, arguments)], text=True, capture_output=True,
                          timeout=300, env=ENVIRONMENT)


class Evaluate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        drawings = cls.folder / "drawings"
        drawings.mkdir()
        for name, size, colour in (("cat", (40, 40), "#e80"), ("sofa", (60, 30), "#d22"), ("tree", (30, 60), "#2a2")):
            (drawings / f"{name}.svg").write_text(SVG.format(*size, colour))
        (cls.folder / "list.tsv").write_text(LIST)
        cls.pack, cls.judge, cls.model = (cls.folder / name for name in ("pack.safetensors", "judge", "model"))
        recipe = {**RECIPE, "data": {**RECIPE["data"], "pack": str(cls.pack)}}
        (cls.folder / "judge.json").write_text(json.dumps(recipe))
        write_model(cls.model)
        for command in (["compose", "--list", cls.folder / "list.tsv", "--style", "plain", "--pack", cls.pack, "--scenes",
                         "600", "--held-out", "40"],
                        ["train", cls.folder / "judge.json", "--out", cls.folder / "run", "--quiet"],
                        ["train", "--export", cls.folder / "run", cls.judge]):
            result = run(*command)
            assert result.returncode == 0, result.stderr

    def evaluate(self, *arguments, model=None):
        return run("evaluate", "-m", model or self.model, "--judge", self.judge, "--pack", self.pack, "--steps", "1",
                   *arguments)

    def test_the_ceiling_is_high_and_a_random_model_is_not(self):
        result = self.evaluate("-n", "24", "--json", self.folder / "result.json", "--sheet", self.folder / "sheet.png")
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads((self.folder / "result.json").read_text())
        self.assertGreater(found["real"]["one_thing"]["top1"], 0.9)
        self.assertGreater(found["real"]["one_thing"]["top1"], found["generated"]["one_thing"]["top1"])
        self.assertEqual(found["generated"]["one_thing"]["images"] + found["generated"]["two_things"]["images"], 24)
        self.assertIn(f"{100 * found['real']['one_thing']['top1']:.1f}%", result.stdout)
        self.assertGreater(found["frechet_distance"], 1e-3)
        self.assertLess(found["recall"], 0.5)
        self.assertTrue((self.folder / "sheet.png").read_bytes().startswith(b"\x89PNG"))

    def test_a_folder_is_near_itself_and_far_from_another(self):
        made = self.folder / "made"
        result = run("compose", "--list", self.folder / "list.tsv", "--style", "plain", "--out", made, "-n", "24",
                     "--size", "16")
        self.assertEqual(result.returncode, 0, result.stderr)
        grey = self.folder / "grey"
        grey.mkdir()
        for index, name in enumerate(sorted(made.glob("*.png"))):
            run("txt2img", "x", "-m", self.model, "--steps", "1", "-s", index, "-o", grey / name.name)
        found = {}
        for other in (made, grey):
            result = run("evaluate", "--images", other, "--reference", made, "--judge", self.judge, "--json",
                         self.folder / "folder.json")
            self.assertEqual(result.returncode, 0, result.stderr)
            found[other] = json.loads((self.folder / "folder.json").read_text())
        self.assertEqual(found[made]["count"], 24)
        self.assertLess(found[made]["frechet_distance"], 1e-6)
        self.assertGreater(found[grey]["frechet_distance"], 1)
        result = run("evaluate", "--images", made, "--pack", self.pack, "--judge", self.judge)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("24 images", result.stdout)

    def test_captions_of_their_own_images_score_highest(self):
        recipe = {**CLIP, "tokenizer": str(SHIPPED_TOKENIZER), "data": {**CLIP["data"], "pack": str(self.pack)}}
        (self.folder / "clip.json").write_text(json.dumps(recipe))
        own, others, clip = (self.folder / name for name in ("own", "others", "clip"))
        for command in (["train", self.folder / "clip.json", "--out", self.folder / "clip_run", "--quiet"],
                        ["train", "--export", self.folder / "clip_run", clip],
                        ["compose", "--list", self.folder / "list.tsv", "--style", "plain", "--out", own, "-n", "32",
                         "--size", "16"]):
            result = run(*command)
            self.assertEqual(result.returncode, 0, result.stderr)
        shutil.copytree(own, others)
        captions = [path.read_text() for path in sorted(own.glob("*.txt"))]
        for path, caption in zip(sorted(others.glob("*.txt")), captions[5:] + captions[:5]):
            path.write_text(caption)
        scores = {}
        for folder in (own, others):
            result = run("evaluate", "--images", folder, "--clip-model", clip, "--json", self.folder / "score.json")
            self.assertEqual(result.returncode, 0, result.stderr)
            scores[folder] = json.loads((self.folder / "score.json").read_text())["clip_score"]
        self.assertGreater(scores[own], scores[others] + 5)
        made = self.folder / "with_prompts"
        prompts = ["a cat", "a sofa", "a tree", "a cat on a sofa"]
        for index, prompt in enumerate(prompts):
            result = run("txt2img", prompt, "-m", self.model, "--steps", "1", "-s", index, "-o", made / f"{index}.png")
            self.assertEqual(result.returncode, 0, result.stderr)
        found = []
        for texts in (None, prompts, prompts[1:] + prompts[:1]):  # the prompts that the files store, and .txt files
            for index, text in enumerate(texts or ()):
                (made / f"{index}.txt").write_text(text)
            found.append(run("evaluate", "--images", made, "--clip-model", clip).stdout)
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], found[2])
        (own / "000000.txt").unlink()
        result = run("evaluate", "--images", own, "--clip-model", clip)
        self.assertEqual(result.returncode, 2)
        self.assertIn("000000.png' has no caption", result.stderr)

    def test_what_it_cannot_do_is_one_line(self):
        for arguments, said in (((), "--judge"),
                                (("--judge", self.folder / "none", "--pack", self.pack), "none"),
                                (("--judge", self.judge, "--pack", self.folder / "list.tsv"), "list.tsv"),
                                (("--judge", self.judge, "--pack", self.pack, "--sheet", "sheet.jpg"), "sheet.jpg"),
                                (("--judge", self.judge, "--pack", self.pack, "--images", self.folder), "--images"),
                                (("--judge", self.judge, "--pack", self.pack, "--reference", "x"), "--images")):
            result = run("evaluate", "-m", self.model, *arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(said, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for arguments, said in (((self.folder / "none",), "--clip-model"),
                                ((self.folder / "none", "--judge", self.judge), "--reference"),
                                ((self.folder / "none", "--judge", self.judge, "--pack", self.pack), "none"),
                                ((self.folder / "drawings", "--judge", self.judge, "--pack", self.pack), "no images")):
            result = run("evaluate", "--images", *arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(said, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


if __name__ == "__main__":
    unittest.main()
