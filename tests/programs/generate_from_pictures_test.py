"""What img2img, inpaint and ControlNets make of pictures, with a small random model."""

import json
import struct
import unittest
from pathlib import Path

from generate_programs import (IMG2IMG, INPAINT, TURNED, TXT2IMG, Programs, chunks, decoded, mask_png, pixels, png,
                               png_of)


class FromImages(Programs):
    def test_images_of_every_kind_to_start_from(self):
        kinds = {"rgb": png(20, 20), "one": png(1, 1), "grey": png(20, 20, 0), "grey16": png(20, 20, 0, 16),
                 "rgb16": png(20, 20, 2, 16), "alpha": png(20, 20, 6), "grey_alpha": png(20, 20, 4),
                 "cmyk": (Path(__file__).parents[1] / "images" / "cmyk.jpg").read_bytes(),
                 "turned": png(24, 16, exif=TURNED), "turned_alpha": png(24, 16, 6, exif=TURNED)}
        for name, data in kinds.items():
            (self.folder / name).write_bytes(data)
            for strength in ("0", "0.6", "1"):
                self.makes(IMG2IMG, "a cat", "-i", name, "--strength", strength, "-o", f"{name}_{strength}.png")
        size = lambda path: struct.unpack(">II", chunks(self.folder / path)[0][1][:8])
        self.assertEqual((size("rgb_1.png"), size("one_1.png"), size("cmyk_1.png")), ((16, 16), (8, 8), (16, 16)))
        self.assertEqual((size("turned_1.png"), size("turned_alpha_1.png")), ((16, 24), (16, 24)))

    def test_a_image_from_a_image_again(self):
        (self.folder / "i.png").write_bytes(png(24, 16))
        self.makes(IMG2IMG, "a cat", "-i", "i.png", "-s", "3", "--strength", "0.5", "-o", "a.png")
        self.makes(IMG2IMG, "--from-image", "a.png", "-o", "b.png")
        self.assertEqual(pixels(self.folder / "a.png"), pixels(self.folder / "b.png"))

    def write_masked(self, width=40, height=24, white=range(20, 40)):
        (self.folder / "i.png").write_bytes(png(width, height))
        (self.folder / "m.png").write_bytes(mask_png(width, height, white))

    def test_part_of_a_image_anew_and_the_rest_as_it_was(self):
        self.write_masked(43, 26)
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "-s", "3", "-o", "a.png")
        rows = decoded(self.folder / "a.png")
        self.assertEqual((len(rows), len(rows[0])), (26, 43 * 3))
        for row in rows:
            self.assertEqual(row[:20 * 3] + row[40 * 3:], b"\x50" * (23 * 3))
        self.assertNotEqual({row[20 * 3:40 * 3] for row in rows}, {b"\x50" * 60})
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--no-paste", "-s", "3", "-o", "b.png")
        rows = decoded(self.folder / "b.png")
        self.assertEqual((len(rows), len(rows[0])), (24, 40 * 3))
        self.assertNotEqual({row[:60] for row in rows}, {b"\x50" * 60})

    def test_the_other_part_of_a_image_anew(self):
        self.write_masked()
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "--invert-mask", "-o", "a.png")
        rows = decoded(self.folder / "a.png")
        self.assertEqual({row[20 * 3:] for row in rows}, {b"\x50" * 60})
        self.assertNotEqual({row[:20 * 3] for row in rows}, {b"\x50" * 60})

    def test_a_small_part_at_full_size(self):
        self.write_masked(200, 120, range(150, 170))
        result = self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "--mask-blur", "0", "--only-masked",
                            "--mask-padding", "4", "--json", "-o", "a.png")
        request = json.loads(result)["images"][0]["request"]
        self.assertEqual((request["width"], request["height"]), (64, 64), "the model's size")
        rows = decoded(self.folder / "a.png")
        self.assertEqual((len(rows), len(rows[0])), (120, 200 * 3))
        self.assertEqual({row[:150 * 3] + row[170 * 3:] for row in rows}, {b"\x50" * (180 * 3)})

    def test_a_mask_of_another_size_or_kind(self):
        self.write_masked()
        (self.folder / "small.png").write_bytes(mask_png(10, 6, range(5, 10)))
        # White paint on a transparent ground, as drawing programs save it.
        rows = (bytes(255 if x >= 20 else 0 for x in range(40) for _ in range(2)),) * 24
        (self.folder / "alpha.png").write_bytes(png_of(40, 24, 4, 8, rows))
        for name in ("small.png", "alpha.png"):
            self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", name, "--mask-blur", "0", "-o", f"of_{name}")
            rows = decoded(self.folder / f"of_{name}")
            # Enlarging the small one by 4 rings over three of its pixels.
            self.assertEqual({row[:8 * 3] for row in rows}, {b"\x50" * 24}, name)
            self.assertNotEqual({row[25 * 3:] for row in rows}, {b"\x50" * 45}, name)

    def test_part_of_a_image_again_from_its_own_file(self):
        self.write_masked()
        self.makes(INPAINT, "a cat", "-i", "i.png", "--mask", "m.png", "-s", "3", "--mask-blur", "2.5", "--strength",
                   "0.7", "--invert-mask", "--only-masked", "--mask-padding", "5", "-o", "a.png")
        self.makes(INPAINT, "--from-image", "a.png", "-o", "b.png")
        self.assertEqual(chunks(self.folder / "a.png"), chunks(self.folder / "b.png"))
        text = chunks(self.folder / "a.png")[1][1].decode()
        self.assertIn("Denoising strength: 0.7, Mask blur: 2.5, Mask mode: Inpaint not masked, Inpaint area: Only "
                      "masked, Masked area padding: 5", text)
        self.refuses(IMG2IMG, "--from-image", "a.png", says=["a.png", "inpaint"])

    def controls(self, *names):
        """The arguments for the model's ControlNets, each shown a picture of its own."""
        arguments = []
        for name in names:
            (self.folder / f"{name}.png").write_bytes(png(30, 20))
            arguments += ["--control", str(self.model / name), "--control-image", f"{name}.png"]
        return arguments

    def test_a_image_by_controlnets_and_again(self):
        self.makes(TXT2IMG, "a cat", "-s", "3", "-o", "plain.png")
        self.makes(TXT2IMG, "a cat", "-s", "3", *self.controls("control_rgb"), "-o", "one.png")
        two = [*self.controls("control_rgb", "control_bgr"), "--control-scale", "0.8", "--control-scale", "1.5",
               "--control-end", "0.5", "--control-guess"]
        self.makes(TXT2IMG, "a cat", "-s", "3", *two, "-o", "two.png")
        self.assertEqual(len({pixels(self.folder / f"{name}.png") for name in ("plain", "one", "two")}), 3)
        self.makes(TXT2IMG, "--from-image", "two.png", "-o", "again.png")
        self.assertEqual(chunks(self.folder / "two.png"), chunks(self.folder / "again.png"))
        self.makes(TXT2IMG, "--from-image", "two.png", "--control-scale", "0", "-o", "zero.png")
        self.assertEqual(pixels(self.folder / "zero.png"), pixels(self.folder / "plain.png"))

    def test_img2img_by_a_controlnet_that_sees_edges(self):
        (self.folder / "i.png").write_bytes(png(24, 16))
        arguments = ["a cat", "-i", "i.png", "-s", "3", *self.controls("control_rgb")]
        self.makes(IMG2IMG, *arguments, "-o", "grey.png")
        self.makes(IMG2IMG, *arguments, "--control-preprocess", "canny", "-o", "edges.png")
        self.assertNotEqual(pixels(self.folder / "grey.png"), pixels(self.folder / "edges.png"))
        self.makes(IMG2IMG, "--from-image", "edges.png", "-o", "again.png")
        self.assertEqual(chunks(self.folder / "edges.png"), chunks(self.folder / "again.png"))


if __name__ == "__main__":
    unittest.main()
