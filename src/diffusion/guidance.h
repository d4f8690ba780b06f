#pragma once

#include "diffusion/course.h"
#include "diffusion/denoiser.h"
#include "diffusion/prediction.h"

namespace sfumato {

struct GuidanceOptions {
  double scale = 7.5;  ///< guidance_scale, from the empty prompt (0) over the prompt alone (1) beyond it
  double rescale = 0;  ///< guidance_rescale in [0, 1] (Lin et al. 2023, section 3.4)
};

/// Whether the empty prompt's half of the batch is needed. As in diffusers a scale of 1 or less runs without it.
bool is_guided(const GuidanceOptions& options);

/// Classifier-free guidance (Ho & Salimans 2022) as a wrapper of `network`, which takes both halves as one batch
/// [2N, ...]: first N pictures with the empty or negative prompt, then the same N with the prompt. The result takes
/// [N, ...] and gives raw output, combined in float32: negative + scale * (positive - negative), then rescaled. A
/// learned variance is the positive half's. Where not `is_guided(options)`, `network` is returned as it is and so
/// must take [N, ...] with the prompt alone.
Network classifier_free_guidance(Network network, const GuidanceOptions& options);

/// Composable diffusion (Liu et al. 2022, eq. 11): several prompts at once, each with its weight. `network` takes
/// [(1 + K) N, ...], first N pictures with the negative prompt, then the same N with each of the K prompts. The result
/// takes [N, ...] and gives negative + scale * sum_k weight_k (positive_k - negative) in float32, at any scale; for the
/// rescaling that sum at scale 1 is the positive half, and a learned variance is the first prompt's.
Network composed_guidance(Network network, std::vector<double> weights, const GuidanceOptions& options);

/// Guidance by a text and a picture (Brooks et al. 2023, eq. 3): `network` takes [3N, ...], first N pictures with the
/// negative prompt and without the given picture, then with both the negative prompt and the picture, then with the
/// prompt and the picture. The result takes [N, ...] and gives none + image_scale * (pictured - none) + options.scale *
/// (prompted - pictured) in float32, as diffusers' StableDiffusionInstructPix2PixPipeline; for the rescaling the last N
/// are the positive half.
Network text_and_image_guidance(Network network, const GuidanceOptions& options, double image_scale);

/// CFG++ (Chung et al. 2024, algorithm 2) with `network` as classifier_free_guidance takes it: x0 is guided, with a
/// scale in [0, 1], and the noise that is added again is what the negative half predicts. It acts where a sampler makes
/// its next x of x0 and eps, as DDIM and Euler do.
Denoiser cfg_plus_plus(Network network, const GuidanceOptions& options, const Prediction& prediction);

/// Perturbed-attention guidance (Ahn et al. 2024).
struct PerturbedAttention {
  double scale = 0;           ///< pag_scale; 0 is without
  double adaptive_scale = 0;  ///< pag_adaptive_scale: what the scale loses with each timestep below 1000
};

/// Wraps a `network` that takes rows [R, ...] of `pictures` pictures, the last of them with the prompt, or
/// [R + pictures, ...]: the last ones once more, now with the identity for an attention map in some layers. The result
/// takes R rows, and moves each away from what the perturbed ones predict, by scale * (prompt - perturbed): guidance
/// that combines R rows with weights of sum 1 then ends up where diffusers' StableDiffusionPAGPipeline does. (But
/// guidance_rescale measures the prompt's deviation after this, there before.)
Network perturbed_attention_guidance(Network network, const PerturbedAttention& options, std::int64_t pictures);

/// `guided` in the evaluations from start * n to end * n, rounded down, of the n of `course`, and `plain` in the others
/// (Kynkäänniemi et al. 2024; `start` and `stop` of diffusers' guiders).
Denoiser guided_within(Denoiser guided, Denoiser plain, const Course& course, double start, double end);

/// `guided` with its deviation over all but the first dimension drawn towards that of `positive` by `rescale`
/// (diffusers' `rescale_noise_cfg`).
torch::Tensor rescale_guidance(const torch::Tensor& guided, const torch::Tensor& positive, double rescale);

}  // namespace sfumato
