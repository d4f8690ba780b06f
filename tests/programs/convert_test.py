"""The program convert on a small random model: names that it takes, names that it refuses, a full disk.

What the converted weights are, the tests of parity say.
"""

import resource
import signal
import subprocess
import unittest

from generate_programs import BUILD, ENVIRONMENT, TXT2IMG, Programs

CONVERT = BUILD / "tools" / "convert"


class Convert(Programs):
    def convert(self, *arguments, **options):
        return subprocess.run([CONVERT, *map(str, arguments)], cwd=self.folder, env=ENVIRONMENT, capture_output=True,
                              text=True, timeout=120, **options)

    def converts(self, *arguments):
        result = self.convert(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def refused(self, *arguments, says, code=2, **options):
        before = self.files()
        result = self.convert(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertEqual(self.files(), before)
        self.assertEqual([path.name for path in self.folder.rglob("*.part")], [])

    def test_a_slash_after_a_folder_means_nothing(self):
        self.converts(f"{self.model}/", "copy/")
        self.converts(self.model, "copy/", "--force")
        self.makes(TXT2IMG, "a cat", "-o", "a.png", model=self.folder / "copy")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["a.png", "copy"])

    def test_a_folder_of_the_users_beside_the_output_stays(self):
        (self.folder / "copy.part").mkdir()
        (self.folder / "copy.part" / "mine").write_text("mine")
        self.converts(self.model, "copy")
        self.assertEqual((self.folder / "copy.part" / "mine").read_text(), "mine")

    def test_words_that_the_tokenizers_folder_adds_are_kept(self):
        model = self.damaged_model()
        (model / "tokenizer" / "added_tokens.json").write_text('{"<cat-toy>": 17}')
        self.converts(model, "copy")
        copied = self.folder / "copy" / "tokenizer" / "added_tokens.json"
        self.assertEqual(copied.read_text(), '{"<cat-toy>": 17}')

    def test_a_name_that_promises_another_format(self):
        for name in ("model.ckpt", "model.gguf", "model.bin", ""):
            self.refused(self.model, name, says=f"output '{name}': expected a folder, or a name that ends in .safetensors")

    def test_a_full_disk_is_a_failure_and_leaves_nothing(self):
        def small_files_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.refused(self.model, "copy", code=1, says="File too large", preexec_fn=small_files_only)

    def test_a_file_that_would_make_other_pictures_is_not_written(self):
        # 16 channels in 8 groups, and a vocabulary of 522 tokens.
        self.refused(self.model, "copy.safetensors", says="norm_num_groups")

    def test_a_place_where_nothing_can_be_written(self):
        self.refused(self.model, "/proc/copy", code=1, says="/proc/copy")


if __name__ == "__main__":
    unittest.main()
