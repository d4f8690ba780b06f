"""What the references share: how they start, whose noise they take, and what a pipeline of diffusers makes, step by step."""

import sys
import warnings
from pathlib import Path

import torch
import transformers
from diffusers import (EDMDPMSolverMultistepScheduler, EDMEulerScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, HeunDiscreteScheduler, KDPM2DiscreteScheduler, LMSDiscreteScheduler, logging)

# They keep latents divided by alpha.
BY_SIGMA = (EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, HeunDiscreteScheduler, KDPM2DiscreteScheduler,
            LMSDiscreteScheduler)
EDM = (EDMDPMSolverMultistepScheduler, EDMEulerScheduler)


def begin(threads=1):
    """Says nothing but errors, and makes the folder that is written to. Networks this small only wait for each other on
    more threads."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore")
    for loud in (transformers.utils.logging, logging):
        loud.set_verbosity_error()
        loud.disable_progress_bar()
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    return out


def generators(case):
    """One a picture: seed, seed + 1, ..."""
    return [torch.Generator().manual_seed(case["seed"] + k) for k in range(case.get("batch_count", 1))]


def is_within_step(scheduler):
    """Whether a scheduler of second order is half way through a step; its last one has one half alone."""
    return not getattr(scheduler, "state_in_first_order", True) and scheduler.sigmas[scheduler.step_index] > 0


def recorded(pipeline, **arguments):
    """What the pipeline returns, and `latents.I` after every step I, in the units of x_t = alpha x0 + sigma eps."""
    steps = {}

    def on_step(pipeline, entry, timestep, values):
        scheduler = pipeline.scheduler
        latents = values["latents"].clone(memory_format=torch.contiguous_format)
        if isinstance(scheduler, BY_SIGMA):
            latents = latents / (scheduler.sigmas[scheduler.step_index] ** 2 + 1).sqrt()
        if isinstance(scheduler, EDM) and scheduler.sigmas[scheduler.step_index] > 0:
            latents = scheduler.precondition_inputs(latents, scheduler.sigmas[scheduler.step_index])
        if not is_within_step(scheduler):
            steps[f"latents.{len(steps)}"] = latents
        return {}

    pipeline.set_progress_bar_config(disable=True)
    return pipeline(callback_on_step_end=on_step, **arguments).images, steps


def as_tensor(images):
    """Pictures of output_type np as a tensor [N, 3, H, W]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
