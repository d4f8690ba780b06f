"""The program `train` on a tiny pack: what a killed run leaves, what its continuation gives, what it refuses, and the
folders it exports.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/train. Python's standard library alone is used.
"""

import json
import os
import pathlib
import pty
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

TRAIN = pathlib.Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools" / "train"
LENGTH = 8

VAE = {
    "kind": "vae",
    "steps": 12,
    "batch_size": 4,
    "data": {"image_size": 16, "crop_size": 8},
    "vae": {
        "block_out_channels": [8, 8],
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
    },
    "schedule": {"warmup_steps": 3},
    "sample": {"count": 4},
    "log_every": 1,
    "sample_every": 6,
    "checkpoint_every": 3,
}

TEXT_TO_IMAGE = {
    "kind": "text_to_image",
    "steps": 12,
    "batch_size": 4,
    "data": {"image_size": 16},
    "unet": {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [8, 16],
        "layers_per_block": 1,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": 16,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    },
    "text_encoder": {"vocab_size": 32, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "scheduler": {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
        "clip_sample": False,
    },
    "schedule": {"warmup_steps": 3},
    "sample": {"count": 2, "steps": 2},
    "log_every": 1,
    "sample_every": 6,
    "checkpoint_every": 3,
}

UNCONDITIONAL = {
    "kind": "unconditional",
    "steps": 12,
    "batch_size": 4,
    "data": {"format": "folder", "image_size": 16, "held_out": 2},
    "unet": {
        "block_out_channels": [8, 8],
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "add_attention": False,
        "num_class_embeds": 2,
    },
    "scheduler": {"_class_name": "DDPMScheduler", "num_train_timesteps": 50},
    "sample": {"count": 2, "steps": 2},
    "bits_per_dimension": {"every": 12, "timesteps": 5},
    "log_every": 1,
    "sample_every": 6,
    "checkpoint_every": 3,
}


def write_png(path, width, height, colour):
    """A picture of one colour."""
    rows = (b"\0" + bytes(colour) * width) * height
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
                           (b"IDAT", zlib.compress(rows)), (b"IEND", b""))))


def write_image_folder(folder):
    """Twelve images of mixed sizes in two subfolders."""
    for i in range(12):
        write_png(folder / ("even", "odd")[i % 2] / f"{i}.png", (16, 20, 24)[i % 3], (16, 30)[i % 2], (20 * i, 90, 200))


def write_pack(path):
    """Twenty-four 16 x 16 pictures of one colour and a brighter square, with random token ids."""
    rng = random.Random(0)
    count = 24
    pixels = bytearray()
    for _ in range(count):
        left, top = rng.randrange(10), rng.randrange(10)
        for _channel in range(3):
            ground, thing = rng.randrange(100), rng.randrange(150, 256)
            for y in range(16):
                for x in range(16):
                    pixels.append(thing if top <= y < top + 6 and left <= x < left + 6 else ground)
    ids = [rng.randrange(32) for _ in range(count * LENGTH)]
    tensors = {
        "images": ("U8", [count, 3, 16, 16], bytes(pixels)),
        "captions.ids": ("I32", [count, LENGTH], struct.pack(f"<{len(ids)}i", *ids)),
        "captions.bytes": ("U8", [count], b"x" * count),
        "captions.offsets": ("I64", [count + 1], struct.pack(f"<{count + 1}q", *range(count + 1))),
        "empty.ids": ("I32", [LENGTH], struct.pack(f"<{LENGTH}i", 1, *[0] * (LENGTH - 1))),
        "probes.ids": ("I32", [2, LENGTH], struct.pack(f"<{2 * LENGTH}i", *ids[: 2 * LENGTH])),
        "probes.bytes": ("U8", [2], b"ab"),
        "probes.offsets": ("I64", [3], struct.pack("<3q", 0, 1, 2)),
        "split.held_out": ("I64", [1], struct.pack("<q", 4)),
    }
    header, body = {"__metadata__": {"format": "sfumato-pack", "version": "1"}}, b""
    for name, (dtype, shape, data) in sorted(tensors.items(), key=lambda item: item[1][0] != "I64"):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def run(*arguments, **options):
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    return subprocess.run([TRAIN, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=300,
                          **options)


def files_up_to(size):
    """For preexec_fn: a disk that is full for any file beyond this many bytes."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def states(folder):
    return sorted((folder / "checkpoints").glob("step-*/state.safetensors"))


def weights(path):
    """The bytes of a safetensors file's tensors by name."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]]
            for name, entry in header.items()}


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
        cls.vae, cls.text_to_image = cls.folder / "vae.json", cls.folder / "text_to_image.json"
        cls.unconditional = cls.folder / "unconditional.json"
        cls.unconditional.write_text(json.dumps(UNCONDITIONAL))
        cls.vae.write_text(json.dumps(VAE))
        cls.text_to_image.write_text(json.dumps(TEXT_TO_IMAGE))
        whole = run(cls.vae, "--out", cls.folder / "vae-whole", "--quiet")
        assert whole.returncode == 0, whole.stderr
        exported = run("--export", cls.folder / "vae-whole", cls.folder / "vae", "--dtype", "fp32")
        assert exported.returncode == 0, exported.stderr
        for recipe, name in ((cls.text_to_image, "whole"), (cls.unconditional, "unconditional")):
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
                              (self.unconditional, "unconditional")):
            with self.subTest(recipe=recipe.name):
                code, first, out = self.kill_and_resume(recipe, f"killed-{whole}", signal.SIGKILL)
                self.assertEqual(code, -signal.SIGKILL, "the run ended before it could be killed")
                self.assertLess(first, "step-00000012")
                self.assert_same_run(out, self.folder / whole)

    def test_ctrl_c_writes_a_checkpoint_and_the_run_continues_exactly(self):
        code, _, out = self.kill_and_resume(self.text_to_image, "interrupted", signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertEqual(states(out)[-1].read_bytes(), states(self.folder / "whole")[-1].read_bytes())

    def test_a_run_killed_while_it_encodes_its_pictures_goes_on_with_resume(self):
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

    def test_pictures_are_written_at_intervals(self):
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
        self.refused(self.vae, "--out", out, "--dtype", "fp32", says="--dtype without --export")
        self.refused("--export", self.folder / "whole", out, "--steps", "3", says="--steps with --export")
        self.refused("--curve", self.folder / "whole", self.folder / "curve.png", says="expected a name that ends in .svg")
        self.refused("--export", self.folder / "whole", out, "--max-shard-size", "big", says="'big'")
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
