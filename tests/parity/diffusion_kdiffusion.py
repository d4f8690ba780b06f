"""What diffusers has not: trajectories of k-diffusion's samplers and of the restart algorithm, in float64 over the levels
of diffusers' EulerDiscreteScheduler; schedules; a Brownian path of the generators' next numbers, in the place of both
packages' trees, which diffusion_brownian.py is for."""

import importlib
import importlib.util
import math
import sys
import types
from unittest import mock

import numpy as np
import torch
from diffusers.schedulers.scheduling_utils import AysSchedules


def load_sampling():
    """k_diffusion.sampling without the package around it, which wants a dozen others for training."""
    folder = importlib.util.find_spec("k_diffusion").submodule_search_locations[0]
    package, utils, ode = (types.ModuleType(name) for name in ("k_diffusion", "k_diffusion.utils", "torchdiffeq"))
    package.__path__ = [folder]
    package.utils = utils
    utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    ode.odeint = None
    with mock.patch.dict(sys.modules, {"k_diffusion": package, "k_diffusion.utils": utils, "torchdiffeq": ode}):
        return importlib.import_module("k_diffusion.sampling")


sampling = load_sampling()


class BrownianPath:
    """Noise of unit variance for each interval of a walk down from the largest sigma. Where it was walked before, it is
    the same path: an interval that begins with a shorter one has that one's increment in it."""

    def __init__(self, draw):
        self.draw, self.walked = draw, []  # (sigma, path there), falling

    def at(self, sigma):
        for known, value in self.walked:
            if math.isclose(known, sigma, rel_tol=1e-5):
                return value
        last, value = self.walked[-1]
        assert sigma < last
        self.walked.append((sigma, value + math.sqrt(last - sigma) * self.draw()))
        return self.walked[-1][1]

    def __call__(self, sigma, sigma_next):
        sigma, sigma_next = float(sigma), float(sigma_next)
        if not self.walked:
            self.walked.append((sigma, 0.0))
        start = self.at(sigma)
        return (self.at(sigma_next) - start) / math.sqrt(sigma - sigma_next)


def x0_of(raw, x, sigma, prediction_type):
    """Of x = x0 + sigma eps."""
    if prediction_type == "epsilon":
        return x - sigma * raw
    if prediction_type == "v_prediction":
        return x / (sigma**2 + 1) - sigma / math.sqrt(sigma**2 + 1) * raw
    return raw


def network_at(scheduler, network):
    """x0 of x = x0 + sigma eps at any sigma: at one of the scheduler's with the timestep that it has there."""
    sigmas = scheduler.sigmas.double()[:-1]
    tables = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().log().double().numpy()

    def x0_at(x, sigma):
        sigma = float(sigma)
        near = [i for i, level in enumerate(sigmas) if math.isclose(sigma, float(level), rel_tol=1e-9)]
        t = scheduler.timesteps[near[0]] if near else scheduler._sigma_to_t(np.array(sigma), tables)
        return x0_of(network(x / math.sqrt(sigma**2 + 1), float(t)), x, sigma, scheduler.config.prediction_type)

    return x0_at


def run(sample, scheduler, network, x, draw):
    """The latents after each step. `scheduler` has its timesteps set."""
    x0_at, latents = network_at(scheduler, network), []
    last = sample(lambda x, sigma: x0_at(x, sigma[0]), x.double(), scheduler.sigmas.double(), disable=True,
                  callback=lambda at: latents.append(at["x"]), noise_sampler=BrownianPath(draw))
    return torch.stack(latents[1:] + [last])


def run_restart(scheduler, network, x, draw, low=0.1, high=2.0, restarts=2):
    """Xu et al. 2023, algorithm 1, in terms of x = x0 + sigma eps, with a quarter of the steps in each restart."""
    x0_at, latents = network_at(scheduler, network), []
    sigmas = scheduler.sigmas.double().tolist()
    n = len(sigmas) - 1

    def one_step_heun(x, sigma, sigma_next):
        slope = (x - x0_at(x, sigma)) / sigma
        euler = x + (sigma_next - sigma) * slope
        if sigma_next > 0:
            slope = (slope + (euler - x0_at(euler, sigma_next)) / sigma_next) / 2
            euler = x + (sigma_next - sigma) * slope
        latents.append(euler)
        return euler

    t_min = min(range(1, n), key=lambda i: abs(sigmas[i] - low), default=None)
    x = x.double()
    for i in range(n):
        x = one_step_heun(x, sigmas[i], sigmas[i + 1])
        if i + 1 != t_min or sigmas[t_min] >= high:
            continue
        count = math.ceil(n / 4)
        inner = [(high ** (1 / 7) + j / count * (sigmas[t_min] ** (1 / 7) - high ** (1 / 7))) ** 7 for j in range(count)]
        inner.append(sigmas[t_min])
        for _ in range(restarts):
            x = x + math.sqrt(high**2 - sigmas[t_min] ** 2) * draw()
            for j in range(count):
                x = one_step_heun(x, inner[j], inner[j + 1])
    return torch.stack(latents)


def schedule_sigmas(name, n):
    """Of the schedules that diffusers has not, on Stable Diffusion's betas, written from their definitions."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alphas_cumprod = np.cumprod(1 - betas)
    every = np.sqrt((1 - alphas_cumprod) / alphas_cumprod)
    if name == "simple":
        sigmas = [every[999 - i * 1000 // n] for i in range(n)]
    elif name == "sgm_uniform":
        sigmas = np.exp(np.interp(np.linspace(999, 0, n + 1)[:-1], np.arange(1000), np.log(every)))
    elif name == "polyexponential":
        return sampling.get_sigmas_polyexponential(n, every[0], every[-1]).numpy()
    else:
        published = AysSchedules["StableDiffusionXLSigmas" if name.endswith("_xl") else "StableDiffusionSigmas"]
        if n == len(published) - 1:
            return np.array(published)
        # diffusers has 0 where the authors have this, which matters between them.
        logs = np.log(published[:-1] + [0.029])
        sigmas = np.exp(np.interp(np.linspace(0, 1, n + 1), np.linspace(0, 1, len(logs)), logs))[:-1]
    return np.append(sigmas, 0)
