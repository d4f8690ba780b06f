"""Trajectories of diffusers' schedulers with a deterministic network, after every step.

Each is computed twice: as the reference is, and with its tables (betas, alphas_cumprod) in float64, as this project
has them. The first shows that we are close to diffusers, the second that what remains is its tables' rounding.

Writes OUT_DIR/cases.json, one entry a case with its scheduler config, and OUT_DIR/latents.f32, the float32 values
that the entries' offsets (in floats) point to.
"""

import inspect
import itertools
import json
import math
import pathlib
import sys
import warnings
from unittest import mock

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler, UniPCMultistepScheduler)
from diffusers.utils.torch_utils import randn_tensor

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

SHAPE = (2, 4, 4, 4)
SEEDS = (5, 6)
BETAS = {
    "linear": {"beta_schedule": "linear"},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "squaredcos_cap_v2": {"beta_schedule": "squaredcos_cap_v2"},
}
SPACINGS = ("leading", "linspace", "trailing")
PREDICTIONS = ("epsilon", "v_prediction", "sample")


class Float64Torch:
    """torch, but that its float32 is float64."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def trajectory_with_float64_tables(scheduler_class, config, *arguments, **step_options):
    module = sys.modules[scheduler_class.__module__]
    float32_noise = lambda shape, **options: randn_tensor(shape, **(options | {"dtype": torch.float32}))
    with mock.patch.multiple(module, torch=Float64Torch(), **({"randn_tensor": float32_noise} if hasattr(
            module, "randn_tensor") else {})):
        scheduler = scheduler_class(**config)
        assert scheduler.alphas_cumprod.dtype == torch.float64
        return trajectory(scheduler, *arguments, **step_options)


def toy_network(x, t, variance_type):
    """Depends on t so strongly that the next timestep gives another value altogether; the C++ test has the same."""
    raw = math.cos(0.9 * t) * torch.tanh(x) + math.sin(0.7 * t) * torch.cos(2.0 * x)
    if not variance_type.startswith("learned"):
        return raw
    variance = torch.tanh(x + math.sin(0.5 * t))
    return torch.cat([raw, variance**2 if variance_type == "learned" else variance], dim=1)


def trajectory(scheduler, steps, variance_type, **step_options):
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scheduler.set_timesteps(steps)
    x = randn_tensor(SHAPE, generator=generators, dtype=torch.float32) * scheduler.init_noise_sigma
    if "generator" in inspect.signature(scheduler.step).parameters:
        step_options["generator"] = generators
    latents, timesteps = [], []
    for i, t in enumerate(scheduler.timesteps):
        raw = toy_network(scheduler.scale_model_input(x, t), float(t), variance_type)
        x = scheduler.step(raw, t, x, **step_options).prev_sample
        # Heun's method takes two evaluations a step, and calls step() for each.
        if scheduler.order == 1 or i % 2 == 0:
            timesteps.append(float(t))
        if scheduler.order == 1 or i % 2 == 1 or i + 1 == len(scheduler.timesteps):
            latents.append(x)
    return torch.stack(latents), timesteps


def starts_without_signal(scheduler, steps):
    """Where diffusers divides by alpha = 0, and this project refuses."""
    scheduler.set_timesteps(steps)
    first = scheduler.alphas_cumprod[int(scheduler.timesteps[0])]
    return scheduler.config.prediction_type == "epsilon" and first == 0


def ddim_cases():
    ends = ({"set_alpha_to_one": True, "steps_offset": 0}, {"set_alpha_to_one": False, "steps_offset": 1})
    for betas, spacing, prediction, end, zero_snr in itertools.product(
        BETAS.values(), SPACINGS, PREDICTIONS, ends, (False, True)
    ):
        config = betas | end | {"timestep_spacing": spacing, "prediction_type": prediction, "clip_sample": False}
        config["rescale_betas_zero_snr"] = zero_snr
        for steps in (7, 50):
            yield config, steps, {"eta": 0.0}
        for eta in (0.5, 1.0):
            yield config, 13, {"eta": eta}
    sd = BETAS["scaled_linear"] | {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    for prediction in PREDICTIONS:
        yield sd | {"prediction_type": prediction}, 999, {"eta": 0.0}
        yield sd | {"prediction_type": prediction}, 1, {"eta": 0.0}
        yield BETAS["linear"] | {"prediction_type": prediction, "clip_sample": True}, 20, {"eta": 1.0}
        yield BETAS["linear"] | {"prediction_type": prediction, "clip_sample_range": 0.7}, 20, {"eta": 0.0}
        thresholding = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
        yield BETAS["linear"] | {"prediction_type": prediction} | thresholding, 20, {"eta": 0.0}
    trained = {"trained_betas": np.linspace(0.001, 0.05, 100).tolist(), "num_train_timesteps": 100}
    yield trained | {"clip_sample": False}, 9, {"eta": 0.5}


def ddpm_cases():
    variances = ("fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range")
    for betas, spacing, prediction, variance in itertools.product(BETAS.values(), SPACINGS, PREDICTIONS, variances):
        for steps in (7, 50):
            yield betas | {
                "timestep_spacing": spacing,
                "prediction_type": prediction,
                "variance_type": variance,
                "clip_sample": steps == 50,
            }, steps, {}
    for prediction, zero_snr in itertools.product(PREDICTIONS, (False, True)):
        config = BETAS["scaled_linear"] | {"prediction_type": prediction, "rescale_betas_zero_snr": zero_snr}
        yield config | {"steps_offset": 1}, 20, {}
        yield config | {"clip_sample": False, "timestep_spacing": "trailing"}, 20, {}
    for variance in ("fixed_small", "fixed_large", "learned_range"):
        yield {"variance_type": variance, "clip_sample": True}, 999, {}


def sigma_cases(zero_snr_too):
    """Of the schedulers that go by sigma."""
    zero_snr = ({}, {"rescale_betas_zero_snr": True}) if zero_snr_too else ({},)
    for betas, spacing, prediction, end in itertools.product(BETAS.values(), SPACINGS, PREDICTIONS[:2], zero_snr):
        config = betas | end | {"timestep_spacing": spacing, "prediction_type": prediction}
        for steps in (7, 30):
            yield config | {"steps_offset": int(spacing == "leading")}, steps, {}
    sd = BETAS["scaled_linear"] | {"timestep_spacing": "leading", "steps_offset": 1}
    for steps in (1, 2, 500):
        yield sd, steps, {}


def euler_cases():
    yield from sigma_cases(zero_snr_too=True)
    for spacing in SPACINGS:
        for steps in (7, 25):
            yield BETAS["scaled_linear"] | {"timestep_spacing": spacing, "use_karras_sigmas": True}, steps, {}


def dpm_solver_cases():
    yield from euler_cases()
    for prediction in PREDICTIONS:
        yield BETAS["scaled_linear"] | {"prediction_type": prediction}, 14, {}
        yield BETAS["scaled_linear"] | {"prediction_type": prediction}, 15, {}


def sde_cases():
    for config, steps, options in dpm_solver_cases():
        yield config | {"algorithm_type": "sde-dpmsolver++"}, steps, options


def heun_cases():
    """Not of the cosine schedule: sigma begins at 2e4 there, and what the reference keeps, x0 + sigma eps in float32,
    then falls by a factor that leaves two digits."""
    for config, steps, options in sigma_cases(zero_snr_too=False):
        if config["beta_schedule"] != "squaredcos_cap_v2":
            yield config, steps, options
    for spacing in SPACINGS:
        for steps in (7, 25):
            yield BETAS["scaled_linear"] | {"timestep_spacing": spacing, "use_karras_sigmas": True}, steps, {}


def pndm_cases():
    """Of the "leading" spacing: with another one the reference's second step does not start where the first one did.
    Only of eps: the reference extrapolates the raw output, and takes a v for one of the present timestep."""
    for betas, offset, one in itertools.product(BETAS.values(), (0, 1), (False, True)):
        for steps in (2, 3, 7, 50):
            yield betas | {"skip_prk_steps": True, "steps_offset": offset, "set_alpha_to_one": one}, steps, {}


def process_case(config):
    """q(x_t | x0) and the velocity at some timesteps."""
    scheduler = DDPMScheduler(**config)
    x0 = torch.linspace(-2, 2, 128).reshape(SHAPE)
    noise = torch.cos(17 * x0)
    noisy, velocity = [], []
    for t in (0, 1, 499, 998, 999):
        ts = torch.tensor([t, t])
        noisy.append(scheduler.add_noise(x0, noise, ts))
        velocity.append(scheduler.get_velocity(x0, noise, ts))
    return torch.stack(noisy + velocity)


def main(out_dir):
    out_dir.mkdir(parents=True, exist_ok=True)
    cases, values, offset = [], [], 0

    def add(case, latents):
        nonlocal offset
        cases.append(case | {"offset": offset})
        values.append(latents.float().reshape(-1))
        offset += latents.numel()

    for scheduler_class, sampler, listed in (
        (DDIMScheduler, "ddim", ddim_cases()),
        (DDPMScheduler, "ddpm", ddpm_cases()),
        (EulerDiscreteScheduler, "euler", euler_cases()),
        (EulerAncestralDiscreteScheduler, "euler_a", sigma_cases(zero_snr_too=True)),
        (DPMSolverMultistepScheduler, "dpm++2m", dpm_solver_cases()),
        (DPMSolverMultistepScheduler, "dpm++2m_sde", sde_cases()),
        (HeunDiscreteScheduler, "heun", heun_cases()),
        (PNDMScheduler, "pndm", pndm_cases()),
        (UniPCMultistepScheduler, "unipc", dpm_solver_cases()),
    ):
        for config, steps, options in listed:
            scheduler = scheduler_class(**config)
            case = {"sampler": sampler, "config": json.loads(scheduler.to_json_string()), "steps": steps}
            if starts_without_signal(scheduler, steps):
                cases.append(case | {"refused": True})
                continue
            variance_type = config.get("variance_type", "fixed_small")
            latents, timesteps = trajectory(scheduler, steps, variance_type, **options)
            case |= options | {"timesteps": timesteps}
            if not torch.isfinite(latents).all():
                # From alpha = 0 with eta 1 the direction's length is the root of 0, rounded below 0 in float32.
                assert config["rescale_betas_zero_snr"] and options == {"eta": 1.0}, case
                cases.append(case | {"not_finite": True})
                continue
            # Where Karras' levels fall between timesteps, float32 tables move the timestep that the network is told.
            if not config.get("use_karras_sigmas"):
                add(case | {"tables": "float32"}, latents)
            exact, timesteps = trajectory_with_float64_tables(scheduler_class, config, steps, variance_type, **options)
            if torch.isfinite(exact).all():
                add(case | {"tables": "float64", "timesteps": timesteps}, exact)
    for betas, zero_snr in itertools.product(BETAS.values(), (False, True)):
        config = betas | {"rescale_betas_zero_snr": zero_snr}
        scheduler = DDPMScheduler(**config)
        add({"process": True, "config": json.loads(scheduler.to_json_string())}, process_case(config))

    (out_dir / "latents.f32").write_bytes(torch.cat(values).numpy().tobytes())
    (out_dir / "cases.json").write_text(json.dumps(cases))


main(pathlib.Path(sys.argv[1]))
