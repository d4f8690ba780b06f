"""Another project finds the installed package, links it and runs, with nothing but the installed folder to go by.

Given in the environment: SFUMATO_CMAKE, SFUMATO_NINJA, and in SFUMATO_BUILD_DIR a folder where all is built.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith(("CMAKE_", "CUDA", "TORCH_"))}


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=PLAIN, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="sfumato-consumer-")
        cls.top = pathlib.Path(cls.scratch.name)
        cls.prefix = cls.top / "prefix"
        run(os.environ["SFUMATO_CMAKE"], "--install", os.environ["SFUMATO_BUILD_DIR"], "--prefix", cls.prefix)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_a_consumer_of_twenty_lines_builds_and_runs(self):
        build = self.top / "build"
        lines = sum(len((HERE / name).read_text().splitlines()) for name in ("CMakeLists.txt", "main.cpp"))
        self.assertLessEqual(lines, 25)
        run(os.environ["SFUMATO_CMAKE"], "-S", HERE, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
            f"-DCMAKE_MAKE_PROGRAM={os.environ['SFUMATO_NINJA']}", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run(os.environ["SFUMATO_CMAKE"], "--build", build)
        out = run(build / "consumer", "a red car", cwd=self.top)
        self.assertIn("a red car", out)
        self.assertIn("no such model", out)

    def test_a_cmake_that_is_too_old_is_told_so(self):
        old = self.top / "old"
        old.mkdir()
        # The version is a plain variable, which a project may set to what an older CMake would have there.
        (old / "CMakeLists.txt").write_text('cmake_minimum_required(VERSION 3.25)\nproject(old LANGUAGES NONE)\n'
                                            'set(CMAKE_VERSION 3.25.1)\nfind_package(sfumato REQUIRED)\n')
        result = subprocess.run([os.environ["SFUMATO_CMAKE"], "-S", old, "-B", old / "build", "-G", "Ninja",
                                 f"-DCMAKE_MAKE_PROGRAM={os.environ['SFUMATO_NINJA']}",
                                 f"-DCMAKE_PREFIX_PATH={self.prefix}"], capture_output=True, text=True, env=PLAIN)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("CMake is 3.25.1; expected 3.27 or later", " ".join(result.stderr.split()))

    def test_the_installed_programs_start_and_find_their_model(self):
        models = sorted(path.parent.name for path in (self.prefix / "share/sfumato").glob("models/*/model_index.json"))
        if not models:
            self.skipTest("no model ships yet: models/ is empty")
        picture = self.top / "picture.png"
        out = run(self.prefix / "bin/txt2img", "a cat on a sofa", "--steps", "1", "--json", "-o", picture,
                  "--device", "cpu", cwd=self.top)
        self.assertTrue(json.loads(out))
        self.assertTrue(picture.stat().st_size > 0)
        out = run(self.prefix / "bin/img2img", "a cat", "-i", picture, "--steps", "2", "--device", "cpu",
                  "-o", self.top / "second.png", cwd=self.top)
        self.assertTrue((self.top / "second.png").exists())


if __name__ == "__main__":
    unittest.main()
