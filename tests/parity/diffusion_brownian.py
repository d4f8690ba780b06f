"""The noise of torchsde's Brownian trees, as k-diffusion and diffusers ask for it, from numpy's seeds of their nodes to
whole trajectories of k-diffusion's samplers."""

import itertools
import math
import warnings

import numpy as np
import torch
from diffusers.schedulers import scheduling_dpmsolver_sde

import diffusion_kdiffusion as kdiffusion

sampling = kdiffusion.sampling
SHAPE = (2, 4, 4, 4)
SEEDS = (5, 6)
CONFIG = {"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
          "beta_end": 0.012, "timestep_spacing": "linspace"}


def every_sigma(dtype):
    """Of Stable Diffusion's timesteps, from tables in `dtype`: float32's are what the web UI has."""
    betas = np.linspace(CONFIG["beta_start"] ** 0.5, CONFIG["beta_end"] ** 0.5, 1000) ** 2
    alphas_cumprod = torch.tensor(np.cumprod(1 - betas)).to(dtype)
    return ((1 - alphas_cumprod) / alphas_cumprod) ** 0.5


def seed_sequences():
    entropies = (0, 1, 6, 2**31, 2**32 - 1, 2**32, 2**63 + 2**33 + 7, 2**64 - 1)
    places = ((), (0, 0), (1, 1), (0, 5), (2**31, 32), (2**32,), (2**45 + 3, 46), (2**64 - 1, 64), (3, 1, 4, 1, 5))
    for entropy, place, pool_size in itertools.product(entropies, places, (4, 5, 24)):
        sequence = np.random.SeedSequence(entropy, spawn_key=place, pool_size=pool_size)
        state = sequence.generate_state(30).tolist()
        yield {"entropy": entropy, "spawn_key": list(place), "pool_size": pool_size, "state": state}


def exact_karras(least, largest, n):
    return (largest ** (1 / 7) + np.linspace(0, 1, n) * (least ** (1 / 7) - largest ** (1 / 7))) ** 7


def walks():
    """Pairs of sigmas, as samplers ask for them one after the other, and others."""
    least, largest = (float(every_sigma(torch.float64)[i]) for i in (0, -1))
    for n in (2, 7, 25):
        levels = exact_karras(least, largest, n).tolist()
        yield list(zip(levels, levels[1:]))
        # Of two evaluations a step: to the middle first.
        yield [pair for a, b in zip(levels, levels[1:]) for pair in ((a, math.sqrt(a * b)), (a, b))]
    yield [(a, b) for a, b in zip(np.linspace(20000, 0.006, 9), np.linspace(20000, 0.006, 9)[1:])]
    in_float32 = sampling.get_sigmas_karras(9, 0.0292, 14.6146).tolist()[:-1]
    yield list(zip(in_float32, in_float32[1:]))
    points = np.random.default_rng(0).uniform(0.03, 14, (40, 2))
    yield [(14.6, 0.03)] + [(max(pair), min(pair)) for pair in points.tolist()] + [(3.000002, 3), (1, 0.999999)]
    yield [(1.5, 0.5), (1.25, 1), (1.5, 1.25), (1, 0.5)]


def noise_cases():
    for pairs, seeds, source in itertools.product(walks(), (SEEDS, (0, 2**40 + 3)), (sampling, scheduling_dpmsolver_sde)):
        span = min(map(min, pairs)), max(map(max, pairs))
        tensors = [[torch.tensor(sigma, dtype=torch.float64) for sigma in numbers] for numbers in (span, *pairs)]
        if source is sampling:
            tree = source.BrownianTreeNoiseSampler(torch.zeros(SHAPE), *tensors[0], seed=list(seeds))
            noise = [tree(*pair) for pair in tensors[1:]]
        else:  # a tree for a batch of one, as diffusers' scheduler has it with one seed
            trees = [source.BrownianTreeNoiseSampler(torch.zeros(1, *SHAPE[1:]), *tensors[0], seed=seed) for seed in seeds]
            noise = [torch.cat([tree(*pair) for tree in trees]) for pair in tensors[1:]]
        yield {"noise_between": [list(pair) for pair in pairs], "span": list(span), "seeds": list(seeds)}, torch.stack(noise)


def levels_of(schedule, n, whole, dtype):
    """Sigmas down to 0, and the timestep that the network is told of each; of a solver's `whole` ones."""
    every = every_sigma(dtype)
    exact = every.double().numpy()
    if schedule == "karras":
        if dtype == torch.float32:
            sigmas = sampling.get_sigmas_karras(n, every[0].item(), every[-1].item())[:-1]
        else:
            sigmas = torch.tensor(exact_karras(exact[0], exact[-1], n))
        t = np.interp(np.log(sigmas.double().numpy()), np.log(exact), np.arange(1000))
        told = t.round() if whole else t.astype(np.float32)
    else:
        told = np.linspace(0, 999, n + 1).round()[:0:-1] if whole else np.linspace(0, 999, n)[::-1].astype(np.float32)
        sigmas = torch.tensor(np.interp(told, np.arange(1000), exact))  # of timesteps in float32, as diffusers has them
    return torch.cat([sigmas, sigmas.new_zeros(1)]), told.astype(np.float64)


def trajectory(sample, levels, skipped, prediction_type, network):
    """The latents after each step from sigma number `skipped` on, by a path over all of them."""
    sigmas, told = levels
    every = every_sigma(torch.float64).log().numpy()

    def x0_at(x, sigma):
        sigma = sigma[0]
        near = (sigmas[:-1] / sigma - 1).abs().argmin()
        is_level = abs(sigmas[near] / sigma - 1) < 1e-6
        t = told[near] if is_level else np.interp(math.log(sigma), every, np.arange(1000))
        sigma = float(sigma)
        return kdiffusion.x0_of(network(x / math.sqrt(sigma**2 + 1), float(t)), x, sigma, prediction_type)

    draws = [torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(seed)) for seed in SEEDS]
    x, latents = torch.stack(draws), []
    noise = sampling.BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=list(SEEDS))
    x = x.to(sigmas.dtype) * sigmas[skipped]
    last = sample(x0_at, x, sigmas[skipped:], disable=True, callback=lambda at: latents.append(at["x"]),
                  noise_sampler=noise)
    return torch.stack(latents[1:] + [last])


def trajectory_cases(network):
    samplers = {"dpm++sde": sampling.sample_dpmpp_sde, "dpm++2m_sde": sampling.sample_dpmpp_2m_sde,
                "dpm++3m_sde": sampling.sample_dpmpp_3m_sde}
    for (name, sample), schedule, prediction_type, (steps, skipped), dtype in itertools.product(
        samplers.items(), ("discrete", "karras"), ("epsilon", "v_prediction"),
        ((3, 0), (7, 0), (7, 3), (16, 0), (30, 0), (30, 11)), (torch.float64, torch.float32)
    ):
        if dtype == torch.float32 and schedule == "discrete":
            continue  # between timesteps k-diffusion's levels are others than diffusers'
        levels = levels_of(schedule, steps, name == "dpm++2m_sde", dtype)
        case = {"sampler": name, "config": CONFIG | {"prediction_type": prediction_type}, "schedule": schedule}
        case |= {"steps": steps, "skipped": skipped, "precision": str(dtype).removeprefix("torch.")}
        yield case, trajectory(sample, levels, skipped, prediction_type, network)


def cases(network):
    """`network` is diffusion_reference.py's, of x and t."""
    yield {"seed_sequences": list(seed_sequences())}, torch.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a point that float32 has moved beyond the path's end
        yield from noise_cases()
        yield from trajectory_cases(network)
