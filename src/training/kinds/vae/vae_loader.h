#pragma once

#include "data/pack.h"
#include "models/autoencoder_kl.h"
#include "training/kinds/vae/vae_recipe.h"
#include "training/loading/loader.h"
#include "training/randomness.h"

namespace sfumato {

/// Loads batches of a VaeObjective: images of a pack, or random crops of them, with the noise of their latents.
class VaeLoader : public Loader {
 public:
  /// The pack must outlive the loader.
  VaeLoader(const VaeRecipe& recipe, const AutoencoderKLConfig& config, Pack& pack, torch::Device device);

  Batch batch(std::int64_t number) override;

 private:
  torch::Tensor crops(std::int64_t number, at::Generator& generator);

  std::uint64_t seed_;
  std::int64_t crop_size_, latent_channels_, factor_;
  Pack& pack_;
  torch::Device device_;
  ShuffledOrder order_;
};

}  // namespace sfumato
