#pragma once

#include "data/pack.h"
#include "training/kinds.h"
#include "training/kinds/glide/glide_loader.h"
#include "training/kinds/glide/glide_objective.h"
#include "training/loading/latent_cache.h"
#include "training/task.h"

namespace sfumato {

/// Latents of a run and their autoencoder; empty on pixels.
struct GLIDELatentCache {
  GLIDELatents latents;
  AutoencoderKL vae{nullptr};
};

/// A GLIDEObjective on the captioned images of a pack.
class GLIDETask : public Task {
 public:
  GLIDETask(const GLIDERecipe& recipe, const TaskContext& context);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  /// Takes text_unet and text_encoder (of an upsampler upscale_unet and upscale_text_encoder) of an exported folder.
  /// Input channels that the folder's UNet lacks, the masked image and its mask, start at zero (Nichol et al. 2021,
  /// section 2.4).
  void init_from(const std::filesystem::path& folder) override;
  /// {"held_out_loss": L_simple of held-out images, with the same noise and timesteps every time}.
  Json evaluate(std::int64_t step) override;
  /// Images of the pack's probe prompts, each from its own seed; of an upsampler and of inpainting, of held-out images
  /// and their captions.
  torch::Tensor sample_grid() override;

 private:
  /// Returns the indices of at most `most` held-out images.
  torch::Tensor held_out(std::int64_t most) const;
  torch::Tensor decode(const torch::Tensor& x0);

  GLIDERecipe recipe_;
  torch::Device device_;
  Pack pack_;
  GLIDEObjective objective_;
  GLIDELatentCache cache_;  // empty on pixels
  GLIDELoader loader_;
};

}  // namespace sfumato
