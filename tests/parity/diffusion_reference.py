"""Trajectories of diffusers' schedulers with a deterministic network, after every step.

Each is computed twice: as the reference is, and with its tables (betas, alphas_cumprod) in float64, as this project
has them. The first shows that we are close to diffusers, the second that what remains is its tables' rounding.

Writes OUT_DIR/cases.json, one entry a case with its scheduler config, and OUT_DIR/latents.f32, the float32 values
that the entries' offsets (in floats) point to.
"""

import contextlib
import functools
import inspect
import itertools
import json
import math
import pathlib
import sys
import warnings
from unittest import mock

import torch
import numpy
from diffusers import (DDIMInverseScheduler, DDIMScheduler, DDPMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler,
                       DPMSolverSDEScheduler, EDMDPMSolverMultistepScheduler, EDMEulerScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler,
                       HeunDiscreteScheduler, IPNDMScheduler, KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler,
                       LCMScheduler, LMSDiscreteScheduler, PNDMScheduler, SASolverScheduler, TCDScheduler,
                       UniPCMultistepScheduler)
from diffusers.utils.torch_utils import randn_tensor

import diffusion_brownian as brownian
import diffusion_cases as cases_of
import diffusion_kdiffusion as kdiffusion
import diffusion_keys as keys

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

SHAPE = (2, 4, 4, 4)
SEEDS = (5, 6)

# Of these classes more than alphas_cumprod is a table: sigmas by NumPy, or tensors of torch's default dtype.
SIGMAS_BY_NUMPY = (SASolverScheduler, FlowMatchEulerDiscreteScheduler)
DEFAULT_DTYPE = (EDMDPMSolverMultistepScheduler, EDMEulerScheduler, IPNDMScheduler)


def without_first_timesteps(scheduler_class):
    """Leaves out the timesteps that a constructor computes, for each of the 1000 in a loop that takes a second, and that
    the call of set_timesteps replaces. Only a constructor passes num_train_timesteps."""
    complete = scheduler_class.set_timesteps

    def set_timesteps(self, num_inference_steps=None, device=None, num_train_timesteps=None):
        if num_train_timesteps is None:
            return complete(self, num_inference_steps, device)
        self.sigmas = torch.zeros(1)

    return mock.patch.object(scheduler_class, "set_timesteps", set_timesteps)


class Float64:
    """torch or numpy, but that its float32 is float64."""

    def __init__(self, module):
        self.module, self.float32 = module, module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


