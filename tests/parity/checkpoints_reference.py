"""What Python's safetensors and diffusers write and read.

OUT_DIR gets {one,kinds}.safetensors for the reader, sharded, a diffusers folder, saved.ckpt, which torch.save wrote,
with saved.safetensors, hostile.pt, which would make a file named ran, and python, the path of this interpreter. Called with `check FILE`, this reads a file that C++ wrote and compares.
"""

import os
import pathlib
import sys

import torch
from safetensors.torch import load_file, save, save_file

DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.float8_e5m2, torch.float8_e4m3fn, torch.int16, torch.uint16,
    torch.float16, torch.bfloat16, torch.int32, torch.uint32, torch.float32, torch.float64, torch.int64, torch.uint64,
]


def kinds():
    """One tensor of every dtype, names that need escaping, an empty one and a scalar."""
    tensors = {f"{i:02d} {str(dtype)[6:]}": torch.tensor([[1, 0, 2]]).to(dtype) for i, dtype in enumerate(DTYPES)}
    tensors['quote " back \\ tab \t ü 猫'] = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    tensors["empty"] = torch.empty(0, 3)
    tensors["scalar"] = torch.tensor(2.5, dtype=torch.float64)
    return tensors


def write(out):
    from diffusers import AutoencoderKL

    out.mkdir(parents=True, exist_ok=True)
    (out / "python").write_text(sys.executable)
    generator = torch.Generator().manual_seed(0)
    names = ["decoder.conv_in.weight", "decoder.conv_in.bias", "a", "b.10", "b.9"]
    one = {name: torch.randn(3, 5, generator=generator) for name in names}
    save_file(one, out / "one.safetensors", metadata={"format": "pt"})
    save_file(kinds(), out / "kinds.safetensors")
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=2, latent_channels=2)
    vae.save_pretrained(out / "sharded", max_shard_size="4KB")
    save_file(vae.state_dict(), out / "sharded_whole.safetensors")
    write_pickles(out)


class Hostile:
    """Unpickling it runs a command."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


def write_pickles(out):
    """What state_dict, a trainer's checkpoint and views of one storage come to in a pickle."""
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    base = torch.randn(6, 8)
    tensors = {"transposed": base.T, "row": base[2], "step": base[::2, 1::3], "scalar": torch.tensor(2.5),
               "empty": torch.empty(0, 3), "expanded": torch.arange(5).expand(1, -1)}
    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16,
                  torch.bfloat16, torch.float64):
        tensors[str(dtype)[6:]] = torch.tensor([[1, 0, 2]]).to(dtype)
    state_dict = network.state_dict()  # an OrderedDict with attributes
    state_dict.update(tensors)
    state_dict["parameter"] = torch.nn.Parameter(torch.randn(3))
    adam = torch.optim.Adam(network.parameters()).state_dict()
    torch.save({"epoch": 3, "global_step": 10**12, "lr": 1e-4, "done": False, "note": None, "optimizer": adam,
                "state_dict": state_dict, "betas": (0.9, 0.999), "path": "ü"}, out / "saved.ckpt")
    save_file({name: value.detach().clone().contiguous() for name, value in state_dict.items()},
              out / "saved.safetensors")
    torch.save({"weight": torch.ones(1), "more": Hostile(out / "ran")}, out / "hostile.pt")


def check(path):
    read = load_file(path)
    expected = kinds()
    assert read.keys() == expected.keys(), (read.keys(), expected.keys())
    for name, tensor in expected.items():
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape, name
        assert torch.equal(read[name].double(), tensor.double()), name
    assert path.read_bytes() == save(expected), "not the bytes that Python writes"


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(pathlib.Path(sys.argv[2]))
    else:
        write(pathlib.Path(sys.argv[1]))
