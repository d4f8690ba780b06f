"""The command line of every program: help that fits a terminal, and a line that helps where an argument is wrong.

Given in the environment: SFUMATO_BUILD_DIR, which holds tools/. Python's standard library alone is used.
"""

import os
import subprocess
import unittest
from pathlib import Path

TOOLS = Path(os.environ["SFUMATO_BUILD_DIR"]) / "tools"
GENERATE = ("txt2img", "img2img", "inpaint")
PROGRAMS = (*GENERATE, "convert", "compose", "train", "sample", "diffuse", "invert", "evaluate")


def run(program, *arguments):
    return subprocess.run([TOOLS / program, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})


class Help(unittest.TestCase):
    def test_it_fits_80_columns_and_names_what_is_in_the_source(self):
        for program in PROGRAMS:
            with self.subTest(program):
                result = run(program, "--help")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                lines = result.stdout.splitlines()
                self.assertEqual([line for line in lines if len(line) > 80], [])
                self.assertNotIn("\n\n\n", result.stdout)
                self.assertNotIn(str(TOOLS), result.stdout)

    def test_a_long_description_goes_on_below_its_first_line(self):
        text = run("txt2img", "--help").stdout
        after = text[text.index("--sampler TEXT"):].splitlines()
        self.assertTrue(after[1].startswith(" " * 30) and after[1][30] != " ", after[1])
        for name in ("dpm++2m_sde", "unipc"):
            self.assertIn(name, text)

    def test_the_short_form_is_the_same(self):
        for program in PROGRAMS:
            self.assertEqual(run(program, "-h").stdout, run(program, "--help").stdout)


