#include "systems/stable_diffusion/latent_preview.h"

#include "core/random.h"
#include "systems/stable_diffusion/denoise.h"

namespace sfumato {
namespace {

constexpr std::int64_t kSide = 32, kCoarse = 8;

/// Converts [1, C, h, w] to [h w, C + 1], with a 1 after the channels.
torch::Tensor rows_of(const torch::Tensor& latents) {
  const auto rows = latents.permute({0, 2, 3, 1}).reshape({-1, latents.size(1)});
  return torch::cat({rows, torch::ones({rows.size(0), 1})}, 1);
}

}  // namespace

LatentPreview::LatentPreview(const StableDiffusion& model) : factor_(model.limits().vae_scale_factor) {
  const torch::NoGradGuard no_gradients;
  const auto coarse =
      torch::randn({1, model.vae->config().latent_channels, kCoarse, kCoarse}, seeded_generator(0), torch::kFloat32);
  const auto smooth = at::upsample_bicubic2d(coarse, std::vector<std::int64_t>{kSide, kSide}, false);
  const auto latents = smooth / smooth.std();
  const auto colors = at::avg_pool2d(decode(model, latents.to(model.placement.device)), factor_);  // [1, 3, h, w]
  const auto targets = colors.permute({0, 2, 3, 1}).reshape({-1, 3});
  colors_ = std::get<0>(torch::linalg_lstsq(rows_of(latents), targets));
}

torch::Tensor LatentPreview::operator()(const torch::Tensor& latents) const {
  std::vector<torch::Tensor> images;
  for (const auto& latent : latents.to(torch::kCPU, torch::kFloat32).split(1)) {
    const auto colors = torch::matmul(rows_of(latent), colors_).view({latent.size(2), latent.size(3), 3});
    const auto large = colors.repeat_interleave(factor_, 0).repeat_interleave(factor_, 1);
    images.push_back(large.permute({2, 0, 1}).clamp(-1, 1));
  }
  return torch::stack(images);
}

}  // namespace sfumato
