"""Each class of schedulers that the pipelines take, with each key of a scheduler_config.json changed in turn: its own
keys and those of the other classes, which it ignores."""

import inspect

import diffusers
import numpy as np
import torch

diffusers.logging.set_verbosity_error()

CLASSES = (
    "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LCMScheduler", "TCDScheduler", "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DPMSolverSDEScheduler", "LMSDiscreteScheduler",
    "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler", "DEISMultistepScheduler", "UniPCMultistepScheduler",
    "SASolverScheduler", "IPNDMScheduler", "EDMEulerScheduler", "EDMDPMSolverMultistepScheduler",
    "FlowMatchEulerDiscreteScheduler",
)

# (the key, its value, what else must be set for it to count)
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}
KARRAS = {"use_karras_sigmas": True}
V = {"prediction_type": "v_prediction"}
CHANGES = (
    ("num_train_timesteps", 500, {}),
    ("beta_start", 0.002, {}),
    ("beta_end", 0.03, {}),
    ("beta_schedule", "scaled_linear", {}),
    ("beta_schedule", "squaredcos_cap_v2", {}),
    ("beta_schedule", "squaredcos_cap_v2", KARRAS),
    ("trained_betas", np.linspace(0.001, 0.02, 1000).tolist(), {}),
    ("prediction_type", "v_prediction", {}),
    ("prediction_type", "sample", {}),
    ("prediction_type", "flow_prediction", {}),
    ("timestep_spacing", "leading", {}),
    ("timestep_spacing", "linspace", {}),
    ("timestep_spacing", "trailing", {}),
    ("timestep_spacing", "trailing", V),
    ("steps_offset", 1, {}),
    ("steps_offset", 1, {"timestep_spacing": "leading"}),
    ("rescale_betas_zero_snr", True, V | {"timestep_spacing": "trailing"}),
    ("rescale_betas_zero_snr", True, {"timestep_spacing": "leading"}),
    ("clip_sample", True, {}),
    ("clip_sample", False, {}),
    ("clip_sample_range", 0.5, {"clip_sample": True}),
    ("thresholding", True, {}),
    ("dynamic_thresholding_ratio", 0.7, {"thresholding": True, "sample_max_value": 1.7}),
    ("sample_max_value", 1.2, {"thresholding": True}),
    ("set_alpha_to_one", True, {}),
    ("set_alpha_to_one", False, {}),
    ("skip_prk_steps", True, {}),
    ("skip_prk_steps", False, {}),
    ("skip_prk_steps", True, {"timestep_spacing": "linspace"}),
    ("skip_prk_steps", True, {"timestep_spacing": "trailing"}),
    ("skip_prk_steps", True, V),
    ("skip_prk_steps", False, V),
    ("variance_type", "fixed_large", {}),
    ("variance_type", "fixed_small_log", {}),
    ("variance_type", None, {}),
    ("use_karras_sigmas", True, {}),
    ("use_exponential_sigmas", True, {}),
    ("use_beta_sigmas", True, {}),
    ("use_beta_sigmas", True, KARRAS),
    ("use_lu_lambdas", True, {}),
    ("sigma_min", 0.1, KARRAS),
    ("sigma_max", 9.0, KARRAS),
    ("sigma_min", 0.1, {"use_exponential_sigmas": True}),
    ("interpolation_type", "log_linear", {}),
    ("interpolation_type", "log_linear", KARRAS),
    ("timestep_type", "continuous", {}),
    ("timestep_type", "continuous", V),
    ("final_sigmas_type", "sigma_min", {}),
    ("final_sigmas_type", "sigma_min", V),
    ("solver_order", 1, {}),
    ("solver_order", 3, {}),
    ("solver_order", 3, SIGMA_MIN),
    ("solver_order", 4, {}),
    ("solver_type", "midpoint", {}),
    ("solver_type", "heun", {}),
    ("solver_type", "heun", {"solver_order": 3}),
    ("solver_type", "logrho", {}),
    ("solver_type", "bh1", SIGMA_MIN),
    ("solver_type", "bh2", {}),
    ("algorithm_type", "dpmsolver", {}),
    ("algorithm_type", "dpmsolver", SIGMA_MIN),
    ("algorithm_type", "dpmsolver", SIGMA_MIN | {"solver_order": 3}),
    ("algorithm_type", "dpmsolver", SIGMA_MIN | {"solver_order": 3, "solver_type": "heun"}),
    ("algorithm_type", "deis", {}),
    ("algorithm_type", "sde-dpmsolver++", {}),
    ("algorithm_type", "sde-dpmsolver++", {"solver_order": 3}),
    ("algorithm_type", "sde-dpmsolver++", {"solver_order": 3, "solver_type": "heun"}),
    ("algorithm_type", "sde-dpmsolver++", SIGMA_MIN | {"solver_type": "heun"}),
    ("algorithm_type", "sde-dpmsolver", {}),
    ("algorithm_type", "sde-dpmsolver", SIGMA_MIN),
    ("algorithm_type", "sde-dpmsolver", SIGMA_MIN | {"solver_type": "heun"}),
    ("algorithm_type", "sde-dpmsolver", SIGMA_MIN | {"solver_order": 3}),
    ("lower_order_final", False, {}),
    ("lower_order_final", False, SIGMA_MIN),
    ("lower_order_final", True, SIGMA_MIN),
    ("lower_order_final", False, SIGMA_MIN | {"solver_order": 3}),
    ("lower_order_final", True, SIGMA_MIN | {"solver_order": 3}),
    ("euler_at_final", True, SIGMA_MIN),
    ("lambda_min_clipped", -1.5, {}),
    ("lambda_min_clipped", -1.5, {"timestep_spacing": "leading"}),
    ("lambda_min_clipped", -1.5, {"timestep_spacing": "trailing"}),
    ("predict_x0", False, {}),
    ("predict_x0", False, SIGMA_MIN),
    ("disable_corrector", [0, 3], {}),
    ("solver_p", {"_class_name": "DPMSolverMultistepScheduler"}, {}),
    ("use_flow_sigmas", True, {}),
    ("flow_shift", 3.0, {}),
    ("use_dynamic_shifting", True, {}),
    ("time_shift_type", "linear", {}),
    ("shift_terminal", 0.1, {}),
    ("noise_sampler_seed", 7, {}),
    ("original_inference_steps", 20, {}),
    ("timestep_scaling", 0.001, {}),
    ("sigma_schedule", "exponential", {}),
    ("sigma_schedule", "karras", {}),
    ("sigma_schedule", "linear", {}),
    ("sigma_min", 0.1, {}),
    ("sigma_max", 9.0, {}),
    ("sigma_max", 0.9, KARRAS),
    ("sigma_data", 1.5, {}),
    ("sigma_data", 1.5, V),
    ("rho", 4.0, {}),
    ("predictor_order", 1, {}),
    ("predictor_order", 3, {}),
    ("predictor_order", 4, {"lower_order_final": False}),
    ("predictor_order", 5, {}),
    ("corrector_order", 1, {}),
    ("corrector_order", 3, {}),
    ("corrector_order", 5, {}),
    ("algorithm_type", "data_prediction", {}),
    ("algorithm_type", "noise_prediction", {}),
    ("algorithm_type", "noise_prediction", {"thresholding": True}),
    ("tau_func", "constant", {}),
    ("shift", 3.0, {}),
    ("base_shift", 0.7, {}),
    ("max_shift", 1.5, {}),
    ("base_image_seq_len", 64, {}),
    ("max_image_seq_len", 1024, {}),
    ("time_shift_type", "cubic", {}),
    ("shift_terminal", 0.1, {"shift": 3.0}),
    ("shift_terminal", 0.1, KARRAS),
    ("invert_sigmas", True, {}),
    ("stochastic_sampling", True, {}),
    ("stochastic_sampling", True, {"invert_sigmas": True}),
)


