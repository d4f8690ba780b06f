"""What diffusers makes with other kinds of guidance than the classifier-free one, of small random pipelines.

    python guidance_reference.py OUT_DIR

Writes OUT_DIR/clip, OUT_DIR/t5 and OUT_DIR/sdxl (folders), cases.json (requests) and for each case NAME.safetensors
with `latents.I` after every step I. Perturbed attention is of diffusers' PAG pipelines, self-attention guidance of its
SAG pipeline, dynamic thresholding of its DDIM scheduler, the interval of its guider for modular pipelines; CFG++ is written out as
its paper's algorithm 2.
"""

import json

import torch
from diffusers import (DDIMScheduler, StableDiffusionPAGPipeline, StableDiffusionPipeline, StableDiffusionSAGPipeline,
                       StableDiffusionXLPAGPipeline)
from diffusers.guiders import ClassifierFreeGuidance
from pipelines_reference import PROMPT, build, build_xl, clip, t5, told
from recording import begin, generators, recorded
from safetensors.torch import save_file

NEGATIVE = "a red dog"
CASES = [
    dict(name="pag", model="clip", steps=6, guidance_scale=5.0, seed=1, batch_count=2, pag_scale=3.0),
    dict(name="pag_unguided", model="clip", steps=6, guidance_scale=1.0, seed=2, batch_count=2, pag_scale=2.0),
    # Without the perturbed pass below timestep 400.
    dict(name="pag_adaptive", model="clip", steps=6, guidance_scale=4.0, seed=3, pag_scale=3.0,
         pag_adaptive_scale=0.005),
    dict(name="pag_layers", model="clip", steps=5, guidance_scale=4.0, seed=4, pag_scale=2.0,
         pag_layers="down_blocks.(0|1),up.*2.*attentions"),
    dict(name="pag_xl", model="sdxl", steps=5, guidance_scale=4.0, seed=5, width=64, height=64, pag_scale=3.0),
    dict(name="pag_xl_adaptive", model="sdxl", steps=4, guidance_scale=1.0, seed=6, width=64, height=64,
         pag_scale=3.0, pag_adaptive_scale=0.004, pag_layers="mid,down_blocks.1"),
    dict(name="sag", model="clip", steps=6, guidance_scale=5.0, seed=12, batch_count=2, sag_scale=2.0),
    dict(name="sag_unguided", model="clip", steps=6, guidance_scale=1.0, seed=13, sag_scale=2.0),
    dict(name="sag_of_v", model="t5", steps=6, guidance_scale=4.0, seed=14, sag_scale=2.0, sampler="ddim", width=72),
    dict(name="interval", model="clip", steps=9, guidance_scale=7.0, seed=7, guidance_start=0.25, guidance_end=0.7),
    dict(name="interval_from_the_start", model="clip", steps=7, guidance_scale=7.0, seed=8, guidance_end=0.5,
         guidance_rescale=0.6),
    dict(name="threshold", model="clip", steps=6, guidance_scale=7.0, seed=9, dynamic_threshold=0.9,
         dynamic_threshold_max=2.5, batch_count=2),
    dict(name="cfg_plus_plus", model="clip", steps=8, guidance_scale=0.6, seed=10, guidance="cfg++", batch_count=2),
    dict(name="cfg_plus_plus_of_v", model="t5", steps=8, guidance_scale=1.0, seed=11, guidance="cfg++",
         sampler="ddim"),
]


def by_pipeline(pipeline, case):
    options = {key: case[key] for key in ("pag_scale", "pag_adaptive_scale", "width", "height") if key in case}
    count = case.get("batch_count", 1)
    return recorded(pipeline, prompt=[PROMPT] * count, negative_prompt=[NEGATIVE] * count,
                    num_inference_steps=case["steps"], guidance_scale=case["guidance_scale"],
                    generator=generators(case), output_type="latent", **options)[1]


def perturbed(folder, case):
    kind = StableDiffusionXLPAGPipeline if case["model"] == "sdxl" else StableDiffusionPAGPipeline
    options = {} if case["model"] == "sdxl" else dict(safety_checker=None)
    layers = case.get("pag_layers", "mid").split(",")
    return by_pipeline(kind.from_pretrained(folder, pag_applied_layers=layers, **options), case)


