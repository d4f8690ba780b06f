"""The core, train and a test program build where there is LibTorch and nothing else: every other package is hidden, and
nlohmann_json and GoogleTest are given as folders. The libraries are compiled with the same commands as in the configured
folder, so that ccache has their objects. (The preset debug checks that each file includes what it needs.)

Given in the environment: SFUMATO_CMAKE, SFUMATO_NINJA, and in SFUMATO_BUILD_DIR a configured folder, whose LibTorch
is used.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["train", "test_core"]
HIDDEN = ["CLI11", "GTest", "nlohmann_json", "OpenCV", "PNG", "PkgConfig"]


class CoreOnly(unittest.TestCase):
    def run_in(self, *command):
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, f"{result.stdout[-4000:]}\n{result.stderr[-4000:]}")

    def test_builds_with_libtorch_and_two_source_folders(self):
        configured = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"])
        cache = (configured / "CMakeCache.txt").read_text()
        torch = re.search(r"^SFUMATO_LIBTORCH_INCLUDE:\w+=(.*)$", cache, re.MULTILINE)[1]
        build_type = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache, re.MULTILINE)[1]
        # Beside the configured folder: relative paths, and with them ccache's keys, are then the same.
        with tempfile.TemporaryDirectory(prefix="build-core-", dir=configured.parent) as build:
            self.run_in(os.environ["SFUMATO_CMAKE"], "-S", ROOT, "-B", build, "-G", "Ninja",
                        f"-DCMAKE_MAKE_PROGRAM={os.environ['SFUMATO_NINJA']}", f"-DCMAKE_BUILD_TYPE={build_type}",
                        "-DSFUMATO_CORE_ONLY=ON", "-DSFUMATO_JSON_SOURCE=/usr/include",
                        "-DSFUMATO_GTEST_SOURCE=/usr/src/googletest", f"-DCMAKE_PREFIX_PATH={pathlib.Path(torch).parent}",
                        *(f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in HIDDEN))
            self.run_in(os.environ["SFUMATO_CMAKE"], "--build", build, "--parallel", "2", "--target", *PROGRAMS)
            for program in PROGRAMS:
                self.assertTrue(list(pathlib.Path(build).glob(f"*/{program}")), program)


if __name__ == "__main__":
    unittest.main()
