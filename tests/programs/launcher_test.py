"""The launcher, in a small checkout of its own: two programs of a few lines, and a lock file that pins one wheel.

Given in the environment: SFUMATO_LAUNCHER, and in SFUMATO_CMAKE and SFUMATO_NINJA the real tools, which the wheel's
programs call. No network is used.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import zipfile

PROGRAM = """// {name}: says who it is
#include <cstdio>
#include <unistd.h>
#include "word.h"
int main(int argc, char** argv) {{
  char folder[4096];
  std::printf("{name} %s %s", word(), getcwd(folder, sizeof folder));
  for (int i = 1; i < argc; ++i) std::printf(" [%s]", argv[i]);
  std::printf("\\n");
  return argc > 1 ? 7 : 0;
}}
"""

CMAKE = """cmake_minimum_required(VERSION 3.25)
project(small CXX)
include_directories(src)
enable_testing()
add_subdirectory(tools)
add_test(NAME speaks COMMAND one)
"""


def write_wheel(folder):
    """A wheel whose programs `cmake` and `ninja` run the real ones; returns its line of a lock file."""
    wheel = folder / "small_tools-1.0-py3-none-any.whl"
    info = "small_tools-1.0.dist-info/"
    files = {
        "small_tools-1.0.data/scripts/cmake": '#!/bin/sh\nexec "$SFUMATO_CMAKE" "$@"\n',
        "small_tools-1.0.data/scripts/ctest": '#!/bin/sh\nexec "$(dirname "$SFUMATO_CMAKE")/ctest" "$@"\n',
        "small_tools-1.0.data/scripts/ninja": '#!/bin/sh\nexec "$SFUMATO_NINJA" "$@"\n',
        info + "METADATA": "Metadata-Version: 2.1\nName: small-tools\nVersion: 1.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(info + "RECORD", "".join(f"{name},,\n" for name in [*files, info + "RECORD"]))
    return f"small-tools==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class LauncherTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="sfumato launcher ")
        cls.top = pathlib.Path(cls.scratch.name).resolve()
        cls.wheels = cls.top / "wheels"
        cls.wheels.mkdir()
        cls.lock = write_wheel(cls.wheels)
        cls.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CMAKE_")},
            "XDG_CACHE_HOME": str(cls.top / "cache"),
            "PIP_FIND_LINKS": (cls.wheels).as_uri(),
            "PIP_NO_INDEX": "1",
            "CCACHE_DISABLE": "1",
            "SFUMATO_CUDA": "0",
        }
        cls.root, cls.original = cls.top / "checkout", cls.top / "original"
        cls.make_checkout(cls.root)
        cls.first = cls.call(cls.root, "one", "a b", "c", cwd=cls.top)
        assert cls.first.returncode == 7, cls.first.stderr
        cls.root.rename(cls.original)  # each test gets a copy at the place where it was built

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def make_checkout(cls, root):
        for folder in ("cmake", "src", "tools"):
            (root / folder).mkdir(parents=True)
        shutil.copy(os.environ["SFUMATO_LAUNCHER"], root / "sfumato")
        for name in ("build", "cuda", "parity", "parity_glide"):
            (root / f"cmake/{name}.lock").write_text(cls.lock)
        (root / "CMakeLists.txt").write_text(CMAKE)
        (root / "src/word.h").write_text('inline const char* word() { return "hello"; }\n')
        (root / "tools/CMakeLists.txt").write_text("add_executable(one one.cpp)\nadd_executable(two two.cpp)\n")
        for name in ("one", "two"):
            (root / f"tools/{name}.cpp").write_text(PROGRAM.format(name=name))
        (root / "tools/shared.cpp").write_text("// Not a program.\n")
        return root

    @classmethod
    def call(cls, root, *arguments, cwd=None, launcher=None, **environment):
        return subprocess.run([launcher or root / "sfumato", *arguments], cwd=cwd or root, capture_output=True,
                              text=True, env={**cls.environment, **environment}, stdin=subprocess.DEVNULL)

    def setUp(self):
        shutil.copytree(self.original, self.root, symlinks=True)
        self.addCleanup(shutil.rmtree, self.root)

    def edit(self, name, old, new):
        path = self.root / name
        path.write_text(path.read_text().replace(old, new))

    def test_passes_arguments_folder_output_and_exit_code_on(self):
        self.assertEqual(self.first.stdout, f"one hello {self.top} [a b] [c]\n")
        self.assertIn("building one", self.first.stderr)

    def test_help_lists_the_programs(self):
        result = self.call(self.root, "--help")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"(?m)^  one +says who it is$")
        self.assertRegex(result.stdout, r"(?m)^  test +\w")
        self.assertNotIn("Not a program", result.stdout)

    def test_an_unknown_program_is_one_line_and_exit_code_2(self):
        for name in ("tow", "../tools/two", "shared"):
            result = self.call(self.root, name)
            self.assertEqual((result.returncode, result.stdout, result.stderr.count("\n")), (2, "", 1), result.stderr)
            self.assertIn(name, result.stderr)
        self.assertIn("'two'", self.call(self.root, "tow").stderr)

    def test_when_all_is_current_it_is_silent_and_runs_no_tool(self):
        (venv,) = (self.top / "cache/sfumato").glob("build-*[0-9a-f]/")
        for name in ("cmake", "ninja"):
            tool = venv / "bin" / name
            self.addCleanup(os.replace, tool.rename(f"{tool}.kept"), tool)
            tool.write_text(f"#!/bin/sh\necho {name} was called >&2\nexit 9\n")
            tool.chmod(0o755)
        result = self.call(self.root, "one", PATH=self.fake(apt_get="exit 9", dpkg_query="echo called >&2; exit 9"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.edit("src/word.h", "hello", "servus")
        self.assertIn("was called", self.call(self.root, "one").stderr)  # the tools that would have been called

    def test_a_checkout_that_was_moved_is_configured_again(self):
        moved = self.top / "moved"
        self.root.rename(moved)
        self.addCleanup(moved.rename, self.root)
        result = self.call(moved, "one")
        self.assertEqual((result.returncode, result.stdout), (0, f"one hello {moved}\n"), result.stderr)
        self.assertIn("configuring", result.stderr)

    def test_runs_through_a_symbolic_link_from_anywhere(self):
        root = self.root
        link = root / "link"
        link.symlink_to("sfumato")
        result = self.call(root, "one", cwd="/", launcher=link)
        self.assertEqual((result.stdout, result.stderr), ("one hello /\n", ""))

    def test_builds_only_the_program_that_is_asked_for(self):
        root = self.root
        self.assertFalse((root / "build/tools/two").exists())
        one = (root / "build/tools/one").stat().st_mtime_ns
        self.assertEqual(self.call(root, "two").returncode, 0)
        self.edit("tools/two.cpp", '"two %s', '"zwei %s')
        self.call(root, "one")
        self.assertEqual((root / "build/tools/one").stat().st_mtime_ns, one)
        self.assertIn("zwei", self.call(root, "two").stdout)

    def test_notices_a_changed_header(self):
        root = self.root
        self.edit("src/word.h", "hello", "servus")
        self.assertIn("servus", self.call(root, "one").stdout)

    def test_a_failed_build_is_exit_code_1_and_tried_again(self):
        root = self.root
        self.edit("src/word.h", "return", "retrun")
        for _ in range(2):
            result = self.call(root, "one")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.edit("src/word.h", "retrun", "return")
        self.assertEqual(self.call(root, "one").returncode, 0)

    def test_repairs_an_interrupted_installation(self):
        root = self.root
        (venv,) = (self.top / "cache/sfumato").glob("build-*[0-9a-f]/")
        (venv / ".complete").unlink()
        (venv / "bin/cmake").write_text("half")
        result = self.call(root, "one")
        self.assertIn("repairing", result.stderr)
        self.assertEqual((result.returncode, result.stdout), (0, f"one hello {root}\n"), result.stderr)
        self.assertEqual(self.call(root, "one").stderr, "")

    def test_repairs_an_interrupted_configuration(self):
        root = self.root
        (root / "build/.sfumato/configured").unlink()
        (root / "build/.sfumato/one").unlink()
        (root / "build/build.ninja").write_text("half")
        self.assertEqual(self.call(root, "one").returncode, 0)

    def test_two_calls_at_once_build_once(self):
        root = self.root
        self.edit("src/word.h", "hello", "both")
        calls = [subprocess.Popen([root / "sfumato", "one"], env=self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [call.communicate() for call in calls]
        self.assertEqual([call.returncode for call in calls], [0, 0])
        self.assertTrue(all("both" in out for out, _ in outputs))
        self.assertEqual(sum("building one" in err for _, err in outputs), 1, outputs)

    def test_a_hand_configured_build_folder_keeps_its_build_type(self):
        shutil.rmtree(self.root / "build")
        subprocess.run([os.environ["SFUMATO_CMAKE"], "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-S", self.root, "-B",
                        self.root / "build", "-DCMAKE_MAKE_PROGRAM=" + os.environ["SFUMATO_NINJA"]],
                       check=True, capture_output=True)
        self.assertEqual(self.call(self.root, "one").returncode, 0)
        self.assertIn("CMAKE_BUILD_TYPE:STRING=Debug", (self.root / "build/CMakeCache.txt").read_text())

    def fake(self, **programs):
        """A folder with shell scripts of these names and bodies, to be put before PATH."""
        folder = self.root / "fake"
        folder.mkdir()
        for name, body in programs.items():
            path = folder / name.replace("_", "-")
            path.write_text("#!/bin/sh\n" + body + "\n")
            path.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    def without_packages(self):
        return self.fake(
            dpkg_query='for package; do :; done; test "$package" != mold && echo "ii "',
            dpkg="exit 0",
            sudo=f'echo "sudo $*" >> "{self.root}/log"; exit "$SUDO_RESULT"',
            apt_get=f'echo "$*" >> "{self.root}/log"')

    def test_without_root_it_names_the_missing_packages_and_stops(self):
        user = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        self.top.chmod(0o755)
        (self.root / "build/.sfumato/one").unlink()
        self.root.chmod(0o777)
        environment = {**self.environment, "PATH": self.without_packages(), "SUDO_RESULT": "1"}
        result = subprocess.run([*user, self.root / "sfumato", "one"], env=environment, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("apt-get install mold", result.stderr)
        self.assertNotIn("ccache", result.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "as root only")
    def test_as_root_it_installs_what_is_missing_and_no_more(self):
        (self.root / "build/.sfumato/one").unlink()
        result = self.call(self.root, "one", PATH=self.without_packages())
        self.assertEqual(result.returncode, 0, result.stderr)
        log = (self.root / "log").read_text()
        self.assertRegex(log, r"(?m)install .* mold$")
        self.assertNotIn("sudo", log)

    def test_the_cuda_libraries_come_where_they_are_wanted_and_once(self):
        root = self.root
        self.edit("cmake/cuda.lock", "\n", "  # wanted\n")  # another hash than in the other tests
        self.assertNotIn("CUDA", self.call(root, "one").stderr)
        self.assertIn("CUDA libraries", self.call(root, "one", SFUMATO_CUDA="1").stderr)
        self.assertEqual(self.call(root, "one", SFUMATO_CUDA="1").stderr, "")
        result = self.call(root, "one", SFUMATO_CUDA="yes")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("SFUMATO_CUDA is 'yes'; expected 0 or 1", result.stderr)

    def test_tests_end_with_the_summary_of_ctest_and_its_exit_code(self):
        result = self.call(self.root, "test")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("100% tests passed, 0 tests failed out of 1", result.stdout)
        self.edit("src/word.h", "return", "__builtin_abort(); return")
        result = self.call(self.root, "test", "-R", "speaks")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("Errors while running CTest", result.stderr + result.stdout)
        parity = list((self.top / "cache/sfumato").glob("parity-*/lib/python3*/site-packages/build.pth"))
        self.assertEqual(len(parity), 1)
        self.assertEqual(len(list((self.top / "cache/sfumato").glob("parity-*/references/*/.complete"))), 1)


if __name__ == "__main__":
    unittest.main()