def self_attended(folder, case):
    pipeline = StableDiffusionSAGPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    result = {}
    count = case.get("batch_count", 1)
    pipeline([PROMPT] * count, negative_prompt=[NEGATIVE] * count, num_inference_steps=case["steps"],
             guidance_scale=case["guidance_scale"], sag_scale=case["sag_scale"], width=case.get("width"),
             generator=generators(case), output_type="latent", callback_steps=1,
             callback=lambda step, t, latents: result.update({f"latents.{step}": latents.clone()}))
    return result


def thresholded(folder, case):
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.scheduler = DDIMScheduler.from_config(
        pipeline.scheduler.config, thresholding=True, dynamic_thresholding_ratio=case["dynamic_threshold"],
        sample_max_value=case["dynamic_threshold_max"])
    # A cut x0 no longer belongs to its eps, so that the float32 tables' rounding does not cancel: it comes to 1.8e-4.
    scheduler = pipeline.scheduler
    roots = torch.linspace(scheduler.config.beta_start**0.5, scheduler.config.beta_end**0.5, 1000, dtype=torch.float64)
    scheduler.alphas_cumprod = torch.cumprod(1 - roots**2, 0)
    scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0]
    return by_pipeline(pipeline, case)


def by_loop(folder, case, step):
    """`step` makes the next x of both halves' output."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(case["steps"])
    count = case.get("batch_count", 1)
    states = [told(pipeline, prompt)["encoder_hidden_states"].expand(count, -1, -1) for prompt in (NEGATIVE, PROMPT)]
    x = torch.cat([torch.randn(1, 4, 16, 16, generator=generator) for generator in generators(case)])
    result = {}
    for i, t in enumerate(scheduler.timesteps):
        negative, positive = (pipeline.unet(x, t, rows).sample for rows in states)
        x = step(scheduler, case, (i, t), x, negative, positive)
        result[f"latents.{i}"] = x.clone()
    return result


def interval_step(scheduler, case, at, x, negative, positive):
    guider = ClassifierFreeGuidance(case["guidance_scale"], case.get("guidance_rescale", 0.0),
                                    start=case.get("guidance_start", 0.0), stop=case.get("guidance_end", 1.0))
    guider.set_state(step=at[0], num_inference_steps=case["steps"], timestep=at[1])
    if not guider._is_cfg_enabled():
        return scheduler.step(positive, at[1], x).prev_sample  # the guider would rescale it to its own deviation
    return scheduler.step(guider.forward(positive, negative).pred, at[1], x).prev_sample


def cfg_plus_plus_step(scheduler, case, at, x, negative, positive):
    """Chung et al. 2024, algorithm 2: x0 of the guided noise, and the negative prompt's noise added again."""
    t, earlier = at[1], at[1] - 1000 // case["steps"]
    x, negative, positive = x.double(), negative.double(), positive.double()  # the division by alpha magnifies rounding
    alpha = scheduler.alphas_cumprod[t]
    next_alpha = scheduler.alphas_cumprod[earlier] if earlier >= 0 else scheduler.final_alpha_cumprod
    if scheduler.config.prediction_type == "v_prediction":
        negative, positive = (alpha.sqrt() * v + (1 - alpha).sqrt() * x for v in (negative, positive))
    guided = negative + case["guidance_scale"] * (positive - negative)
    x0 = (x - (1 - alpha).sqrt() * guided) / alpha.sqrt()
    return (next_alpha.sqrt() * x0 + (1 - next_alpha).sqrt() * negative).float()


@torch.no_grad()
def run(folder, case):
    if "pag_scale" in case:
        return perturbed(folder, case)
    if "sag_scale" in case:
        return self_attended(folder, case)
    if "dynamic_threshold" in case:
        return thresholded(folder, case)
    return by_loop(folder, case, cfg_plus_plus_step if case.get("guidance") == "cfg++" else interval_step)


def main():
    out = begin()
    build(out / "clip", clip)
    build(out / "t5", t5)
    build_xl(out / "sdxl", is_refiner=False)
    for case in CASES:
        save_file(run(out / case["model"], case), out / f"{case['name']}.safetensors")
    requests = [{**case, "prompt": PROMPT, "negative_prompt": NEGATIVE} for case in CASES]
    (out / "cases.json").write_text(json.dumps(requests, indent=2))


if __name__ == "__main__":
    main()