class Refuses(unittest.TestCase):
    def refuses(self, program, *arguments, says):
        result = run(program, *arguments)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr, f"{program}: {says}\n")
        self.assertEqual(result.stdout, "")

    def test_an_unknown_option_is_answered_with_the_nearest_one(self):
        for program in GENERATE:
            self.refuses(program, "a cat", "--stepz", "3", says="unknown option '--stepz'; did you mean '--steps'?")
            self.refuses(program, "--outputt=a.png", "a cat", says="unknown option '--outputt'; did you mean '--output'?")
            self.refuses(program, "a cat", "--negative_prompt", "dogs",
                         says="unknown option '--negative_prompt'; did you mean '--negative-prompt'?")
            self.refuses(program, "a cat", "--teleport", says="unknown option '--teleport'; see --help")
        self.refuses("convert", "a", "b", "--max-shard", "1", says="unknown option '--max-shard'; did you mean '--max-shard-size'?")
        self.refuses("compose", "--sheets", "a.png", says="unknown option '--sheets'; did you mean '--sheet'?")

    def test_what_other_programs_call_an_option_is_answered_with_its_name_here(self):
        for word, here in (("--sampling-method", "--sampler"), ("--diffusion-model", "--model"), ("--type", "--dtype"),
                           ("--guidance_scale", "--cfg-scale"), ("--num_inference_steps", "--steps"),
                           ("--lora-model-dir", "--lora-dir"), ("-t", "OMP_NUM_THREADS in the environment"),
                           ("-i", "--image of img2img and inpaint"), ("--mask", "--mask of inpaint")):
            self.refuses("txt2img", "a cat", word, "x", says=f"unknown option '{word}': here it is {here}")
        self.refuses("convert", "a", "b", "--type", "f16", says="unknown option '--type': here it is --dtype")

    def test_an_unknown_option_goes_before_what_its_value_was_taken_for(self):
        self.refuses("txt2img", "--stepz", "3", "a cat", says="unknown option '--stepz'; did you mean '--steps'?")
        self.refuses("convert", "-o", "b", says="unknown option '-o': here it is OUTPUT, without a name")

    def test_numbers_are_decimal_and_whole_where_that_is_asked_for(self):
        for text in ("abc", "2.5", "", "0x10", "3 ", "1e2"):
            self.refuses("txt2img", "a cat", "--steps", text, says=f"--steps '{text}': expected a whole number")
        for text in ("abc", "", "7,5", "0x1p3", "1e999"):
            self.refuses("txt2img", "a cat", "--cfg-scale", text, says=f"--cfg-scale '{text}': expected a number")
        self.refuses("txt2img", "a cat", "--steps", "99999999999999999999",
                     says="--steps '99999999999999999999': expected a whole number of fewer digits")
        # Digits after a zero are no octal number: 010 is ten, which is no multiple of 8, as octal 8 is.
        self.refuses("txt2img", "a cat", "-W", "010",
                     says="width 10: expected a multiple of 8 (the VAE's factor) up to 16384")
        self.refuses("compose", "--sheet", "a.png", "--seed", "-1", says="--seed '-1': expected a whole number")

    def test_what_is_missing_or_too_much(self):
        self.refuses("txt2img", "a cat", "--steps", says="--steps needs a value")
        self.refuses("txt2img", "--list", says="--list needs a value")
        self.refuses("train", "--out", says="--out needs a value")
        self.refuses("txt2img", "a", "cat", says="'cat' is one argument too many: words that belong together need "
                                                 "quotes around them")
        self.refuses("convert", says="input is required; see --help")

    def test_an_empty_value_is_no_value(self):
        for option in ("--sampler", "--output", "--model", "--vae", "--from-image", "--subseed", "--device", "--lora"):
            self.refuses("txt2img", "a cat", option, "", says=f"{option} '': expected a value")
        self.refuses("txt2img", "a cat", "-s", "", says="--seed '': expected a value")
        self.refuses("img2img", "a cat", "-i", "", says="--image '': expected a value")
        self.refuses("sample", "-m", "x", "--class", "", says="--class '': expected a value")
        self.refuses("diffuse", "a.png", "-o", "b.png", "--timesteps", "", says="--timesteps '': expected a value")
        self.refuses("invert", "", "-m", "x", "-o", "b.png", says="image '': expected a value")
        self.refuses("convert", "a", "", says="output '': expected a value")
        self.refuses("compose", "--pack", "", says="--pack '': expected a value")
        self.refuses("evaluate", "--judge", "", "--pack", "p", says="--judge '': expected a value")
        self.refuses("train", "r.json", "--out", "", says="--out '': expected a value")

    def test_an_option_that_is_no_list_is_given_once(self):
        for program, option, one, two in (("txt2img", "--steps", "3", "4"), ("img2img", "--seed", "1", "1"),
                                          ("inpaint", "--negative-prompt", "a", "b"),
                                          ("txt2img", "--output", "a.png", "b.png")):
            self.refuses(program, "a cat", option, one, option, two, says=f"{option} is given 2 times: expected once")
        self.refuses("txt2img", "a cat", "--force", "--force", says="--force is given 2 times: expected once")
        self.refuses("txt2img", "-p", "a cat", "-p", "a dog", says="--prompt is given 2 times: expected once")
        self.refuses("txt2img", "a cat", "--tf32", "--no-tf32", says="--tf32 is given 2 times: expected once")
        self.refuses("sample", "-m", "x", "-n", "2", "-n", "3", says="--count is given 2 times: expected once")
        self.refuses("diffuse", "a.png", "-o", "b.png", "-o", "c.png", says="--output is given 2 times: expected once")
        self.refuses("invert", "a.png", "-m", "x", "-m", "y", says="--model is given 2 times: expected once")
        self.refuses("convert", "a", "b", "--dtype", "fp16", "--dtype", "fp32", says="--dtype is given 2 times: expected once")
        self.refuses("compose", "--seed", "1", "--seed", "2", says="--seed is given 2 times: expected once")
        self.refuses("train", "r.json", "--out", "a", "--out", "b", says="--out is given 2 times: expected once")
        self.refuses("train", "r.json", "--quiet", "--quiet", says="--quiet is given 2 times: expected once")

    def test_an_option_without_the_one_that_it_needs(self):
        unguided = "guidance (--cfg-scale is 1 or less): expected both"
        for option, value in (("--guidance-rescale", "0.7"), ("--guidance-start", "0.2"), ("--guidance-end", "0.8"),
                              ("--negative-prompt", "a dog")):
            self.refuses("txt2img", "a cat", "--cfg-scale", "1", option, value, says=f"{option} without {unguided}")
        self.refuses("img2img", "a cat", "-i", "a.png", "--cfg-scale", "1", "--image-guidance", "2",
                     says=f"--image-guidance without {unguided}")
        self.refuses("txt2img", "a cat", "--lora-partial",
                     says="--lora-partial without --lora or a tag in the prompt: expected both")
        self.refuses("inpaint", "a cat", "-i", "a.png", "--mask", "b.png", "--mask-padding", "8",
                     says="--mask-padding without --only-masked: expected both")
        self.refuses("invert", "a.png", "-m", "x", "-o", "b.png", "--guidance", "3",
                     says="--guidance without --prompt or --edit-prompt: expected both")
        self.refuses("diffuse", "a.png", "-o", "b.png", "--dtype", "float32", says="--dtype without -m: expected both")
        self.refuses("sample", "-m", "x", "--columns", "3",
                     says="--columns without a grid: expected --grid, or more images than one (-n)")


if __name__ == "__main__":
    unittest.main()
