"""Includes point downwards only, and the core's folders need no library but LibTorch and nlohmann_json."""

import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A file may include its own folder and those of the rows below; of its own row only what ALLOWED names.
STRATA = [
    ["tools"],
    ["engine", "server"],
    ["systems", "training", "scenes", "evaluation"],
    ["adapters", "data", "diffusion", "models", "tokenizer", "checkpoints", "images"],
    ["nn"],
    ["kernels"],
    ["core"],
]
ALLOWED = {("adapters", "models"), ("adapters", "checkpoints"), ("models", "checkpoints"), ("data", "checkpoints")}

CORE_ONLY = {"adapters", "core", "kernels", "nn", "models", "diffusion", "checkpoints", "data", "training"}
FOREIGN = re.compile(r"^(opencv2/|png\.h|sentencepiece|pcre2|utf8proc|CLI/|httplib)")

LEVEL = {folder: level for level, row in enumerate(STRATA) for folder in row}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCES = {".cpp", ".h", ".cu", ".cuh"}


def may_include(folder, included):
    return folder == included or LEVEL[included] > LEVEL[folder] or (folder, included) in ALLOWED


def violations(root):
    """One line for each include that points up or sideways, or out of the core to a library that it does without."""
    found = []
    for top in ("src", "tools"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SOURCES:
                continue
            name = path.relative_to(root)
            folder = "tools" if top == "tools" else name.parts[1]
            if folder not in LEVEL:
                found.append(f"{name}: src/{folder} has no place among the strata")
                continue
            for _, included in INCLUDE.findall(path.read_text()):
                target = included.split("/")[0]
                if target in LEVEL and "/" in included and not may_include(folder, target):
                    found.append(f"{name} includes {included}: {folder} is not above {target}")
                if folder in CORE_ONLY and FOREIGN.match(included):
                    found.append(f"{name} includes {included}: {folder} needs LibTorch and nlohmann_json alone")
    return found


class Arrows(unittest.TestCase):
    def violations_of(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return violations(pathlib.Path(folder))

    def test_this_checkout_has_none_that_points_up(self):
        self.assertEqual(violations(ROOT), [])

    def test_every_folder_of_sources_is_looked_at(self):
        self.assertGreater(sum(1 for path in (ROOT / "src").rglob("*.cpp")), 10)

    def test_an_include_upwards_is_found(self):
        found = self.violations_of({"src/nn/a.h": '#include "core/json.h"\n#include "models/unet.h"\n'})
        self.assertEqual(found, ["src/nn/a.h includes models/unet.h: nn is not above models"])

    def test_diffusion_and_models_do_not_know_each_other(self):
        found = self.violations_of({"src/diffusion/a.cpp": '#  include "models/unet.h"\n',
                                    "src/models/b.cpp": '#include <diffusion/denoiser.h>\n'})
        self.assertEqual(len(found), 2)

    def test_a_system_does_not_know_training(self):
        self.assertTrue(self.violations_of({"src/systems/a.cpp": '#include "training/loop.h"\n'}))

    def test_an_image_library_in_the_core_is_found(self):
        self.assertTrue(self.violations_of({"src/training/a.cpp": "#include <opencv2/core.hpp>\n"}))

    def test_a_folder_below_a_folder_belongs_to_it(self):
        found = self.violations_of({"src/systems/unconditional/a.cpp": '#include "training/loop.h"\n'})
        self.assertEqual(found, ["src/systems/unconditional/a.cpp includes training/loop.h: systems is not above training"])

    def test_a_system_does_not_know_the_engine(self):
        self.assertTrue(self.violations_of({"src/systems/a.cpp": '#include "engine/metadata.h"\n'}))

    def test_a_folder_without_a_place_is_found(self):
        self.assertTrue(self.violations_of({"src/misc/a.cpp": "int a;\n"}))

    def test_includes_downwards_and_of_the_standard_library_pass(self):
        self.assertEqual(self.violations_of({"tools/a.cpp": '#include "engine/a.h"\n#include <vector>\n',
                                             "src/images/a.cpp": "#include <opencv2/core.hpp>\n",
                                             "src/models/a.cpp": '#include "checkpoints/load.h"\n'}), [])


class Programs(unittest.TestCase):
    def test_each_opens_with_the_line_that_the_launcher_lists(self):
        built = re.findall(r"sfumato_program\((\w+)", (ROOT / "tools/CMakeLists.txt").read_text())
        for name in built:
            first = (ROOT / f"tools/{name}.cpp").read_text().split("\n", 1)[0]
            self.assertRegex(first, rf"^// {name}: \S", f"tools/{name}.cpp")


if __name__ == "__main__":
    unittest.main()
