#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

namespace sfumato {

/// Perturbed-attention guidance (Ahn et al. 2024).
struct PerturbedAttention {
  double scale = 0;           ///< pag_scale; 0 is without
  double adaptive_scale = 0;  ///< pag_adaptive_scale: what the scale loses with each timestep below 1000

  /// The scale at timestep t, 0 or more. diffusers counts from 1000 whatever the model's number of timesteps.
  double scale_at(double t) const;
};

struct GuidanceOptions {
  double scale = 7.5;        ///< guidance_scale, from the empty prompt (0) over the prompt alone (1) beyond it
  double rescale = 0;        ///< guidance_rescale in [0, 1] (Lin et al. 2023, section 3.4)
  double image_scale = 1.5;  ///< image_guidance_scale, where a network edits images
  bool plus_plus = false;    ///< CFG++ (Chung et al. 2024, algorithm 2): x0 is guided, eps is the negative prompt's
  PerturbedAttention perturbed_attention = {};
  double self_attention_scale = 0;  ///< sag_scale (Hong et al. 2023); 0 is without
  /// The interval of evaluations in which guidance acts, as fractions of their number (Kynkäänniemi et al. 2024;
  /// `start` and `stop` of diffusers' guiders). The others have the prompts alone.
  double start = 0, end = 1;
};

/// True where classifier-free guidance needs the negative prompt: as in diffusers, for a scale above 1.
bool is_guided(double guidance_scale);

/// One value for each term that guidance combines: the conditions themselves, or a network's outputs under them.
template <class Value>
struct GuidanceTerms {
  std::optional<Value> negative = {};   ///< the negative or empty prompt; absent where only the prompts count
  std::optional<Value> image = {};      ///< of a network that edits images: the negative prompt with the image
  std::vector<Value> positives = {};    ///< the prompt, or the prompts that AND joins
  std::optional<Value> perturbed = {};  ///< the last of `positives` with perturbed self-attention
};

/// Calls `function` with each value that is there, in the order of the members.
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

/// Composable diffusion (Liu et al. 2022, eq. 11): negative + scale * sum_k weight_k (positive_k - negative). For the
/// rescaling that sum at scale 1 is the positive output.
torch::Tensor composed_guidance(const torch::Tensor& negative, const std::vector<torch::Tensor>& positives,
                                const std::vector<double>& weights, const GuidanceOptions& options);

/// Guidance by a text and an image (Brooks et al. 2023, eq. 3): negative + image_scale * (image - negative) + scale *
/// (positive - image), as in diffusers' StableDiffusionInstructPix2PixPipeline.
torch::Tensor text_and_image_guidance(const torch::Tensor& negative, const torch::Tensor& image,
                                      const torch::Tensor& positive, const GuidanceOptions& options);

/// `guided` with its standard deviation over all but the first dimension drawn towards that of `positive` by `rescale`
/// (diffusers' `rescale_noise_cfg`).
torch::Tensor rescale_guidance(const torch::Tensor& guided, const torch::Tensor& positive, double rescale);

}  // namespace sfumato
