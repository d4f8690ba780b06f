"""Small random folders of DDPMPipeline, DDIMPipeline and LDMPipeline, and what diffusers makes with them.

    python unconditional_reference.py OUT_DIR

Writes OUT_DIR/MODEL (folders as save_pretrained writes them), cases.json and for each case NAME.safetensors with
`x.I` after every step I, `initial` where it is an image's x_0, and `images` in [0, 1].
"""

import functools
import json
import shutil

import numpy as np
import torch
from diffusers import (AutoencoderKL, DDIMInverseScheduler, DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler,
                       FlowMatchEulerDiscreteScheduler, LDMPipeline, UNet2DModel, VQModel)
from recording import as_tensor, begin
from safetensors.torch import save_file

SIZE = 16

CASES = [
    dict(name="ddpm", model="ddpm", steps=10, seed=1, count=2),
    dict(name="ddpm_unclipped", model="ddpm_unclipped", steps=7, seed=2, count=2),
    dict(name="ddpm_fixed_large", model="ddpm", steps=10, seed=3, count=2, variance="fixed_large"),
    dict(name="ddpm_all_steps", model="ddpm_short", steps=40, seed=4, count=1),
    dict(name="ddpm_learned_range", model="ddpm_learned", steps=10, seed=5, count=2),
    dict(name="ddpm_grey", model="ddpm_grey", steps=6, seed=6, count=1),
    dict(name="flow", model="ddpm_flow", steps=10, seed=7, count=2),
    dict(name="flow_stochastic", model="ddpm_flow_stochastic", steps=6, seed=8, count=2),
    dict(name="ddim", model="ddim", steps=10, seed=11, count=2, eta=0.0),
    dict(name="ddim_few", model="ddim", steps=3, seed=12, count=1, eta=0.0),
    dict(name="ddim_eta", model="ddim", steps=12, seed=13, count=2, eta=1.0),
    dict(name="ddim_half_eta", model="ddim_unclipped", steps=9, seed=14, count=1, eta=0.5),
    dict(name="ddim_unclipped", model="ddim_unclipped", steps=25, seed=15, count=2, eta=0.0),
    # DDIMPipeline turns the scheduler of a DDPM folder into DDIM's.
    dict(name="ddim_of_ddpm_scheduler", model="ddim_of_ddpm", steps=8, seed=16, count=2, eta=0.0),
    dict(name="classes", model="classes", steps=8, seed=21, count=3, eta=0.0, classes=[2, 0, 4]),
    dict(name="ldm_vq", model="ldm_vq", steps=8, seed=31, count=2, eta=0.0),
    # LDMPipeline draws the noise of its steps from torch's own generator: here all of it.
    dict(name="ldm_vq_eta", model="ldm_vq", steps=8, seed=32, count=1, eta=1.0),
    dict(name="ldm_kl", model="ldm_kl", steps=8, seed=33, count=2, eta=0.0),
    dict(name="respaced", model="ddpm", respacing=[6, 3], seed=41, count=2),
    dict(name="respaced_learned_range", model="ddpm_learned", respacing=[4, 3, 2], seed=42, count=1),
    dict(name="quadratic", model="ddim_unclipped", steps=9, seed=43, count=2, eta=0.6, skip_type="quadratic"),
    dict(name="inverse", model="ddim_unclipped", steps=12, seed=51, count=2, inverse=True),
    dict(name="inverse_clipped", model="ddim", steps=7, seed=52, count=1, inverse=True),
    dict(name="inverse_latents", model="ldm_kl", steps=9, seed=53, count=2, inverse=True),
]


def unet(channels=3, learned=False, **options):
    torch.manual_seed(0)
    network = UNet2DModel(sample_size=SIZE, in_channels=channels, out_channels=channels * (2 if learned else 1),
                          block_out_channels=(16, 32), down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                          up_block_types=("AttnUpBlock2D", "UpBlock2D"), layers_per_block=1, attention_head_dim=8,
                          norm_num_groups=8, **options).eval()
    return unit_output(network, channels)


