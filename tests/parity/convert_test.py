"""convert: single files to folders that diffusers opens, and back to the same bits.

Run with a Python that has diffusers. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/convert, and
SFUMATO_PARITY_DIR, where single_file_reference.py wrote its files and folders.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path

import torch
import transformers
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, logging
from safetensors.torch import load_file

CONVERT = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools" / "convert"
REFERENCE = Path(os.environ["SFUMATO_PARITY_DIR"])
KINDS = {"sd1": StableDiffusionPipeline, "sd2": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline,
         "ssd": StableDiffusionXLPipeline}
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


def run(*arguments, **options):
    return subprocess.run([CONVERT, *arguments], capture_output=True, text=True, **options)


class Convert(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.filterwarnings("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def convert(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return Path(arguments[1])

    def assert_same_bits(self, actual, expected, left_out=()):
        """`actual` has each tensor of `expected` but those whose name holds one of `left_out`."""
        for name, value in expected.items():
            if any(word in name for word in left_out):
                continue
            self.assertEqual(actual[name].dtype, value.dtype, name)
            self.assertTrue(torch.equal(actual[name], value), name)

    def test_a_file_becomes_the_folder_that_diffusers_saves(self):
        for version, kind in KINDS.items():
            with self.subTest(version):
                folder = self.convert(REFERENCE / f"{version}.safetensors", self.folder / version)
                ours = kind.from_pretrained(folder, torch_dtype=torch.float32)
                theirs = kind.from_pretrained(REFERENCE / version, torch_dtype=torch.float32)
                for part in PARTS:
                    if getattr(theirs, part, None) is None:
                        continue
                    self.assert_same_bits(getattr(ours, part).state_dict(), getattr(theirs, part).state_dict())
                self.assertEqual(type(ours.scheduler), type(theirs.scheduler))
                self.assertEqual(ours.scheduler.config.prediction_type, theirs.scheduler.config.prediction_type)
                self.assertEqual(ours.tokenizer("a cat")["input_ids"], theirs.tokenizer("a cat")["input_ids"])

    def test_file_to_folder_to_file_is_exact_to_the_bit(self):
        for version in KINDS:
            with self.subTest(version):
                source = REFERENCE / f"{version}.safetensors"
                folder = self.convert(source, self.folder / version, "--max-shard-size", "1MB")
                self.assertTrue(list((folder / "unet").glob("*-00001-of-*.safetensors")))
                back = load_file(self.convert(folder, self.folder / f"{version}.safetensors"))
                # What a folder has no place for: the schedule, which its own file holds, position ids, OpenCLIP's
                # temperature and, of version 2, the layer and the projection that it does not use.
                left_out = ["betas", "position_ids", "logit_scale"]
                left_out += ["cond_stage_model.model.text_projection", "resblocks.2."] if version == "sd2" else []
                self.assert_same_bits(back, load_file(source), left_out)

    def test_folder_to_file_to_folder_is_exact_to_the_bit(self):
        for version in KINDS:
            with self.subTest(version):
                file = self.convert(REFERENCE / version, self.folder / f"{version}.safetensors")
                folder = self.convert(file, self.folder / version)
                ours, theirs = (KINDS[version].from_pretrained(place) for place in (folder, REFERENCE / version))
                for part in PARTS:
                    if getattr(theirs, part, None) is not None:
                        self.assert_same_bits(getattr(ours, part).state_dict(), getattr(theirs, part).state_dict())

    def test_a_full_disk_is_a_failure_and_leaves_nothing(self):
        def small_files_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        result = run(REFERENCE / "sd1", self.folder / "copy.safetensors", preexec_fn=small_files_only)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("File too large", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def changed(self, version, part, **values):
        """A copy of the reference's folder with other values in a config."""
        folder = self.folder / f"{version}-changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(REFERENCE / version, folder)
        path = folder / part
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return folder

    def test_what_a_file_cannot_say_is_refused_by_name(self):
        scheduler, unet, vae = "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"
        text = "text_encoder/config.json"
        for version, part, key, value in (
                ("sd1", scheduler, "beta_end", 0.02), ("sd1", scheduler, "beta_schedule", "linear"),
                ("sd1", scheduler, "num_train_timesteps", 500),
                ("sd2", scheduler, "prediction_type", "epsilon"), ("sd1", scheduler, "prediction_type", "sample"),
                ("sd1", unet, "norm_num_groups", 16), ("sd1", unet, "attention_head_dim", 4),
                ("sdxl", unet, "attention_head_dim", [1, 1, 2]), ("sd1", unet, "flip_sin_to_cos", False),
                ("sd1", unet, "freq_shift", 1), ("sd1", unet, "norm_eps", 1e-3), ("sd1", unet, "act_fn", "gelu"),
                ("sd1", unet, "downsample_padding", 0), ("sd1", unet, "mid_block_scale_factor", 2.0),
                ("sd1", unet, "center_input_sample", True), ("sd1", vae, "scaling_factor", 0.13025),
                ("sd1", vae, "shift_factor", 0.1), ("sd1", vae, "norm_num_groups", 16),
                ("sdxl", vae, "latents_mean", [0.1, 0, 0, 0]), ("sd1", text, "num_attention_heads", 6),
                ("sd1", text, "layer_norm_eps", 1e-3), ("sdxl", "model_index.json", "force_zeros_for_empty_prompt", False)):
            with self.subTest(f"{version} {key} {value}"):
                folder = self.changed(version, part, **{key: value})
                self.refuses(folder, self.folder / "out.safetensors", says=[key, "a reader of the file assumes"])
                self.assertFalse((self.folder / "out.safetensors").exists())

    def test_words_of_the_tokenizer_are_refused_by_name(self):
        folder = self.changed("sd1", "tokenizer/tokenizer_config.json")
        (folder / "tokenizer" / "added_tokens.json").write_text('{"<cat-toy>": 49408}')
        self.refuses(folder, self.folder / "out.safetensors", says=["<cat-toy>"])

    def test_a_vocabulary_of_its_own_is_refused_by_the_first_token(self):
        for swapped, says in (("vocab", ["the token", "of id 40000"]), ("merges", ["merges of its own"])):
            with self.subTest(swapped):
                folder = self.changed("sd1", "tokenizer/tokenizer_config.json")
                path = folder / "tokenizer" / "tokenizer.json"
                tokenizer = json.loads(path.read_text())
                model = tokenizer["model"]
                if swapped == "vocab":  # two rare words
                    one, other = (token for token, number in model["vocab"].items() if number in (40000, 40001))
                    model["vocab"][one], model["vocab"][other] = model["vocab"][other], model["vocab"][one]
                else:
                    model["merges"][-2:] = reversed(model["merges"][-2:])
                path.write_text(json.dumps(tokenizer))
                self.refuses(folder, self.folder / "out.safetensors", says=[*says, "the tokenizer of clip"])

    def test_what_changes_a_default_alone_is_warned_of_by_name(self):
        for part, key, value in (("scheduler/scheduler_config.json", "timestep_spacing", "trailing"),
                                 ("scheduler/scheduler_config.json", "_class_name", "EulerDiscreteScheduler"),
                                 ("unet/config.json", "sample_size", 32), ("vae/config.json", "force_upcast", False)):
            with self.subTest(f"{key} {value}"):
                folder = self.changed("sd1", part, **{key: value})
                result = run(folder, self.folder / "out.safetensors", "--force")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
                self.assertIn(key, result.stderr)

    def test_v_prediction_is_kept_by_a_key(self):
        folder = self.changed("sd1", "scheduler/scheduler_config.json", prediction_type="v_prediction")
        file = self.convert(folder, self.folder / "v.safetensors")
        self.assertIn("v_pred", load_file(file))
        back = self.convert(file, self.folder / "back")
        self.assertIn('"v_prediction"', (back / "scheduler" / "scheduler_config.json").read_text())
        told = self.convert(REFERENCE / "sd1.safetensors", self.folder / "told", "--prediction", "v_prediction")
        self.assertIn('"v_prediction"', (told / "scheduler" / "scheduler_config.json").read_text())

    def test_parts_that_are_left_out_are_named_and_the_folder_opens(self):
        folder = self.changed("sd1", "model_index.json", _class_name="StableDiffusionControlNetPipeline",
                              controlnet=["diffusers", "ControlNetModel"])
        (folder / "controlnet").mkdir()
        result = run(folder, self.folder / "out")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("controlnet' is left out", result.stderr)
        StableDiffusionPipeline.from_pretrained(self.folder / "out")

    def test_dtype_is_that_of_torch(self):
        half = load_file(self.convert(REFERENCE / "sd1", self.folder / "half.safetensors", "--dtype", "bf16"))
        whole = load_file(self.convert(REFERENCE / "sd1", self.folder / "whole.safetensors"))
        self.assertTrue(all(value.dtype == torch.bfloat16 for value in half.values()))
        self.assert_same_bits(half, {name: value.to(torch.bfloat16) for name, value in whole.items()})

    def refuses(self, *arguments, says):
        result = run(*arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in says:
            self.assertIn(word, result.stderr)

    def test_what_cannot_be_converted_is_refused_in_one_line(self):
        source = REFERENCE / "sd1.safetensors"
        self.refuses(self.folder / "none", self.folder / "out", says=["none", "no such folder or file"])
        self.refuses(source, self.folder / "out", "--dtype", "int8", says=["int8", "float32"])
        self.refuses(source, self.folder / "out.safetensors", "--max-shard-size", "1MB", says=["--max-shard-size 1MB"])
        self.refuses(source, source, "--force", says=["is the input"])
        taken = self.folder / "taken.safetensors"
        taken.write_bytes(b"something")
        self.refuses(source, taken, says=["taken.safetensors", "--force"])
        self.refuses(taken, self.folder / "out", says=["taken.safetensors"])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["taken.safetensors"])


if __name__ == "__main__":
    unittest.main()
