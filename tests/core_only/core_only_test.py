"""The core, its tests and train build where there is LibTorch and nothing else: every other package is hidden, and
nlohmann_json and GoogleTest are given as folders. Without optimisation, since only whether it builds is asked. (Whether
a file includes what it needs is asked by the preset debug, which compiles each alone.)

Given in the environment: SFUMATO_CMAKE, SFUMATO_NINJA, and in SFUMATO_BUILD_DIR a configured folder, whose LibTorch
is taken.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HIDDEN = ["CLI11", "GTest", "nlohmann_json", "OpenCV", "PNG", "PkgConfig"]


class CoreOnly(unittest.TestCase):
    def run_in(self, *command):
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, f"{result.stdout[-4000:]}\n{result.stderr[-4000:]}")

    def test_builds_with_libtorch_and_two_source_folders(self):
        cache = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"], "CMakeCache.txt").read_text()
        torch = re.search(r"^SFUMATO_LIBTORCH_INCLUDE:\w+=(.*)$", cache, re.MULTILINE)[1]
        with tempfile.TemporaryDirectory(prefix="sfumato-core-") as build:
            self.run_in(os.environ["SFUMATO_CMAKE"], "-S", ROOT, "-B", build, "-G", "Ninja",
                        f"-DCMAKE_MAKE_PROGRAM={os.environ['SFUMATO_NINJA']}", "-DCMAKE_BUILD_TYPE=None",
                        "-DSFUMATO_CORE_ONLY=ON", "-DSFUMATO_JSON_SOURCE=/usr/include",
                        "-DSFUMATO_GTEST_SOURCE=/usr/src/googletest", f"-DCMAKE_PREFIX_PATH={pathlib.Path(torch).parent}",
                        *(f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in HIDDEN))
            self.run_in(os.environ["SFUMATO_CMAKE"], "--build", build, "--parallel", "2")
            for program in ("tools/train", "tests/test_core", "tests/test_nn", "tests/test_checkpoints"):
                self.assertTrue(pathlib.Path(build, program).exists(), program)


if __name__ == "__main__":
    unittest.main()
