"""Stable Diffusion XL and its refiner, random and small, and what diffusers makes of one handing over to the other.

    python refiner_reference.py OUT_DIR

Writes OUT_DIR/euler, euler_refiner, ddim and ddim_refiner (folders that differ in their schedulers), init.png,
cases.json (requests) and for each case NAME.safetensors with `latents.I` after every step I.
"""

import json
import shutil

import torch
from diffusers import (DDIMScheduler, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline,
                       StableDiffusionXLPipeline)
from safetensors.torch import save_file

from pipelines_reference import PROMPT, build_xl, init_image
from recording import begin

# Hand-over between timesteps, at one (t >= the cutoff is the base's), early and late.
CASES = [
    dict(name="euler_late", model="euler", steps=8, seed=61, guidance_scale=5.0, batch_count=2, switch_at=0.8),
    dict(name="euler_early", model="euler", steps=7, seed=62, guidance_scale=3.0, switch_at=0.3,
         negative_prompt="a dog"),
    dict(name="euler_at_a_timestep", model="euler", steps=5, seed=63, guidance_scale=4.0, switch_at=0.599),
    dict(name="ddim_late", model="ddim", steps=8, seed=64, guidance_scale=5.0, batch_count=2, switch_at=0.8),
    dict(name="ddim_unguided", model="ddim", steps=6, seed=65, guidance_scale=1.0, switch_at=0.5, height=56, width=72),
    dict(name="ddim_img2img", model="ddim", steps=10, seed=66, guidance_scale=4.0, switch_at=0.7, strength=0.75),
]


def build_ddim(folder, source):
    """The same networks, with DDIM's steps, which end at timestep 0 - T/n."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                  set_alpha_to_one=False, steps_offset=1).save_pretrained(folder / "scheduler")
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "scheduler": ["diffusers", "DDIMScheduler"]}))


def report(pipeline, result):
    """Keeps latents in units of x_t = alpha x0 + sigma eps: Euler's scheduler has them divided by alpha."""
    def on_step(pipe, step, timestep, values):
        latents = values["latents"].clone(memory_format=torch.contiguous_format)
        if isinstance(pipeline.scheduler, EulerDiscreteScheduler):
            latents = latents / (pipeline.scheduler.sigmas[pipeline.scheduler.step_index] ** 2 + 1).sqrt()
        result[f"latents.{len(result)}"] = latents
        return {}
    return on_step


@torch.no_grad()
def run(base, refiner, case, image):
    count, negative, result = case.get("batch_count", 1), case.get("negative_prompt"), {}
    shared = dict(prompt=[PROMPT] * count, negative_prompt=None if negative is None else [negative] * count,
                  num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"], output_type="latent")
    own = dict(height=case.get("height", 64), width=case.get("width", 64))
    if "strength" in case:
        base = StableDiffusionXLImg2ImgPipeline(**base.components, add_watermarker=False)
        base.set_progress_bar_config(disable=True)
        own = dict(image=image, strength=case["strength"])
    generators = [torch.Generator().manual_seed(case["seed"] + k) for k in range(count)]
    latents = base(**shared, **own, denoising_end=case["switch_at"], generator=generators,
                   callback_on_step_end=report(base, result)).images
    first = len(result)
    refiner(**shared, image=latents, denoising_start=case["switch_at"], callback_on_step_end=report(refiner, result))
    assert 0 < first < len(result)
    return result


def main():
    out = begin()
    image = init_image(out / "init.png")
    for suffix in ("", "_refiner"):
        build_xl(out / f"euler{suffix}", is_refiner=bool(suffix))
        build_ddim(out / f"ddim{suffix}", out / f"euler{suffix}")
    requests = []
    for case in CASES:
        base = StableDiffusionXLPipeline.from_pretrained(out / case["model"], add_watermarker=False)
        refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(out / f"{case['model']}_refiner",
                                                                   add_watermarker=False)
        for pipeline in (base, refiner):
            pipeline.set_progress_bar_config(disable=True)
        save_file(run(base, refiner, case, image), out / f"{case['name']}.safetensors")
        request = {key: value for key, value in case.items() if key != "switch_at"}
        request |= dict(prompt=PROMPT, refiner=dict(model=f"{case['model']}_refiner", switch_at=case["switch_at"]))
        requests.append(request | (dict(image="init.png") if "strength" in case else {}))
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
