#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "systems/stable_diffusion/latent_preview.h"

namespace sfumato {

/// Previews of the pictures that are being made, written every so many steps, and removed once they are done.
class Previews {
 public:
  /// `model` must live as long. `every` 0 does nothing.
  Previews(const StableDiffusion& model, std::int64_t every) : model_(model), every_(every) {}
  Previews(const Previews&) = delete;
  Previews& operator=(const Previews&) = delete;

  /// The estimate of x0 [N, C, h, w] of the last evaluation.
  void evaluate(const torch::Tensor& x0);
  /// After step `step` of those that become `outputs`.
  void step_made(int step, const std::vector<std::filesystem::path>& outputs);
  void remove(const std::vector<std::filesystem::path>& outputs) const;

 private:
  const StableDiffusion& model_;
  std::int64_t every_;
  torch::Tensor x0_;
  std::optional<LatentPreview> preview_;
};

}  // namespace sfumato
