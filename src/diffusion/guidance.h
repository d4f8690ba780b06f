#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace sfumato {

/// Perturbed-attention guidance (Ahn et al. 2024).
struct PerturbedAttention {
  double scale = 0;           ///< pag_scale; 0 disables it
  double adaptive_scale = 0;  ///< pag_adaptive_scale: decrease of the scale with each timestep below 1000

  /// Returns the scale at timestep t, 0 or more. diffusers counts from 1000 for any number of timesteps.
  double scale_at(double t) const;
};

struct GuidanceOptions {
  double scale = 7.5;        ///< guidance_scale: 0 is the empty prompt, 1 the prompt alone, more goes beyond it
  double rescale = 0;        ///< guidance_rescale in [0, 1] (Lin et al. 2023, section 3.4)
  double image_scale = 1.5;  ///< image_guidance_scale of a network that edits images
  bool plus_plus = false;    ///< CFG++ (Chung et al. 2024, algorithm 2): x0 is guided, eps is the negative prompt's
  PerturbedAttention perturbed_attention = {};
  double self_attention_scale = 0;  ///< sag_scale (Hong et al. 2023); 0 disables it
  /// Interval of evaluations with guidance, as fractions of their number (Kynkäänniemi et al. 2024;
  /// `start` and `stop` of diffusers' guiders). The others use only the prompts.
  double start = 0, end = 1;
};

/// Evaluations `first` to `stop` - 1 of a run.
struct EvaluationRange {
  std::size_t first = 0, stop = std::numeric_limits<std::size_t>::max();

  /// Returns the evaluations from `start` to `end`, as fractions of their number.
  static EvaluationRange of_fractions(double start, double end, std::size_t evaluations) {
    const auto count = static_cast<double>(evaluations);
    return {static_cast<std::size_t>(start * count), static_cast<std::size_t>(end * count)};
  }
  bool contains(std::size_t index) const { return index >= first && index < stop; }
};

/// True if classifier-free guidance uses the negative prompt: as in diffusers, for a scale above 1.
bool is_guided(double guidance_scale);

/// One value for each term of guidance: the conditions themselves, or a network's outputs under them.
template <class Value>
struct GuidanceTerms {
  std::optional<Value> negative = {};   ///< the negative or empty prompt; absent if only the prompts are used
  std::optional<Value> image = {};      ///< of a network that edits images: the negative prompt with the image
  std::vector<Value> positives = {};    ///< the prompt, or the prompts joined by AND
  std::optional<Value> perturbed = {};  ///< the last of `positives` with perturbed self-attention
};

/// Calls `function` with each value that is present, in the order of the members.
template <class Terms, class Function>
void for_each_term(Terms& terms, const Function& function) {
  if (terms.negative) function(*terms.negative);
  if (terms.image) function(*terms.image);
  for (auto& positive : terms.positives) function(positive);
  if (terms.perturbed) function(*terms.perturbed);
}

// Raw outputs below are float32 [N, C, ...] of any rank.

/// Classifier-free guidance (Ho & Salimans 2022): negative + scale * (positive - negative), then rescaled.
torch::Tensor classifier_free_guidance(const torch::Tensor& negative, const torch::Tensor& positive,
                                       const GuidanceOptions& options);

/// Composable diffusion (Liu et al. 2022, eq. 11): negative + scale * sum_k weight_k (positive_k - negative). The
/// rescaling uses that sum at scale 1 as the positive output.
torch::Tensor composed_guidance(const torch::Tensor& negative, const std::vector<torch::Tensor>& positives,
                                const std::vector<double>& weights, const GuidanceOptions& options);

/// Guidance by a text and an image (Brooks et al. 2023, eq. 3): negative + image_scale * (image - negative) + scale *
/// (positive - image), as in diffusers' StableDiffusionInstructPix2PixPipeline.
torch::Tensor text_and_image_guidance(const torch::Tensor& negative, const torch::Tensor& image,
                                      const torch::Tensor& positive, const GuidanceOptions& options);

/// Moves the standard deviation of `guided`, over all but the first dimension, towards that of `positive` by `rescale`
/// (diffusers' `rescale_noise_cfg`).
torch::Tensor rescale_guidance(const torch::Tensor& guided, const torch::Tensor& positive, double rescale);

}  // namespace sfumato
