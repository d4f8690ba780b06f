"""Tiny packs, image folders and recipes for the tests of `train`, and how they call it.

Given in the environment: SFUMATO_BUILD_DIR, a folder where all is built.
"""

import json
import os
import pathlib
import random
import resource
import signal
import struct
import subprocess
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

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
CLIP = {
    "kind": "clip",
    "steps": 12,
    "batch_size": 8,
    "data": {"image_size": 16},
    "noised": True,
    "clip": {
        "projection_dim": 8,
        "text_config": TOWER | {"vocab_size": 32, "max_position_embeddings": LENGTH, "eos_token_id": 1},
        "vision_config": TOWER | {"image_size": 16, "patch_size": 4},
    },
    "scheduler": {"_class_name": "DDPMScheduler", "num_train_timesteps": 50},
    "sample": {"count": 2},
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


def write_pack(path, side=16):
    """Twenty-four pictures of one colour and a brighter square, with random token ids."""
    rng = random.Random(0)
    count = 24
    pixels = bytearray()
    for _ in range(count):
        left, top = (rng.randrange(10) * side // 16 for _ in range(2))
        for _channel in range(3):
            ground, thing = rng.randrange(100), rng.randrange(150, 256)
            for y in range(side):
                for x in range(side):
                    inside = top <= y < top + 6 * side // 16 and left <= x < left + 6 * side // 16
                    pixels.append(thing if inside else ground)
    ids = [1 if i % LENGTH == LENGTH - 1 else rng.randrange(32) for i in range(count * LENGTH)]  # 1 ends each
    tensors = {
        "images": ("U8", [count, 3, side, side], bytes(pixels)),
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