@torch.no_grad()
def unit_output(network, channels):
    """A random network's output has next to no size, and would let x through whatever the timestep; a variance of it
    stays in [-1, 1]."""
    x = torch.randn(4, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    labels = dict(class_labels=torch.arange(4)) if network.config.num_class_embeds else {}
    network.conv_out.weight /= network(x, 500, **labels).sample.std()
    if network.config.out_channels == 2 * channels:
        network.conv_out.weight[channels:] *= 0.3
        network.conv_out.bias[channels:] *= 0.3
    return network


@torch.no_grad()
def first_stage(kind):
    torch.manual_seed(2)
    shared = dict(block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2,
                  up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, scaling_factor=0.7)
    network = (VQModel(latent_channels=3, num_vq_embeddings=64, vq_embed_dim=3, **shared) if kind == "vq" else
               AutoencoderKL(latent_channels=4, **shared)).eval()
    if kind == "vq":
        network.quantize.embedding.weight.normal_(generator=torch.Generator().manual_seed(3))
    z = torch.randn(1, 3 if kind == "vq" else 4, SIZE, SIZE, generator=torch.Generator().manual_seed(4))
    network.decoder.conv_out.weight *= 0.5 / network.decode(z).sample.std()
    return network


def build(name):
    ddim = dict(beta_schedule="scaled_linear", set_alpha_to_one=False, steps_offset=1)
    schedulers = {
        "ddpm": DDPMScheduler(),
        "ddpm_unclipped": DDPMScheduler(clip_sample=False, beta_schedule="squaredcos_cap_v2",
                                        timestep_spacing="trailing"),
        "ddpm_short": DDPMScheduler(num_train_timesteps=40, beta_end=0.2),
        "ddpm_learned": DDPMScheduler(variance_type="learned_range"),
        "ddpm_grey": DDPMScheduler(prediction_type="v_prediction"),
        "ddpm_flow": FlowMatchEulerDiscreteScheduler(shift=3.0),
        "ddpm_flow_stochastic": FlowMatchEulerDiscreteScheduler(stochastic_sampling=True, use_karras_sigmas=True),
        "ddim": DDIMScheduler(),
        "ddim_unclipped": DDIMScheduler(clip_sample=False, **ddim),
        "ddim_of_ddpm": DDPMScheduler(clip_sample_range=0.8),
        "classes": DDIMScheduler(prediction_type="sample"),
        "ldm_vq": DDIMScheduler(clip_sample=False, **ddim),
        "ldm_kl": DDIMScheduler(clip_sample=False, **ddim),
    }
    networks = {"ddpm_learned": dict(learned=True), "ddpm_grey": dict(channels=1), "ldm_kl": dict(channels=4),
                "classes": dict(num_class_embeds=5)}
    network = unet(**networks.get(name, {}))
    if name.startswith("ldm"):
        return LDMPipeline(vqvae=first_stage(name[4:]), unet=network, scheduler=schedulers[name])
    pipeline = (DDPMPipeline if name.startswith("ddpm") else DDIMPipeline)(unet=network, scheduler=schedulers[name])
    if name == "ddim_of_ddpm":
        pipeline.register_modules(scheduler=schedulers[name])  # in the folder; the next one that loads it turns it
    return pipeline


def generators(case):
    return [torch.Generator().manual_seed(case["seed"] + k) for k in range(case["count"])]


def recording(scheduler, steps):
    step = scheduler.step

    @functools.wraps(step)  # LDMPipeline looks for eta among its parameters
    def recorded(*arguments, **options):
        result = step(*arguments, **options)
        steps[f"x.{len(steps)}"] = result.prev_sample.clone()
        return result

    scheduler.step = recorded


def drawn(pipeline, case):
    config = pipeline.unet.config
    return torch.cat([torch.randn(1, config.in_channels, SIZE, SIZE, generator=g) for g in generators(case)])


def space_timesteps(total, counts):
    """As guided-diffusion's respace.py."""
    kept, start = [], 0
    for i, count in enumerate(counts):
        size = total // len(counts) + (1 if i < total % len(counts) else 0)
        stride = 1 if count <= 1 else (size - 1) / (count - 1)
        at = 0.0
        for _ in range(count):
            kept.append(start + round(at))
            at += stride
        start += size
    return kept


def run_respaced(pipeline, case):
    """A process of the kept timesteps alone, whose network receives the timesteps that they were."""
    config = dict(pipeline.scheduler.config)
    cumulative = pipeline.scheduler.alphas_cumprod.double().numpy()
    kept = space_timesteps(config["num_train_timesteps"], case["respacing"])
    betas = 1 - cumulative[kept] / np.append(1, cumulative[kept][:-1])
    scheduler = DDPMScheduler.from_config(config, num_train_timesteps=len(kept), trained_betas=betas.tolist())
    scheduler.set_timesteps(len(kept))
    seeds, steps = generators(case), {}
    x = torch.cat([torch.randn(1, 3, SIZE, SIZE, generator=g) for g in seeds])
    for t in scheduler.timesteps:
        x = scheduler.step(pipeline.unet(x, kept[t]).sample, t, x, generator=seeds).prev_sample
        steps[f"x.{len(steps)}"] = x
    return steps


def run_quadratic(pipeline, case):
    """generalized_steps of the DDIM code, with skip_type quad."""
    cumulative = torch.cat([torch.ones(1, dtype=torch.float64), pipeline.scheduler.alphas_cumprod.double()])
    alpha = lambda t: cumulative[t + 1]
    sequence = [int(s) for s in np.linspace(0, np.sqrt(1000 * 0.8), case["steps"]) ** 2]
    # set_alpha_to_one=False: the last step goes to timestep 0.
    following = [0 if not pipeline.scheduler.config.set_alpha_to_one else -1] + sequence[:-1]
    seeds, steps = generators(case), {}
    draw = lambda: torch.cat([torch.randn(1, 3, SIZE, SIZE, generator=g) for g in seeds])
    x = draw()
    for i, j in zip(reversed(sequence), reversed(following)):
        at, at_next = alpha(i), alpha(j)
        et = pipeline.unet(x, i).sample
        x0 = (x - et * (1 - at).sqrt()) / at.sqrt()
        c1 = case["eta"] * ((1 - at / at_next) * (1 - at_next) / (1 - at)).sqrt()
        c2 = ((1 - at_next) - c1 ** 2).sqrt()
        x = (at_next.sqrt() * x0 + c1 * draw() + c2 * et).float()
        steps[f"x.{len(steps)}"] = x
    return steps


def run_inverse(pipeline, case):
    scheduler = DDIMInverseScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(case["steps"])
    x = 0.5 * drawn(pipeline, case)
    steps = {"initial": x}
    for t in scheduler.timesteps:
        x = scheduler.step(pipeline.unet(x, t).sample, t, x).prev_sample
        steps[f"x.{len(steps) - 1}"] = x
    return steps


def run_classes(pipeline, case):
    """DDIMPipeline's loop, which passes no labels."""
    labels, steps, x = torch.tensor(case["classes"]), {}, drawn(pipeline, case)
    pipeline.scheduler.set_timesteps(case["steps"])
    for t in pipeline.scheduler.timesteps:
        x = pipeline.scheduler.step(pipeline.unet(x, t, class_labels=labels).sample, t, x).prev_sample
        steps[f"x.{len(steps)}"] = x
    return steps


def run(pipeline, case):
    if "respacing" in case:
        return run_respaced(pipeline, case)
    if "skip_type" in case:
        return run_quadratic(pipeline, case)
    if case.get("inverse"):
        return run_inverse(pipeline, case)
    if "classes" in case:
        return run_classes(pipeline, case)
    if "variance" in case:
        pipeline.register_modules(scheduler=DDPMScheduler.from_config(pipeline.scheduler.config,
                                                                      variance_type=case["variance"]))
    steps, options = {}, {}
    recording(pipeline.scheduler, steps)
    if "eta" in case:
        options["eta"] = case["eta"]
    generator = generators(case)
    if isinstance(pipeline, LDMPipeline) and case["eta"] > 0:
        torch.manual_seed(case["seed"])
        generator = None
    images = pipeline(batch_size=case["count"], generator=generator, num_inference_steps=case["steps"],
                      output_type="np", **options).images
    return steps | {"images": as_tensor(images)}


@torch.no_grad()
def main():
    out = begin()
    for name in sorted({case["model"] for case in CASES}):
        shutil.rmtree(out / name, ignore_errors=True)
        build(name).save_pretrained(out / name)
    for case in CASES:
        kind = LDMPipeline if case["model"].startswith("ldm") else (
            DDPMPipeline if case["model"].startswith("ddpm") else DDIMPipeline)
        pipeline = build("ldm_kl") if case["model"] == "ldm_kl" else kind.from_pretrained(out / case["model"])
        pipeline.set_progress_bar_config(disable=True)
        tensors = run(pipeline, case)
        save_file({key: value.float().contiguous() for key, value in tensors.items()}, out / f"{case['name']}.safetensors")
    for name in ("ldm_vq", "ldm_kl"):
        network = first_stage(name[4:])
        image = torch.tanh(torch.randn(1, 3, 2 * SIZE, 2 * SIZE, generator=torch.Generator().manual_seed(5)))
        encoded = network.encode(image)
        latents = encoded.latents if name == "ldm_vq" else encoded.latent_dist.mode()
        save_file({"image": image, "x": latents * network.config.scaling_factor}, out / f"{name}_encoded.safetensors")
    (out / "cases.json").write_text(json.dumps(CASES))


main()
