"""Runs txt2img and img2img in float16 and bfloat16, with a VAE whose activations are beyond float16's range, as those of
Stable Diffusion XL's are."""

import json
import math
import struct
import unittest

from generate_programs import IMG2IMG, TXT2IMG, Programs, decoded, png
from refiner_test import change_json, write_xl_model


def scale_tensors(path, ending, factor):
    """Multiplies the float32 tensors of a safetensors file whose names end so."""
    data = path.read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header, values = json.loads(data[8:begin]), bytearray(data[begin:])
    for name, entry in header.items():
        if not name.endswith(ending):
            continue
        first, last = entry["data_offsets"]
        form = f"<{(last - first) // 4}f"
        values[first:last] = struct.pack(form, *(factor * x for x in struct.unpack(form, values[first:last])))
    path.write_bytes(data[:begin] + values)


class Computes(Programs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.root / "xl"
        write_xl_model(cls.model, is_refiner=False)
        # The norms behind these layers scale back what they make.
        scale_tensors(cls.model / "vae" / "diffusion_pytorch_model.safetensors", "coder.conv_in.weight", 1e6)

    def setUp(self):
        super().setUp()
        (self.folder / "photo.png").write_bytes(png(64, 64))

    def picture(self, dtype, program=TXT2IMG):
        start = ("-i", "photo.png", "--strength", "0.5", "--steps", "4") if program is IMG2IMG else ()
        self.makes(program, "a cat", "-s", "1", "--dtype", dtype, "--force", "-o", "picture.png", *start)
        return b"".join(decoded(self.folder / "picture.png"))

    def psnr(self, dtype, program=TXT2IMG):
        """In decibels, against float32."""
        one, other = self.picture(dtype, program), self.picture("float32", program)
        error = sum((a - b) ** 2 for a, b in zip(one, other)) / len(one)
        return 10 * math.log10(255 ** 2 / max(error, 1e-9))

    def test_float16_and_bfloat16_give_the_image_of_float32(self):
        # Rounding to 11 and 8 bits of what the networks make; another seed's picture is below 20.
        for program in (TXT2IMG, IMG2IMG):
            self.assertGreater(self.psnr("float16", program), 40)
            self.assertGreater(self.psnr("bfloat16", program), 25)

    def test_without_force_upcast_float16_would_lose_it(self):
        change_json(self.model / "vae" / "config.json", force_upcast=False)
        self.addCleanup(change_json, self.model / "vae" / "config.json", force_upcast=True)
        self.assertLess(self.psnr("float16"), 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
