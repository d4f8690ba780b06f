"""The scheduler configs and step counts of diffusion_reference.py: each function yields (config, steps, options of
step())."""

import itertools

import numpy as np

BETAS = {
    "linear": {"beta_schedule": "linear"},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "squaredcos_cap_v2": {"beta_schedule": "squaredcos_cap_v2"},
}
SPACINGS = ("leading", "linspace", "trailing")
PREDICTIONS = ("epsilon", "v_prediction", "sample")
FLAGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}
# Below and from 15 on, where lower_order_final counts for DPM-Solver and DEIS.
FEW_STEPS = (1, 2, 3, 4, 14, 15)


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


def inverse_cases():
    """Not of x0 from alpha = 1, where the reference divides by sigma = 0."""
    for betas, spacing, prediction in itertools.product(BETAS.values(), ("leading", "trailing"), PREDICTIONS):
        for one in (False, True) if prediction != "sample" else (False,):
            config = {"timestep_spacing": spacing, "prediction_type": prediction, "set_alpha_to_one": one}
            for steps in (1, 7, 50):
                yield betas | config | {"clip_sample": False, "steps_offset": int(spacing == "leading")}, steps, {}


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


def flag_cases():
    for flag, spacing, steps in itertools.product(FLAGS, SPACINGS, (1, 7, 25)):
        yield BETAS["scaled_linear"] | {"timestep_spacing": spacing, flag: True}, steps, {}


def euler_cases():
    yield from sigma_cases(zero_snr_too=True)
    yield from flag_cases()
    for steps in (1, 7, 25):
        yield BETAS["scaled_linear"] | {"timestep_spacing": "trailing", "final_sigmas_type": "sigma_min"}, steps, {}


def euler_only_cases():
    """What of EulerDiscreteScheduler's settings no other class has."""
    yield from euler_cases()
    for spacing, steps in itertools.product(SPACINGS, (1, 2, 7, 25)):
        config = BETAS["scaled_linear"] | {"timestep_spacing": spacing}
        for flag in FLAGS:
            yield config | {flag: True, "sigma_min": 0.1, "sigma_max": 9.0}, steps, {}
            yield config | {flag: True, "interpolation_type": "log_linear"}, steps, {}
        for prediction, final in itertools.product(PREDICTIONS[:2], ("zero", "sigma_min")):
            log_linear = {"interpolation_type": "log_linear", "prediction_type": prediction, "final_sigmas_type": final}
            yield config | log_linear, steps, {}
        # Above the schedule's 14.6: from two levels there the reference, told one timestep for both, skips the first.
        yield config | {"use_karras_sigmas": True, "sigma_max": 15.0}, steps, {}
        yield config | {"timestep_type": "continuous", "sigma_min": 0.1}, steps, {}


def dpm_solver_cases():
    yield from euler_cases()
    for prediction in PREDICTIONS:
        yield BETAS["scaled_linear"] | {"prediction_type": prediction}, 14, {}
        yield BETAS["scaled_linear"] | {"prediction_type": prediction}, 15, {}


def solver_cases(settings, step_counts=FEW_STEPS):
    """Each of the solver's settings with the model's timesteps and with Karras', from noise and from a noised picture:
    of 20 steps, the 16 or fewer left are no few. Karras' end at sigma_min themselves: with that the reference's last
    step divides 0 by 0 in all orders but UniPC's first."""
    for setting, prediction, karras in itertools.product(settings, PREDICTIONS[:2], (False, True)):
        ends_in_first_order = setting.get("solver_type") == "bh1" and setting.get("lower_order_final", True)
        if karras and setting.get("final_sigmas_type") == "sigma_min" and not ends_in_first_order:
            continue
        config = BETAS["scaled_linear"] | {"prediction_type": prediction, "use_karras_sigmas": karras}
        for steps in step_counts:
            yield config | setting, steps, {}
        for steps, strength in ((20, 0.8), (20, 0.3), (10, 0.5)):
            yield config | {"timestep_spacing": "leading", "steps_offset": 1} | setting, steps, {"strength": strength}