@contextlib.contextmanager
def float64_tables(scheduler_class):
    module = sys.modules[scheduler_class.__module__]
    float32_noise = lambda shape, **options: randn_tensor(shape, **(options | {"dtype": torch.float32}))
    patched = {"randn_tensor": float32_noise} if hasattr(module, "randn_tensor") else {}
    if scheduler_class in SIGMAS_BY_NUMPY:
        patched["np"] = Float64(numpy)
    if scheduler_class in DEFAULT_DTYPE:
        torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.multiple(module, torch=Float64(torch), **patched):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def trajectory_with_float64_tables(scheduler_class, config, *arguments, **step_options):
    with float64_tables(scheduler_class):
        scheduler = scheduler_class(**config)
        assert getattr(scheduler, "alphas_cumprod", torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
        return trajectory(scheduler, *arguments, **step_options)


def toy_network(x, t, variance_type):
    """Depends on t so strongly that the next timestep gives another value altogether; the C++ test has the same."""
    raw = math.cos(0.9 * t) * torch.tanh(x) + math.sin(0.7 * t) * torch.cos(2.0 * x)
    if not variance_type.startswith("learned"):
        return raw
    variance = torch.tanh(x + math.sin(0.5 * t))
    return torch.cat([raw, variance**2 if variance_type == "learned" else variance], dim=1)


def trajectory(scheduler, steps, variance_type, sigmas=None, strength=1.0, mu=None, multistep_start=None, **step_options):
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    options = {"num_inference_steps": steps} if sigmas is None else {"sigmas": sigmas}
    scheduler.set_timesteps(**options | ({} if mu is None else {"mu": mu}))
    x = randn_tensor(SHAPE, generator=generators, dtype=torch.float32) * getattr(scheduler, "init_noise_sigma", 1.0)
    if "generator" in inspect.signature(scheduler.step).parameters:
        step_options["generator"] = generators
    draw = lambda: randn_tensor(SHAPE, generator=generators, dtype=torch.float32)
    if hasattr(scheduler, "noise_sampler"):
        scheduler.noise_sampler = kdiffusion.BrownianPath(draw)
    first = (steps - int(steps * strength)) * scheduler.order  # get_timesteps of the image-to-image pipelines
    if first > 0 and hasattr(scheduler, "set_begin_index"):  # PNDM goes by timesteps alone
        scheduler.set_begin_index(first)
    left, latents, timesteps = scheduler.timesteps[first:], [], []
    for i, t in enumerate(left):
        scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        raw = toy_network(scaled.float(), float(t), variance_type)
        x = scheduler.step(raw, t, x, **step_options).prev_sample
        # Those of order 2 take two evaluations a step, and step() is called for each.
        if scheduler.order == 1 or i % 2 == 0:
            timesteps.append(float(t))
        if scheduler.order == 1 or i % 2 == 1 or i + 1 == len(left):
            latents.append(x)
    return torch.stack(latents), timesteps


def kdiffusion_trajectory(scheduler, steps, run):
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scheduler.set_timesteps(steps)
    draw = lambda: randn_tensor(SHAPE, generator=generators, dtype=torch.float32)
    return run(scheduler, lambda x, t: toy_network(x, t, ""), draw() * scheduler.init_noise_sigma, draw)


def starts_without_signal(scheduler, steps):
    """Where diffusers divides by alpha = 0, and this project refuses."""
    if not hasattr(scheduler, "alphas_cumprod"):
        return False
    scheduler.set_timesteps(steps)
    first = scheduler.alphas_cumprod[int(scheduler.timesteps[0])]
    return scheduler.config.prediction_type == "epsilon" and first == 0


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
        (DDIMScheduler, "ddim", cases_of.ddim_cases()),
        (DDIMInverseScheduler, "ddim_inverse", cases_of.inverse_cases()),
        (DDPMScheduler, "ddpm", cases_of.ddpm_cases()),
        (EulerDiscreteScheduler, "euler", cases_of.euler_only_cases()),
        (EulerAncestralDiscreteScheduler, "euler_a", cases_of.sigma_cases(zero_snr_too=True)),
        (DPMSolverMultistepScheduler, "dpm++2m", cases_of.dpm_all_forms_cases()),
        (DPMSolverMultistepScheduler, "dpm++3m", cases_of.dpm_third_order_cases()),
        (DPMSolverMultistepScheduler, "dpm++2m_sde", cases_of.sde_cases()),
        (HeunDiscreteScheduler, "heun", cases_of.heun_cases()),
        (LMSDiscreteScheduler, "lms", (*cases_of.heun_cases(), *cases_of.multistep_start_cases())),
        (KDPM2DiscreteScheduler, "dpm2", cases_of.heun_cases()),
        (KDPM2AncestralDiscreteScheduler, "dpm2_a", cases_of.heun_cases()),
        (DPMSolverSDEScheduler, "dpm++sde", cases_of.heun_cases()),
        (PNDMScheduler, "pndm", (*cases_of.pndm_cases(), *cases_of.multistep_start_cases(skip_prk_steps=True))),
        (UniPCMultistepScheduler, "unipc", cases_of.unipc_cases()),
        (DEISMultistepScheduler, "deis", cases_of.deis_cases()),
        (LCMScheduler, "lcm", cases_of.lcm_cases()),
        (TCDScheduler, "tcd", cases_of.consistency_cases(eta=0.3)),
        (SASolverScheduler, "sa_solver", cases_of.sa_solver_cases()),
        (IPNDMScheduler, "ipndm", cases_of.ipndm_cases()),
        (EDMEulerScheduler, "euler", cases_of.edm_cases()),
        (EDMDPMSolverMultistepScheduler, "dpm++2m", cases_of.edm_solver_cases("dpmsolver++", (1, 2, 3))),
        (EDMDPMSolverMultistepScheduler, "dpm++2m_sde", cases_of.edm_solver_cases("sde-dpmsolver++", (1, 2))),
        (FlowMatchEulerDiscreteScheduler, "euler", cases_of.flow_cases()),
        (FlowMatchEulerDiscreteScheduler, "lcm", cases_of.stochastic_flow_cases()),
    ):
        for config, steps, options in listed:
            scheduler = scheduler_class(**config)
            case = {"sampler": sampler, "config": json.loads(scheduler.to_json_string()), "steps": steps}
            if sampler == "ddim_inverse":
                case["config"]["_class_name"] = "DDIMScheduler"  # the folder that it belongs to
            if sampler == "dpm++3m":
                del case["config"]["solver_order"]  # it is the sampler's
            if starts_without_signal(scheduler, steps):
                cases.append(case | {"refused": True})
                continue
            variance_type = config.get("variance_type", "fixed_small")
            latents, timesteps = trajectory(scheduler, steps, variance_type, **options)
            case |= options | {"timesteps": timesteps}
            if not torch.isfinite(latents).all():
                # From alpha = 0 with eta 1 the direction's length is the root of 0, rounded below 0 in float32.
                assert config.get("rescale_betas_zero_snr") and options == {"eta": 1.0}, case
                cases.append(case | {"not_finite": True})
                continue
            # Where levels fall between timesteps, float32 tables move the timestep that the network is told.
            if not any(config.get(flag) for flag in cases_of.FLAGS):
                add(case | {"tables": "float32"}, latents)
            exact, timesteps = trajectory_with_float64_tables(scheduler_class, config, steps, variance_type, **options)
            if torch.isfinite(exact).all():
                add(case | {"tables": "float64", "timesteps": timesteps}, exact)
    samplers = kdiffusion.sampling
    for sampler, run in (
        ("dpm++2s_a", functools.partial(kdiffusion.run, samplers.sample_dpmpp_2s_ancestral)),
        ("dpm++sde", functools.partial(kdiffusion.run, samplers.sample_dpmpp_sde)),
        ("dpm++3m_sde", functools.partial(kdiffusion.run, samplers.sample_dpmpp_3m_sde)),
        ("restart", kdiffusion.run_restart),
    ):
        for config, steps in cases_of.kdiffusion_cases():
            if sampler == "dpm++3m_sde" and steps == 1:
                continue  # a variable that is not set yet is read there
            if sampler == "restart" and config.get("prediction_type") == "sample":
                continue  # Heun's, at the end where sigma is near 0, which diffusers has not either
            for tables in ("float32", "float64"):
                with float64_tables(EulerDiscreteScheduler) if tables == "float64" else contextlib.nullcontext():
                    scheduler = EulerDiscreteScheduler(**config)
                    latents = kdiffusion_trajectory(scheduler, steps, run)
                # Of dpm++sde, whose middles fall between timesteps, diffusers' own cases are enough with these tables.
                between = sampler == "dpm++sde" or any(config.get(flag) for flag in cases_of.FLAGS)
                if tables == "float64" or not between:
                    case = {"sampler": sampler, "config": json.loads(scheduler.to_json_string()), "steps": steps}
                    timesteps = [] if sampler == "restart" else [float(t) for t in scheduler.timesteps]
                    add(case | {"tables": tables, "count": len(latents), "timesteps": timesteps}, latents)
    for name, spacing, steps in cases_of.schedule_cases():
        config = cases_of.BETAS["scaled_linear"] | {"timestep_spacing": spacing}
        latents, timesteps = trajectory_with_float64_tables(EulerDiscreteScheduler, config, steps, "", sigmas=(
            kdiffusion.schedule_sigmas(name, steps)))
        case = {"sampler": "euler", "schedule": name, "config": config | {"_class_name": "EulerDiscreteScheduler"}}
        add(case | {"steps": steps, "tables": "float64", "timesteps": timesteps}, latents)
    for betas, zero_snr in itertools.product(cases_of.BETAS.values(), (False, True)):
        config = betas | {"rescale_betas_zero_snr": zero_snr}
        scheduler = DDPMScheduler(**config)
        add({"process": True, "config": json.loads(scheduler.to_json_string())}, process_case(config))

    for case, latents in brownian.cases(lambda x, t: toy_network(x, t, "")):
        add({"brownian": case}, latents)

    for case, latents in keys.run(trajectory, float64_tables):
        if latents is None:
            cases.append({"swept": case})
        else:
            add({"swept": case}, latents)

    (out_dir / "latents.f32").write_bytes(torch.cat(values).numpy().tobytes())
    (out_dir / "cases.json").write_text(json.dumps(cases))


with without_first_timesteps(KDPM2DiscreteScheduler), without_first_timesteps(KDPM2AncestralDiscreteScheduler):
    main(pathlib.Path(sys.argv[1]))
