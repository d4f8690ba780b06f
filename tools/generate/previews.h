#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "systems/stable_diffusion/latent_preview.h"
#include "systems/stable_diffusion/vae.h"

namespace sfumato {

/// Loads a small VAE that decodes previews of the model's latents. Throws std::runtime_error as load_vae does.
PlacedVae load_preview_vae(const std::filesystem::path& path, const StableDiffusion& model);

/// Previews of unfinished images, written at a fixed interval of steps and removed when the images are done or the run
/// ends: the next run of the same command must find their names free.
class Previews {
 public:
  /// `model` and `vae` must outlive it. `every` 0 does nothing. Without a VAE previews are a linear function of
  /// latents.
  Previews(const StableDiffusion& model, std::int64_t every, const PlacedVae& vae)
      : model_(model), every_(every), vae_(vae) {}
  Previews(const Previews&) = delete;
  Previews& operator=(const Previews&) = delete;
  ~Previews() { remove(); }

  /// Stores the estimate of x0 [N, C, h, w] of the last evaluation.
  void evaluate(const torch::Tensor& x0);
  /// Writes previews after step `step` of the images that become `outputs`.
  void step_made(int step, const std::vector<std::filesystem::path>& outputs);
  void remove();

 private:
  /// Returns images [N, 3, H, W] of x0_.
  torch::Tensor images();

  const StableDiffusion& model_;
  std::int64_t every_;
  const PlacedVae& vae_;
  torch::Tensor x0_;
  std::optional<LatentPreview> preview_;
  std::set<std::filesystem::path> written_;
};

}  // namespace sfumato