def dpm_orders(**setting):
    for order, kind in ((1, "midpoint"), (2, "midpoint"), (2, "heun"), (3, "midpoint")):
        yield setting | {"solver_order": order, "solver_type": kind}


def dpm_order_cases():
    yield from solver_cases(dpm_orders())
    yield from solver_cases(dpm_orders(lower_order_final=False))
    yield from solver_cases(dpm_orders(lower_order_final=False, **SIGMA_MIN))
    yield from solver_cases(dpm_orders(euler_at_final=True, **SIGMA_MIN), (3, 15))
    for betas, spacing in itertools.product(BETAS.values(), SPACINGS):
        for setting in dpm_orders(timestep_spacing=spacing):
            yield betas | setting, 20, {}


def dpm_third_order_cases():
    for betas, spacing, prediction, steps in itertools.product(BETAS.values(), SPACINGS, PREDICTIONS[:2], (3, 14, 20)):
        yield betas | {"timestep_spacing": spacing, "prediction_type": prediction, "solver_order": 3}, steps, {}


def dpm_multistep_cases():
    yield from dpm_solver_cases()
    yield from dpm_order_cases()
    for steps in (7, 25):
        yield BETAS["scaled_linear"] | {"use_lu_lambdas": True}, steps, {}


def sde_cases():
    for config, steps, options in dpm_multistep_cases():
        yield config | {"algorithm_type": "sde-dpmsolver++"}, steps, options


def dpm_all_forms_cases():
    """dpmsolver too: for eps, which does not reach sigma = 0."""
    yield from dpm_multistep_cases()
    yield from solver_cases(dpm_orders(algorithm_type="dpmsolver", **SIGMA_MIN))
    yield from solver_cases(dpm_orders(algorithm_type="dpmsolver", lower_order_final=False, **SIGMA_MIN))
    thresholding = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
    yield BETAS["linear"] | SIGMA_MIN | {"algorithm_type": "dpmsolver"} | thresholding, 20, {}


def unipc_cases():
    """Neither bh1 nor all orders to the end at sigma = 0: the reference's weights are infinite there."""
    yield from dpm_solver_cases()
    for order, kind in itertools.product((1, 2, 3), (SIGMA_MIN | {"solver_type": "bh1"}, {"solver_type": "bh2"})):
        setting = kind | {"solver_order": order}
        corrected = setting | {"disable_corrector": [0, 1, 6]}
        of_eps = setting | SIGMA_MIN | {"predict_x0": False}
        of_all_orders = corrected | SIGMA_MIN | {"lower_order_final": False}
        for config, steps, options in solver_cases((setting, corrected, of_eps, of_all_orders)):
            # One step to sigma_min with Karras' levels leaves the noise as it is there.
            if steps > 1 or not config["use_karras_sigmas"] or "final_sigmas_type" not in config:
                yield config, steps, options
    for betas, spacing in itertools.product(BETAS.values(), SPACINGS):
        for kind in (SIGMA_MIN | {"solver_type": "bh1"}, {"solver_type": "bh2"}):
            yield betas | {"timestep_spacing": spacing, "solver_order": 3} | kind, 20, {}


def heun_cases():
    """Not of the cosine schedule: sigma begins at 2e4 there, and what the reference keeps, x0 + sigma eps in float32,
    then falls by a factor that leaves two digits."""
    for config, steps, options in sigma_cases(zero_snr_too=False):
        if config["beta_schedule"] != "squaredcos_cap_v2":
            yield config, steps, options
    yield from flag_cases()


def deis_cases():
    """Below and from 15 steps on, where the last one's order changes. Not hundreds: the reference's weights are
    differences of nearly equal logarithms in float32. Nor one step with a flag, which there leaves the noise as it is."""
    for config, steps, options in heun_cases():
        if steps < 100 and (steps > 1 or not any(config.get(flag) for flag in FLAGS)):
            yield config, steps, options
    for prediction, steps in itertools.product(PREDICTIONS, (14, 15)):
        yield BETAS["scaled_linear"] | {"prediction_type": prediction}, steps, {}
    thresholding = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
    yield BETAS["linear"] | thresholding, 20, {}
    for order, final in itertools.product((1, 2, 3), (True, False)):
        for config, steps, options in solver_cases(({"solver_order": order, "lower_order_final": final},)):
            if steps > 1 or not config["use_karras_sigmas"]:
                yield config, steps, options
    for betas, spacing in itertools.product(("linear", "scaled_linear"), SPACINGS):
        yield BETAS[betas] | {"timestep_spacing": spacing, "solver_order": 3}, 20, {}


