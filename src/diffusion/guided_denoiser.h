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

/// The conditions of a run, which may change from step to step.
struct GuidanceConditions {
  std::vector<GuidanceTerms<Condition>> distinct = {};
  std::vector<std::size_t> of_step = {};  ///< index into `distinct` for each of the sampler's steps
  std::vector<double> weights = {1};      ///< of GuidanceTerms::positives
};

/// Denoiser with guidance: evaluates a network under all terms in one batch, combines the raw outputs, and converts the
/// result to (x0, eps).
///
/// Classifier-free guidance where there is a negative prompt; composed guidance for several positives; text and image
/// guidance where GuidanceTerms::image is there. Perturbed-attention and self-attention guidance move all outputs alike
/// before they are combined, so that any combination with weights of sum 1 ends up where diffusers'
/// StableDiffusionPAGPipeline and StableDiffusionSAGPipeline do. (But guidance_rescale measures the prompt's deviation
/// after perturbed attention, there before.) A learned variance is the first positive prompt's.
class GuidedDenoiser {
 public:
  /// `attending` is required for self-attention guidance alone. `evaluations` is the number of them in the run.
  struct Networks {
    Backbone backbone;
    AttendingBackbone attending = {};
  };
  GuidedDenoiser(Networks networks, const GuidanceConditions& conditions, const GuidanceOptions& options,
                 const Prediction& prediction, std::size_t evaluations);

  /// x [N, C, ...], N the rows of each term.
  Estimate operator()(const torch::Tensor& x, const Evaluation& evaluation) const;

 private:
  using Outputs = GuidanceTerms<torch::Tensor>;

  /// The terms of one step, joined to batches before the first step.
  struct Batches {
    GuidanceTerms<Condition> terms;  // with `perturbed` where the options have it
    Condition all, unperturbed;      // the rows of all terms, and of all but `perturbed`
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
  std::size_t first_, stop_;  // evaluations in which guidance acts
};

}  // namespace sfumato
