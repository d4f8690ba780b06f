#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>

#include "systems/chain.h"
#include "systems/glide/model.h"

namespace sfumato {

/// Choices of the user on one stage of GLIDE.
struct GLIDEStageRequest {
  /// `steps` of ddpm and ddim are respaced evenly, as `respacing` with one count.
  ChainOptions chain = {};
  /// Classifier-free guidance on eps; 1 is without.
  double guidance_scale = 1;
};

/// A request for images of GLIDE. Defaults are those of the released code.
struct GLIDERequest {
  std::string prompt;
  /// The text that guidance leads away from; "" is the empty caption of training.
  std::string negative_prompt = "";
  std::uint64_t seed = 0;  ///< of the first image; image k has seed + k
  std::int64_t batch_count = 1;
  GLIDEStageRequest base{.guidance_scale = 3};
  GLIDEStageRequest upsample = {};
  /// False for the base model's images alone.
  bool upsamples = true;
  /// Standard deviation of the upsampler's first noise: sharper at 1, at times with grains.
  double upsample_temp = 0.997;
};

/// A request resolved against a model: the levels of both reverse processes.
struct GLIDEJob {
  /// With the model's own samplers and timesteps where the user chose none.
  GLIDERequest request;
  Chain base;
  std::optional<Chain> upsample;  ///< none where the base model's images are the result

  std::size_t steps() const { return base.steps.size() + (upsample ? upsample->steps.size() : 0); }
};

/// Throws std::invalid_argument for a request that does not validate, or that the model cannot fulfil.
GLIDEJob resolve(const GLIDE& model, const GLIDERequest& request);

}  // namespace sfumato
