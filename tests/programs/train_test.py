"""The program `train` on a tiny pack: what a killed run leaves, what its continuation gives, what it refuses, and the
folders it exports.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/train. Python's standard library alone is used.
"""

import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from train_programs import (CLIP, TEXT_TO_IMAGE, TRAIN, UNCONDITIONAL, VAE, files_up_to, run, states, weights,
                            write_image_folder, write_pack, write_png)


class Train(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        pack = cls.folder / "pack.safetensors"
        write_pack(pack)
        tokenizer = cls.folder / "tokenizer"
        tokenizer.mkdir()
        (tokenizer / "spiece.model").write_bytes(b"model")
        (tokenizer / "tokenizer_config.json").write_text('{"model_max_length": 8}')
        VAE["data"]["pack"] = TEXT_TO_IMAGE["data"]["pack"] = str(pack)
        TEXT_TO_IMAGE["vae"] = str(cls.folder / "vae")
        TEXT_TO_IMAGE["tokenizer"] = str(tokenizer)
        write_image_folder(cls.folder / "images")
        UNCONDITIONAL["data"]["path"] = str(cls.folder / "images")
        CLIP["data"]["pack"], CLIP["tokenizer"] = str(pack), str(tokenizer)
        cls.clip = cls.folder / "clip.json"
        cls.clip.write_text(json.dumps(CLIP))
        cls.vae, cls.text_to_image = cls.folder / "vae.json", cls.folder / "text_to_image.json"
        cls.unconditional = cls.folder / "unconditional.json"
        cls.unconditional.write_text(json.dumps(UNCONDITIONAL))
        cls.vae.write_text(json.dumps(VAE))
        cls.text_to_image.write_text(json.dumps(TEXT_TO_IMAGE))
        whole = run(cls.vae, "--out", cls.folder / "vae-whole", "--quiet")
        assert whole.returncode == 0, whole.stderr
        exported = run("--export", cls.folder / "vae-whole", cls.folder / "vae", "--dtype", "fp32")
        assert exported.returncode == 0, exported.stderr
        for recipe, name in ((cls.text_to_image, "whole"), (cls.unconditional, "unconditional"), (cls.clip, "clip")):
            whole = run(recipe, "--out", cls.folder / name, "--quiet")
            assert whole.returncode == 0, whole.stderr

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def kill_and_resume(self, recipe, name, stop_signal):
        """Ends the process as soon as a checkpoint is there, at whatever point the loop is then, and continues."""
        out = self.folder / name
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        command = [TRAIN, str(recipe), "--out", str(out), "--quiet"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while not states(out) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(stop_signal)
        process.wait()
        first = states(out)[-1].parent.name
        resumed = run(recipe, "--out", out, "--quiet", "--resume")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        return process.returncode, first, out

    def assert_same_run(self, one, other):
        self.assertEqual([p.parent.name for p in states(one)], [p.parent.name for p in states(other)])
        self.assertEqual(states(one)[-1].read_bytes(), states(other)[-1].read_bytes())
        losses = []
        for folder in (one, other):
            lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
            losses.append([(line["step"], line["loss"]) for line in lines if "loss" in line])
        self.assertEqual(losses[0], losses[1])

    def test_a_killed_run_that_continues_gives_the_same_weights_bit_for_bit(self):
        for recipe, whole in ((self.vae, "vae-whole"), (self.text_to_image, "whole"),
                              (self.unconditional, "unconditional"), (self.clip, "clip")):
            with self.subTest(recipe=recipe.name):
                code, first, out = self.kill_and_resume(recipe, f"killed-{whole}", signal.SIGKILL)
                self.assertEqual(code, -signal.SIGKILL, "the run ended before it could be killed")
                self.assertLess(first, "step-00000012")
                self.assert_same_run(out, self.folder / whole)

    def test_ctrl_c_writes_a_checkpoint_and_the_run_continues_exactly(self):
        code, _, out = self.kill_and_resume(self.text_to_image, "interrupted", signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertEqual(states(out)[-1].read_bytes(), states(self.folder / "whole")[-1].read_bytes())

    def test_a_run_killed_while_it_encodes_its_images_goes_on_with_resume(self):
        out = self.folder / "encoding"
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        command = [TRAIN, str(self.text_to_image), "--out", str(out), "--quiet"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            self.assertEqual(process.stderr.readline(), "encoding 24 pictures with the autoencoder\n")
            process.kill()
        # Whichever of the two it has come to by now: the encoded pictures aside, or nothing at all.
        resumed = run(self.text_to_image, "--out", out, "--quiet", *(["--resume"] if out.exists() else []))
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assert_same_run(out, self.folder / "whole")
        self.assertEqual(list(out.rglob("*.part")), [])

    def test_what_is_encoded_is_shown_like_the_training(self):
        shown = run(self.text_to_image, "--out", self.folder / "shown", "--steps", 1)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        lines = shown.stderr.splitlines()
        self.assertEqual(lines[0], "encoding 24 pictures with the autoencoder")
        self.assertTrue(lines[1].startswith("encode 100% 24/24"), lines[1])
        self.assertTrue(lines[2].startswith("train 100% 1/1"), lines[2])

    def on_a_terminal(self, name, *arguments):
        """What the program writes on standard error where that is one."""
        terminal, end = pty.openpty()
        self.addCleanup(os.close, terminal)
        command = [TRAIN, str(self.text_to_image), "--out", str(self.folder / name), "--steps", "1", *arguments]
        result = subprocess.run(command, stderr=end, env=dict(os.environ, OMP_NUM_THREADS="1"), timeout=300)
        os.close(end)
        self.assertEqual(result.returncode, 0)
        return os.read(terminal, 65536).decode()

    def test_what_is_encoded_is_a_bar_on_a_terminal_and_nothing_there_when_quiet(self):
        self.assertIn("encode 100% [####################] 24/24", self.on_a_terminal("bar"))
        self.assertEqual(self.on_a_terminal("no-bar", "--quiet").strip(), f"done: {self.folder / 'no-bar'}")

    def test_the_log_holds_losses_speed_and_held_out_metrics(self):
        lines = [json.loads(line) for line in (self.folder / "vae-whole" / "log.jsonl").read_text().splitlines()]
        self.assertEqual(
            set(lines[0]), {"step", "loss", "lr", "grad_norm", "images_per_second"}
        )
        self.assertEqual([line["step"] for line in lines if "held_out_psnr" in line], [6, 12])

    def test_only_the_newest_two_checkpoints_stay_and_nothing_half_written(self):
        names = sorted(path.name for path in (self.folder / "whole" / "checkpoints").iterdir())
        self.assertEqual(names, ["step-00000009", "step-00000012"])
        self.assertEqual(list(self.folder.rglob("*.part")), [])

    def test_images_are_written_at_intervals(self):
        names = sorted(path.stem for path in (self.folder / "whole" / "samples").iterdir())
        self.assertEqual(names, ["step-00000006", "step-00000012"])

    def test_the_export_is_a_whole_pipeline_folder_in_shards(self):
        out = self.folder / "export"
        result = run("--export", self.folder / "whole", out, "--dtype", "fp16", "--max-shard-size", "8KiB")
        self.assertEqual(result.returncode, 0, result.stderr)
        index = json.loads((out / "model_index.json").read_text())
        self.assertEqual(index["_class_name"], "StableDiffusionPipeline")
        self.assertEqual(index["tokenizer"], ["transformers", "T5Tokenizer"])
        for part in ("unet", "vae", "text_encoder", "scheduler", "tokenizer"):
            self.assertTrue((out / part).is_dir(), part)
        scheduler = json.loads((out / "scheduler" / "scheduler_config.json").read_text())
        self.assertEqual(scheduler["_class_name"], "DDIMScheduler")
        self.assertEqual(scheduler["prediction_type"], "v_prediction")
        self.assertTrue(scheduler["rescale_betas_zero_snr"])
        self.assertEqual(json.loads((out / "text_encoder" / "config.json").read_text())["dtype"], "float32")
        self.assertTrue((out / "unet" / "diffusion_pytorch_model.safetensors.index.json").exists())
        self.assertEqual((out / "tokenizer" / "spiece.model").read_bytes(), b"model")

    def test_an_export_into_a_folder_with_files_is_refused(self):
        out = self.folder / "occupied"
        out.mkdir()
        (out / "notes.txt").write_text("mine")
        refused = run("--export", self.folder / "whole", out)
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"'{out}' has files already", refused.stderr)
        self.assertEqual([path.name for path in out.iterdir()], ["notes.txt"])
        self.assertEqual(run("--export", self.folder / "whole", out, "--force").returncode, 0)
        self.assertTrue((out / "model_index.json").exists())
        self.assertEqual((out / "notes.txt").read_text(), "mine")

    def test_an_interrupted_export_leaves_nothing(self):
        for pause in (0.3, 0.4, 0.5, 0.6):  # while it starts, before and while it writes
            out = self.folder / f"interrupted-{pause}"
            process = subprocess.Popen([TRAIN, "--export", self.folder / "whole", out], stderr=subprocess.PIPE)
            time.sleep(pause)
            process.terminate()
            process.communicate()
            left = [path.name for path in self.folder.iterdir() if path.name.startswith(out.name)]
            if process.returncode == 0:
                self.assertTrue((out / "model_index.json").exists())
            else:
                self.assertEqual(left, [])

    def test_an_unconditional_run_exports_a_pipeline_folder(self):
        out = self.folder / "unconditional-export"
        result = run("--export", self.folder / "unconditional", out, "--dtype", "fp32")
        self.assertEqual(result.returncode, 0, result.stderr)
        index = json.loads((out / "model_index.json").read_text())
        self.assertEqual({key: index[key] for key in ("_class_name", "unet", "scheduler")},
                         {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"],
                          "scheduler": ["diffusers", "DDPMScheduler"]})
        self.assertEqual(json.loads((out / "unet" / "config.json").read_text())["sample_size"], 16)
        scheduler = json.loads((out / "scheduler" / "scheduler_config.json").read_text())
        self.assertEqual(scheduler["num_train_timesteps"], 50)

    def test_a_clip_run_exports_a_folder_of_its_own(self):
        out = self.folder / "clip-export"
        result = run("--export", self.folder / "clip", out, "--dtype", "fp32")
        self.assertEqual(result.returncode, 0, result.stderr)
        config = json.loads((out / "config.json").read_text())
        self.assertEqual((config["architectures"], config["model_type"]), (["CLIPModel"], "clip"))
        self.assertTrue(config["vision_config"]["time_embedding"])
        scheduler = json.loads((out / "scheduler_config.json").read_text())
        self.assertEqual(scheduler["num_train_timesteps"], 50)
        self.assertEqual((out / "spiece.model").read_bytes(), b"model")
        self.assertIn("vision_model.time_embedding.linear_1.weight", weights(out / "model.safetensors"))
        log = [json.loads(line) for line in (self.folder / "clip" / "log.jsonl").read_text().splitlines()]
        measured = [line for line in log if "held_out_accuracy" in line]
        self.assertEqual([line["step"] for line in measured], [6, 12])
        self.assertIn("held_out_accuracy_clean", measured[0])

    def test_an_unconditional_run_in_latents_exports_its_first_stage(self):
        out, exported = self.folder / "latents", self.folder / "latents-export"
        result = run(self.unconditional, "--out", out, "--quiet", "--steps", 1, "--set", f"vae={self.folder / 'vae'}",
                     "--set", "unet.in_channels=4", "--set", "unet.out_channels=4", "--set",
                     "scheduler.clip_sample=false", "--set", "bits_per_dimension={}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.splitlines()[0], "encoding 24 pictures with the autoencoder", "mirrored ones too")
        self.assertEqual(run("--export", out, exported, "--dtype", "fp32").returncode, 0)
        index = json.loads((exported / "model_index.json").read_text())
        self.assertEqual((index["_class_name"], index["vqvae"]), ("LDMPipeline", ["diffusers", "AutoencoderKL"]))
        self.assertEqual(json.loads((exported / "unet" / "config.json").read_text())["sample_size"], 8)
        self.assertTrue((exported / "vqvae" / "diffusion_pytorch_model.safetensors").exists())

    def test_bits_per_dimension_are_logged_and_measured(self):
        lines = [json.loads(line) for line in (self.folder / "unconditional" / "log.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines if "held_out_bpd" in line], [12])
        out = self.folder / "bpd.json"
        result = run("--bpd", self.folder / "unconditional", out, "--timesteps", 5, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^[0-9.]+ bits per dimension of 2 held-out images\n$")
        measured = json.loads(out.read_text())
        self.assertEqual(measured["held_out_bpd"], [line for line in lines if "held_out_bpd" in line][0]["held_out_bpd"])
        self.assertEqual([(row["t"], row["weight"]) for row in measured["timesteps"]],
                         [(0, 1), (1, 2), (3, 4), (7, 12), (19, 31)])
        self.refused("--bpd", self.folder / "whole", out, says="models no 8-bit images")
        self.refused("--bpd", self.folder / "unconditional", self.folder / "bpd.txt", says="a name that ends in .json")
        self.refused(self.unconditional, "--out", self.folder / "none", "--images", 3, says="--images without --bpd")

    def test_an_image_folder_that_cannot_be_read_is_refused_in_one_line(self):
        out, empty = self.folder / "no-images", self.folder / "empty"
        empty.mkdir()
        write_png(self.folder / "mixed" / "1.png", 20, 10, (1, 2, 3))
        (self.folder / "broken").mkdir()
        (self.folder / "broken" / "1.png").write_bytes(b"no picture")
        for path, says in (("none", "none' is no folder of images"), ("empty", "empty' holds no images"),
                           ("broken", "1.png"), ("mixed", "mixed' has no classes")):
            setting = f"data.path={self.folder / path}"
            self.refused(self.unconditional, "--out", out, "--quiet", "--set", setting, "--set", "data.held_out=0",
                         says=says)
        self.refused(self.unconditional, "--out", out, "--quiet", "--set", "data.resize=none",
                     says="pixels, expected 16 x 16 with 'resize' none")
        self.refused(self.unconditional, "--out", out, "--quiet", "--set", "unet.num_class_embeds=5",
                     says="'num_class_embeds' is 5; expected 2, the classes of")
        self.refused(self.unconditional, "--out", out, "--quiet", "--set", "data.held_out=12",
                     says="'held_out' is 12, expected fewer than the set's 12 images")
        self.refused(self.unconditional, "--out", out, "--quiet", "--set", "data.pack=p", says="unknown key 'pack'")
        self.assertFalse(out.exists())

    def test_a_run_starts_from_given_weights(self):
        exported = self.folder / "start"
        self.assertEqual(run("--export", self.folder / "whole", exported, "--dtype", "fp32").returncode, 0)
        result = run(self.text_to_image, "--out", self.folder / "tuned", "--init-from", exported, "--steps", 1, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_frozen_encoder_stays_as_it_was_given(self):
        start, tuned, again = self.folder / "vae", self.folder / "decoder", self.folder / "decoder-vae"
        freeze = ("--set", "freeze_encoder=true", "--set", "vae.scaling_factor=0.5")
        self.refused(self.vae, "--out", tuned, *freeze, says="--init-from")
        result = run(self.vae, "--out", tuned, *freeze, "--init-from", start, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(run("--export", tuned, again, "--dtype", "fp32").returncode, 0)
        before, after = (weights(folder / "diffusion_pytorch_model.safetensors") for folder in (start, again))
        kept = {name for name in before if name.startswith(("encoder.", "quant_conv."))}
        self.assertEqual({name for name in before if before[name] == after[name]} & kept, kept)
        self.assertNotEqual(before["decoder.conv_in.weight"], after["decoder.conv_in.weight"])
        self.assertEqual(json.loads((again / "config.json").read_text())["scaling_factor"], 0.5)

    def refused(self, *arguments, says, code=2, lines=1, **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertEqual(result.stderr.count("\n"), lines, result.stderr)

    def test_a_latent_of_other_channels_is_refused_before_training(self):
        out = self.folder / "misfit"
        result = run(self.text_to_image, "--out", out, "--set", "unet.in_channels=5", "--set", "unet.out_channels=5")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.splitlines()[-1],
                         "train: unet: 'in_channels' is 5; expected the autoencoder's 'latent_channels', 4")

    def test_a_tokenizer_that_the_export_will_miss_is_told_at_the_start(self):
        out = self.folder / "no-tokenizer"
        result = run(self.text_to_image, "--out", out, "--steps", 1, "--quiet", "--set", "tokenizer=elsewhere")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("train: warning: the recipe's tokenizer 'elsewhere' has no file spiece.model", result.stderr)

    def test_a_run_goes_on_with_its_own_networks_alone(self):
        out, before = self.folder / "vae-whole", (self.folder / "vae-whole" / "recipe.json").read_bytes()
        for setting, says in (("vae.norm_num_groups=8", "'vae.norm_num_groups' is 8, and the run was begun with 4"),
                              ("seed=4", "'seed' is 4, and the run was begun with 0"),
                              ("data.image_size=8", "'data.image_size' is 8, and the run was begun with 16")):
            self.refused(self.vae, "--out", out, "--resume", "--steps", 20, "--set", setting, says=says)
        self.refused(self.unconditional, "--out", self.folder / "unconditional", "--resume", "--set", "data.held_out=4",
                     says="'data.held_out' is 4, and the run was begun with 2")
        self.refused(self.vae, "--out", self.folder / "whole", "--resume",
                     says="'kind' is \"vae\", and the run was begun with \"text_to_image\"")
        self.refused(self.vae, "--out", out, "--resume", "--steps", 20, "--init-from", self.folder / "vae",
                     says="goes on with its own weights; expected no --init-from")
        self.assertEqual((out / "recipe.json").read_bytes(), before)

    def test_a_run_that_has_no_step_left_stays_as_it_is(self):
        out, before = self.folder / "vae-whole", (self.folder / "vae-whole" / "recipe.json").read_bytes()
        for steps in (12, 6):
            result = run(self.vae, "--out", out, "--resume", "--steps", steps, "--set", "optimizer.lr=1e-6")
            self.assertEqual((result.returncode, result.stderr),
                             (0, f"nothing to train: '{out}' is at step 12, and the recipe ends at {steps}\n"))
        self.assertEqual((out / "recipe.json").read_bytes(), before)

    def test_a_recipe_is_written_when_training_begins(self):
        out = self.folder / "again"
        shutil.copytree(self.folder / "vae-whole", out)
        settings = ("--set", "optimizer.lr=1e-6", "--set", "sample_every=7")
        self.refused(self.vae, "--out", out, "--resume", "--steps", 13, *settings, "--set", "data.pack=none.safetensors",
                     says="none.safetensors", lines=2)
        self.assertEqual(json.loads((out / "recipe.json").read_text())["steps"], 12)
        result = run(self.vae, "--out", out, "--resume", "--steps", 13, *settings, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        recipe = json.loads((out / "recipe.json").read_text())
        self.assertEqual((recipe["steps"], recipe["sample_every"]), (13, 7))

    def test_a_place_where_nothing_can_be_written_is_refused(self):
        run_folder, file = self.folder / "vae-whole", self.folder / "file"
        file.write_text("mine")
        for arguments in ((self.vae, "--out", file / "run"), (self.vae, "--out", "/proc/run"),
                          ("--export", run_folder, file / "export"), ("--export", run_folder, "/proc/export"),
                          ("--curve", run_folder, file / "curve.svg"), ("--curve", run_folder, "/proc/curve.svg"),
                          ("--bpd", self.folder / "unconditional", file / "bits.json")):
            with self.subTest(arguments):
                self.refused(*arguments, says=f"output '{arguments[-1]}': ")
        self.assertEqual(file.read_text(), "mine")

    def test_a_full_disk_is_a_failure_and_leaves_nothing_half_written(self):
        out = self.folder / "full"
        self.refused(self.vae, "--out", out, "--quiet", says="File too large", code=1, preexec_fn=files_up_to(20000))
        self.assertEqual([path.name for path in out.rglob("*.part")], [])
        self.assertEqual(states(out), [])
        self.refused("--export", self.folder / "whole", self.folder / "full-export", says="File too large", code=1,
                     preexec_fn=files_up_to(2000))
        self.assertFalse((self.folder / "full-export" / "model_index.json").exists())
        self.refused("--curve", self.folder / "whole", self.folder / "curve.svg", says="File too large", code=1,
                     preexec_fn=files_up_to(100))
        self.assertFalse((self.folder / "curve.svg").exists())

    def test_what_is_wrong_is_refused_in_one_line(self):
        out = self.folder / "refused"
        self.refused(self.vae, "--out", out, "--set", "batchsize=3", says="did you mean 'batch_size'?")
        self.refused(self.vae, "--out", out, "--stepz", "3", says="did you mean '--steps'?")
        self.refused(self.vae, "--out", out, "--steps", "many", says="--steps 'many'")
        self.refused(self.vae, "--out", out, "--set", "vae.act_fn=swash", says="swash")
        self.refused(self.vae, "--out", out, "--resume", says="there is no run")
        self.refused(self.vae, "--out", out, "--set", "seed=1", "--set", "seed=2", says="'seed' is set 2 times")
        self.refused(self.vae, "--out", out, "--steps", 3, "--set", "steps=4", says="'steps' is set 2 times")
        self.refused(self.vae, says="--out is missing")
        self.refused(self.vae, "--out", self.folder / "vae-whole", says="holds a run already")
        self.refused(self.folder / "none.json", "--out", out, says="none.json")
        self.refused(self.vae, "--out", out, "--set", "data.pack=none.safetensors", says="none.safetensors")
        self.refused("--export", out, self.folder / "nowhere", says="refused")
        self.refused(self.vae, "--out", out, "--set", "vae.latent_channels=0", says="'latent_channels' is 0")
        self.refused(self.vae, "--out", out, "--set", "data.crop_size=7", says="'crop_size' is 7; expected a multiple of 2")
        self.refused(self.text_to_image, "--out", out, "--set", "text_encoder.vocab_size=3",
                     says="'vocab_size' is 3; expected more than the pack's token ids")
        self.refused(self.text_to_image, "--out", out, "--set", "sample.steps=2000", says="sample: 'steps' is 2000")
        self.refused(self.clip, "--out", out, "--set", "clip.text_config.eos_token_id=40",
                     says="the id that ends every caption of the pack")
        self.refused(self.clip, "--out", out, "--replicas", "2",
                     says="expected 1 with a loss that compares the rows of a batch")
        self.refused(self.vae, "--out", out, "--dtype", "fp32", says="--dtype without --export")
        self.refused("--export", self.folder / "whole", out, "--steps", "3", says="--steps with --export")
        self.refused("--curve", self.folder / "whole", self.folder / "curve.png", says="expected a name that ends in .svg")
        self.refused("--export", self.folder / "whole", out, "--max-shard-size", "big", says="'big'")
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
