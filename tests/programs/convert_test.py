"""The program convert on a small random model: names that it takes, names that it refuses, a full disk.

What the converted weights are, the tests of parity say.
"""

import json
import resource
import shutil
import signal
import struct
import subprocess
import unittest

from generate_programs import BUILD, ENVIRONMENT, TXT2IMG, Programs

CONVERT = BUILD / "tools" / "convert"


def read_tensors(path):
    """Header and body of a safetensors file."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def write_tensors(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


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
        for name in ("model.ckpt", "model.gguf", "model.bin"):
            self.refused(self.model, name, says=f"output '{name}': expected a folder, or a name that ends in .safetensors")

    def test_a_full_disk_is_a_failure_and_leaves_nothing(self):
        def small_files_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.refused(self.model, "copy", code=1, says="File too large", preexec_fn=small_files_only)

    def test_a_file_that_would_make_other_images_is_not_written(self):
        # 16 channels in 8 groups, and a vocabulary of 522 tokens.
        self.refused(self.model, "copy.safetensors", says="norm_num_groups")

    def test_unknown_and_missing_keys_are_refused_by_the_folders_names(self):
        for part, file in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
            # In the original layout the UNet's "time_embedding.out.0.weight" would hide "conv_norm_out.weight".
            for extra in ("extra.weight", "time_embedding.out.0.weight"):
                with self.subTest(part=part, extra=extra):
                    shutil.rmtree(self.folder / "damaged", ignore_errors=True)
                    model = self.damaged_model()
                    path = model / part / f"{file}.safetensors"
                    header, body = read_tensors(path)
                    header[extra] = {"dtype": "F32", "shape": [1], "data_offsets": [len(body), len(body) + 4]}
                    write_tensors(path, header, body + bytes(4))
                    self.refused(model, "copy.safetensors",
                                 says=f'the weights of {part} do not fit its config: 1 unexpected: "{extra}"')
        shutil.rmtree(self.folder / "damaged")
        model = self.damaged_model()
        path = model / "unet" / "diffusion_pytorch_model.safetensors"
        header, body = read_tensors(path)
        header["conv_in.weigth"] = header.pop("conv_in.weight")
        write_tensors(path, header, body)
        self.refused(model, "copy.safetensors", says='1 missing: "conv_in.weight"; 1 unexpected: "conv_in.weigth"')

    def test_a_place_where_nothing_can_be_written(self):
        self.refused(self.model, "/proc/copy", code=1, says="/proc/copy")


if __name__ == "__main__":
    unittest.main()
