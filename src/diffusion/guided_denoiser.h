#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/condition.h"
#include "diffusion/denoiser.h"
#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/self_attention_guidance.h"

namespace sfumato {

/// Conditions of a run, which may change between steps.
struct GuidanceConditions {
  std::vector<GuidanceTerms<Condition>> distinct = {};
  std::vector<std::size_t> of_step = {};  ///< index into `distinct` for each of the sampler's steps
  std::vector<double> weights = {1};      ///< of GuidanceTerms::positives
};

/// Denoiser with guidance: evaluates a network under all terms in one batch, combines the raw outputs, and converts the
/// result to (x0, eps).
///
/// Uses classifier-free guidance with a negative prompt, composed guidance for several positives, and text and image
/// guidance with GuidanceTerms::image. Perturbed-attention and self-attention guidance shift all outputs equally
/// before they are combined, so that any combination with weights of sum 1 equals the result of diffusers'
/// StableDiffusionPAGPipeline and StableDiffusionSAGPipeline. (But guidance_rescale measures the prompt's std
/// after perturbed attention, there before.) The learned variance is that of the first positive prompt.
class GuidedDenoiser {
 public:
  /// Only self-attention guidance requires `attending`. `evaluations` is the number of evaluations in the run.
  struct Networks {
    Backbone backbone;
    AttendingBackbone attending = {};
  };
  GuidedDenoiser(Networks networks, const GuidanceConditions& conditions, const GuidanceOptions& options,
                 const Prediction& prediction, std::size_t evaluations);

  /// Evaluates x [N, C, ...], where N is the number of rows of each term.
  Estimate operator()(const torch::Tensor& x, const Evaluation& evaluation) const;

 private:
  using Outputs = GuidanceTerms<torch::Tensor>;

  /// Terms of one step, joined to batches before the first step.
  struct Batches {
    GuidanceTerms<Condition> terms;  // views of `all`, with `perturbed` if the options enable it
    Condition all, unperturbed;      // rows of all terms, and of all but `perturbed`
  };

  bool acts_at(std::size_t index) const;
  Estimate unguided(const torch::Tensor& x, const Evaluation& evaluation, const Batches& batches) const;
  Outputs evaluate(const torch::Tensor& x, const Evaluation& evaluation, const Batches& batches) const;
  torch::Tensor combined(const Outputs& outputs, std::int64_t channels, const GuidanceOptions& options) const;

  Networks networks_;
  std::vector<Batches> distinct_;
  std::vector<std::size_t> of_step_;
  std::vector<double> weights_;
  GuidanceOptions options_;
  Prediction prediction_;
  EvaluationRange guided_;
};

}  // namespace sfumato