def is_refused(key, config):
    """What the project does not have, and refuses by its name."""
    flow = key == "prediction_type" and config.get(key) == "flow_prediction"
    ipndm = key == "trained_betas" and config["_class_name"] == "IPNDMScheduler"
    order = key in ("predictor_order", "corrector_order") and config.get(key) > 4
    # sigma above 1 in flow matching, where alpha = 1 - sigma
    negative = key == "sigma_max" and config["_class_name"] == "FlowMatchEulerDiscreteScheduler"
    inverted = key == "stochastic_sampling" and config.get("invert_sigmas")
    clipped = key == "lambda_min_clipped" and config.get("timestep_spacing") == "trailing"
    if flow or clipped or ipndm or order or negative or inverted:
        return True
    return key in ("use_flow_sigmas", "use_dynamic_shifting", "solver_p", "noise_sampler_seed")


def scheduler_of(config):
    """As a pipeline's folder is read, which may have keys of other classes."""
    return getattr(diffusers, config["_class_name"]).from_config(config)


def read_by(name):
    """The keys that count for a class: its own, and two that its functions look for in whatever it was given."""
    own = inspect.signature(getattr(diffusers, name).__init__).parameters
    return {"_class_name", "sigma_min", "sigma_max", *own}


def cases():
    """(key, config, steps, options of step())"""
    for name in CLASSES:
        base = {"_class_name": name}
        eta = {"eta": 0.3} if name == "TCDScheduler" else {}
        for steps in (7, 8, 16):
            yield "_class_name", base, steps, eta
        # DDIM and DDPM have no index to begin at; for the others see docs/samplers.md.
        if name not in ("DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler"):
            yield "strength", base, 10, eta | {"strength": 0.6}
            yield "strength", base | {"solver_order": 3}, 10, eta | {"strength": 0.9}
        if eta:
            for value in (0.0, 0.5, 1.0):
                yield "eta", base, 8, {"eta": value}
        for key, value, company in CHANGES:
            # With and without a remainder of the solver's groups of 2 or 3.
            for steps in (8, 9) if key.endswith("order") or "order_final" in key else (8,):
                yield key, base | company | {key: value}, steps, eta


def run(trajectory, exact_tables):
    """(case, latents or None) for each case. `trajectory` runs a scheduler, `exact_tables` is a context for a class."""
    known = {}
    for key, config, steps, options in cases():
        read = frozenset((k, repr(v)) for k, v in config.items() if k in read_by(config["_class_name"]))
        case = {"key": key, "config": config, "steps": steps, "refused": is_refused(key, config)} | options
        same = (read, steps, repr(options))
        if same in known:
            yield case | known[same][0], known[same][1]
            continue
        try:
            with exact_tables(getattr(diffusers, config["_class_name"])):
                latents, timesteps = trajectory(scheduler_of(config), steps, "", **options)
        except Exception as error:  # whatever it stumbles over, there is nothing to agree with
            known[same] = {"reference": f"{type(error).__name__}: {error}"}, None
        else:
            finite = torch.isfinite(latents).all()
            known[same] = ({"count": len(latents)}, latents) if finite else ({"reference": "not finite"}, None)
        yield case | known[same][0], known[same][1]
