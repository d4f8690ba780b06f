#include "generate/previews.h"

#include "engine/outputs.h"
#include "images/png.h"

namespace sfumato {

PlacedVae load_preview_vae(const std::filesystem::path& path, const StableDiffusion& model) {
  AutoencoderKLConfig own;
  static_cast<AutoencoderConfig&>(own) = model.vae->config();
  auto placement = model.placement;
  placement.offload = false;  // it decodes between the steps
  return load_vae(path, own, placement);
}

torch::Tensor Previews::images() {
  const torch::NoGradGuard no_gradients;
  if (vae_.network) {
    const auto decoded = vae_.network->decode(x0_.to(vae_.placement.device, vae_.placement.dtype));
    return decoded.to(torch::kCPU, torch::kFloat32).clamp(-1, 1);
  }
  if (!preview_) preview_.emplace(model_);
  return (*preview_)(x0_);
}

void Previews::evaluate(const torch::Tensor& x0) {
  if (every_ > 0) x0_ = x0;
}

void Previews::step_made(int step, const std::vector<std::filesystem::path>& outputs) {
  if (every_ == 0 || (step + 1) % every_ != 0) return;
  const auto made = images();
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    write_png(preview_name(outputs[k]), made[static_cast<std::int64_t>(k)]);
    written_.insert(preview_name(outputs[k]));
  }
}

void Previews::remove() {
  std::error_code ignored;
  for (const auto& preview : written_) std::filesystem::remove(preview, ignored);
  written_.clear();
}

}  // namespace sfumato
