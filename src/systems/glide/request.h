#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "systems/chain.h"
#include "systems/clip.h"
#include "systems/glide/model.h"

namespace sfumato {

/// User options for one stage of GLIDE.
struct GLIDEStageRequest {
  /// `steps` of ddpm and ddim are respaced evenly, like `respacing` with one count.
  ChainOptions chain = {};
  /// Classifier-free guidance on eps; 1 disables it.
  double guidance_scale = 1;
};

/// A request for images of GLIDE. Defaults are those of the released code.
struct GLIDERequest {
  std::string prompt;
  /// Text that guidance steers away from; "" is the empty caption of training.
  std::string negative_prompt = "";
  std::uint64_t seed = 0;  ///< of the first image; image k has seed + k
  std::int64_t batch_count = 1;
  GLIDEStageRequest base{.guidance_scale = 3};
  GLIDEStageRequest upsample = {};
  /// False to generate the base model's images only.
  bool upsamples = true;
  /// Standard deviation of the upsampler's initial noise. 1 gives sharper images, sometimes with grain.
  double upsample_temp = 0.997;
  /// Guidance of the base model by CLIP (systems/clip_guidance.h): its scale, 0 for none, and the folder's name for the
  /// record.
  double clip_scale = 0;
  std::string clip_model = "";
};

/// A request resolved against a model, with the levels of both reverse processes.
struct GLIDEJob {
  /// Includes the model's own samplers and timesteps if the user chose none.
  GLIDERequest request;
  Chain base;
  std::optional<Chain> upsample;          ///< empty if the base model's images are the result
  std::shared_ptr<const CLIP> clip = {};  ///< null without guidance by CLIP

  std::size_t steps() const { return base.steps.size() + (upsample ? upsample->steps.size() : 0); }
};

/// Throws std::invalid_argument for a request that is invalid or that the model does not support. `clip` is loaded from
/// the request's clip_model; it must fit the base model.
GLIDEJob resolve(const GLIDE& model, const GLIDERequest& request, const std::shared_ptr<const CLIP>& clip = {});

}  // namespace sfumato
