"""What other programs read of a picture that txt2img and img2img write: sd-parsers, and the reader of SD Prompt Reader.

Run with a Python that has both. Given in the environment: SFUMATO_BUILD_DIR, which holds tools/txt2img, tools/img2img
and tests/random_model.
"""

import sys
import unittest
from pathlib import Path

from PIL import Image
from sd_parsers import ParserManager
from sd_parsers.data import Generators
from sd_prompt_reader.image_data_reader import ImageDataReader

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "programs"))

from generate_programs import IMG2IMG, TXT2IMG, Programs  # noqa: E402

# With what separates one entry from the next, and letters beyond Latin-1.
PROMPT, NEGATIVE = "a café: one cat, on (a sofa:1.2) 猫", "dogs, steps: 3"


class ImageMetadata(Programs):
    def written(self, program, *arguments):
        self.makes(program, PROMPT, "-s", "18446744073709551615", "-W", "72", "--cfg-scale", "3.5", "-o", "a.png",
                   "--force", *arguments)
        return self.folder / "a.png"

    def test_sd_parsers(self):
        found = ParserManager().parse(self.written(TXT2IMG, "-n", NEGATIVE, "--sampler", "dpm++2m", "--schedule",
                                                   "karras"))
        self.assertEqual(found.generator, Generators.AUTOMATIC1111)
        sampler, = found.samplers
        self.assertEqual([prompt.value for prompt in sampler.prompts], [PROMPT])
        self.assertEqual([prompt.value for prompt in sampler.negative_prompts], [NEGATIVE])
        self.assertEqual(sampler.name, "DPM++ 2M")
        self.assertEqual(sampler.parameters, {"steps": "2", "cfg_scale": "3.5", "seed": "18446744073709551615",
                                              "scheduler": "Karras"})
        self.assertEqual(sampler.model.name, "model")
        self.assertEqual(found.metadata, {"Size": "72x64", "RNG": "CPU", "Version": "sfumato"})

    def test_sd_parsers_of_what_is_rarely_set(self):
        Image.new("RGB", (72, 64)).save(self.folder / "i.png")
        found = ParserManager().parse(self.written(IMG2IMG, "-i", "i.png", "--strength", "0.75", "--rng", "cuda",
                                                   "--eta", "0.5", "--sampler", "ddim"))
        self.assertEqual(found.samplers[0].negative_prompts, [])
        self.assertEqual(found.metadata, {"Size": "72x64", "Denoising strength": "0.75", "RNG": "NV",
                                          "Eta DDIM": "0.5", "Version": "sfumato"})

    def test_sd_prompt_reader(self):
        found = ImageDataReader(str(self.written(TXT2IMG, "-n", NEGATIVE, "--sampler", "euler_a")))
        self.assertEqual(found.status.name, "READ_SUCCESS")
        self.assertEqual((found.tool, found.positive, found.negative), ("A1111 webUI", PROMPT, NEGATIVE))
        self.assertEqual(found.parameter, {"model": "model", "sampler": "Euler a", "seed": "18446744073709551615",
                                           "cfg": "3.5", "steps": "2", "size": "72x64"})

    def test_sd_prompt_reader_without_a_negative_prompt(self):
        found = ImageDataReader(str(self.written(TXT2IMG)))
        self.assertEqual((found.positive, found.negative), (PROMPT, ""))
        self.assertEqual(found.parameter["sampler"], "DDIM")


class Exif(Programs):
    def test_pillow_and_sd_parsers_read_jpeg_and_webp(self):
        self.makes(TXT2IMG, PROMPT, "-n", NEGATIVE, "-s", "5", "-o", "a.png")
        expected = Image.open(self.folder / "a.png").info["parameters"]
        for name in ("a.jpg", "a.webp"):
            self.makes(TXT2IMG, PROMPT, "-n", NEGATIVE, "-s", "5", "-o", name)
            with Image.open(self.folder / name) as image:
                comment = image.getexif().get_ifd(0x8769)[0x9286]
                self.assertEqual(image.size, (64, 64))
                image.load()
            self.assertEqual(comment[:8], b"UNICODE\0")
            self.assertEqual(comment[8:].decode("utf-16-be"), expected)
            found = ParserManager().parse(self.folder / name)
            self.assertEqual([prompt.value for prompt in found.samplers[0].prompts], [PROMPT])

    def test_what_pillow_writes_as_the_web_ui_does(self):
        text = "a cat 猫\nNegative prompt: a dog\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 8, Size: 64x64, RNG: CPU"
        self.makes(TXT2IMG, "a cat 猫", "-n", "a dog", "--sampler", "euler", "--cfg-scale", "3", "-s", "8", "-o", "a.png")
        for name in ("w.jpg", "w.webp"):
            exif = Image.Exif()
            exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
            Image.new("RGB", (8, 8)).save(self.folder / name, exif=exif)
            self.makes(TXT2IMG, "--from-image", name, "-o", f"of-{name}.png")
            with Image.open(self.folder / "a.png") as a, Image.open(self.folder / f"of-{name}.png") as b:
                self.assertEqual(a.tobytes(), b.tobytes())


if __name__ == "__main__":
    unittest.main()