def kdiffusion_cases():
    for betas, spacing, prediction in itertools.product(("linear", "scaled_linear"), SPACINGS, PREDICTIONS):
        for steps in (1, 2, 7, 30):
            yield BETAS[betas] | {"timestep_spacing": spacing, "prediction_type": prediction}, steps
    for config, steps, _ in flag_cases():
        yield config, steps


def schedule_cases():
    for name in ("simple", "sgm_uniform", "polyexponential", "align_your_steps", "align_your_steps_xl"):
        for spacing, steps in itertools.product(("leading", "trailing"), (1, 4, 10, 23)):
            yield name, spacing, steps


def consistency_cases(**options):
    for betas, prediction, steps in itertools.product(BETAS.values(), PREDICTIONS, (1, 2, 4, 8, 17, 50)):
        yield betas | {"prediction_type": prediction}, steps, options
    for prediction in PREDICTIONS:
        config = {"prediction_type": prediction}
        yield config | {"rescale_betas_zero_snr": True}, 4, options
        yield config | {"original_inference_steps": 25, "set_alpha_to_one": False}, 6, options
    trained = {"trained_betas": np.linspace(0.001, 0.05, 110).tolist(), "num_train_timesteps": 110}
    yield trained, 9, options


def lcm_cases():
    yield from consistency_cases()
    for prediction in PREDICTIONS:
        yield {"prediction_type": prediction, "clip_sample": True, "clip_sample_range": 0.7}, 4, {}
        # So small that x itself is a part of what is denoised.
        for scaling, steps in itertools.product((0.01, 0.001), (4, 8)):
            yield {"prediction_type": prediction, "timestep_scaling": scaling}, steps, {}


def pndm_cases():
    """Of eps and leading spacing; v and the other spacings are in diffusion_keys.py. With Runge-Kutta steps not from the cosine schedule's end, from where alpha rises 2e4 times and x with it: float32 then leaves
    the toy network's cosine of x no digits."""
    for betas, offset, one in itertools.product(BETAS.values(), (0, 1), (False, True)):
        for steps in (2, 3, 7, 50):
            yield betas | {"skip_prk_steps": True, "steps_offset": offset, "set_alpha_to_one": one}, steps, {}
    for betas, spacing, offset, one in itertools.product(BETAS.values(), SPACINGS, (0, 1), (False, True)):
        if betas["beta_schedule"] == "squaredcos_cap_v2" and spacing != "leading":
            continue
        # The strides of 9 and 30 steps are odd: the middle of one then is not where the network is asked.
        for steps in (4, 5, 9, 20, 30):
            config = {"skip_prk_steps": False, "timestep_spacing": spacing, "set_alpha_to_one": one}
            yield betas | config | {"steps_offset": offset}, steps, {}


def sa_solver_cases():
    """Not one step with a flag, which there leaves the noise as it is."""
    orders = [{"predictor_order": p, "corrector_order": c} for p, c in itertools.product((1, 2, 3, 4), repeat=2)]
    of_eps = {"algorithm_type": "noise_prediction"}
    for setting in orders:
        for more in ({}, {"lower_order_final": False}, of_eps):
            for steps in (2, 5, 12):
                yield BETAS["scaled_linear"] | setting | more, steps, {}
        yield BETAS["scaled_linear"] | setting, 20, {"strength": 0.6}
    for betas, spacing, prediction, kind in itertools.product(BETAS.values(), SPACINGS, PREDICTIONS, ({}, of_eps)):
        # From the cosine schedule's end eps of x0, and x by eps as it grows with alpha, are noise of float32's rounding.
        if betas["beta_schedule"] != "squaredcos_cap_v2" or (prediction == "v_prediction" and not kind):
            for steps in (1, 10, 30):
                yield betas | {"timestep_spacing": spacing, "prediction_type": prediction} | kind, steps, {}
    for flag, kind, steps in itertools.product(FLAGS, ({}, of_eps), (2, 7, 25)):
        yield BETAS["scaled_linear"] | {flag: True} | kind, steps, {}
    thresholding = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
    yield BETAS["linear"] | thresholding, 20, {}
    trained = {"trained_betas": np.linspace(0.001, 0.05, 100).tolist(), "num_train_timesteps": 100}
    yield trained, 9, {}


