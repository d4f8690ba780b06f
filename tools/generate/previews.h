#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "pipelines/latent_preview.h"

namespace sfumato {

/// Previews of the pictures that are being made, written every so many steps, and removed once they are done.
class Previews {
 public:
  /// Watches `model`, which must live as long. `every` 0 does nothing.
  Previews(StableDiffusion& model, std::int64_t every);
  ~Previews() { model_.on_estimate = {}; }
  Previews(const Previews&) = delete;
  Previews& operator=(const Previews&) = delete;

  /// After step `step` of those that become `outputs`.
  void step_made(int step, const std::vector<std::filesystem::path>& outputs);
  void remove(const std::vector<std::filesystem::path>& outputs) const;

 private:
  StableDiffusion& model_;
  std::int64_t every_;
  torch::Tensor x0_;
  std::optional<LatentPreview> preview_;
};

}  // namespace sfumato