def ipndm_cases():
    """Not of one step, which leads from x0 = 0 to all zeros."""
    for steps in (*range(2, 22), 50, 100):
        yield {}, steps, {}
    for strength in (0.25, 0.5, 0.9):
        yield {}, 20, {"strength": strength}


def edm_cases():
    """Of sigma_data 0.5 and others, from noise and from a noised picture."""
    settings = ({}, {"sigma_data": 1.0}, {"sigma_data": 2.0, "sigma_max": 120.0}, {"sigma_min": 0.1, "rho": 5.0})
    for setting, spread, prediction in itertools.product(settings, ("karras", "exponential"), PREDICTIONS[:2]):
        config = setting | {"sigma_schedule": spread, "prediction_type": prediction}
        for steps in (1, 2, 7, 30):
            yield config, steps, {}
        yield config | SIGMA_MIN, 7, {}
        for steps, strength in ((20, 0.3), (10, 0.5)):
            yield config, steps, {"strength": strength}


def edm_solver_cases(algorithm_type, orders):
    """Orders above the midpoint's second do not end at sigma_min: there the reference divides 0 by 0."""
    for setting in dpm_orders(algorithm_type=algorithm_type):
        if setting["solver_order"] not in orders:
            continue
        for config, steps, options in edm_cases():
            exact_end = setting["solver_order"] < 3 and setting["solver_type"] == "midpoint"
            if exact_end or "final_sigmas_type" not in config:
                yield config | setting, steps, options
        for more in ({"lower_order_final": False}, {"euler_at_final": True}):
            for steps in (3, 14, 15):
                yield setting | more, steps, {}
    thresholding = {"thresholding": True, "dynamic_thresholding_ratio": 0.8, "sample_max_value": 1.5}
    yield thresholding | {"algorithm_type": algorithm_type}, 20, {}


def flow_cases(**shared):
    """Not one step with shift_terminal, where the reference divides 0 by 0."""
    dynamic = {"use_dynamic_shifting": True}
    shifts = (({}, {}), ({"shift": 3.0}, {}), (dynamic, {"mu": 0.8}), (dynamic | {"time_shift_type": "linear"}, {"mu": 2.5}))
    for (shift, mu), steps in itertools.product(shifts, (1, 2, 7, 28)):
        yield shift | shared, steps, mu
        if steps > 1:
            yield shift | {"shift_terminal": 0.1} | shared, steps, mu
        for flag in FLAGS:
            yield shift | {flag: True} | shared, steps, mu
    for (shift, mu), strength in itertools.product(shifts, (0.4, 0.75)):
        yield shift | shared, 20, mu | {"strength": strength}
    yield {"num_train_timesteps": 500} | shared, 10, {}
    if not shared:
        yield from flow_cases(invert_sigmas=True)


def stochastic_flow_cases():
    yield from flow_cases(stochastic_sampling=True)


def multistep_start_cases(**shared):
    """Of the classes that count steps that image to image did not make."""
    for spacing, prediction, steps in itertools.product(SPACINGS, PREDICTIONS[:2], (10, 20)):
        for strength in (0.3, 0.5, 0.8, 0.9):
            config = BETAS["scaled_linear"] | {"timestep_spacing": spacing, "prediction_type": prediction} | shared
            offset = {"steps_offset": int(spacing == "leading")}
            yield config | offset, steps, {"strength": strength, "multistep_start": "diffusers"}
