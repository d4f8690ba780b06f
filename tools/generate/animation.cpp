#include "generate/animation.h"

#include <cmath>

#include "core/interrupt.h"
#include "core/progress.h"
#include "images/animation.h"
#include "systems/stable_diffusion/denoise.h"

namespace sfumato {

void Animation::evaluate(const torch::Tensor& x, const torch::Tensor& x0) {
  if (is_on()) moments_.push_back({x.to(torch::kCPU, torch::kFloat32), x0.to(torch::kCPU, torch::kFloat32)});
}

void Animation::end_batch(const torch::Tensor& images, const std::optional<VaeTiling>& tiling) {
  if (!is_on()) return;
  if (!frames_) {
    const auto decode = [this, tiling](const torch::Tensor& latents) {
      return sfumato::decode(model_, latents.to(model_.vae_placement.device), tiling);
    };
    frames_.emplace(decode, moments_.size(), options_.frames);
  }
  Progress progress("decoding frames", static_cast<std::int64_t>(moments_.size()),
                    options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAutomatic);
  for (std::size_t i = 0; i < moments_.size() && !interrupted(); ++i) {
    frames_->evaluate(i, moments_[i].x, moments_[i].x0);
    progress.update(static_cast<std::int64_t>(i) + 1);
  }
  frames_->end_batch(images);
  moments_.clear();
  images_ += images.size(0);
}

void Animation::write() const {
  if (!is_on()) return;
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(images_))));
  write_animation(options_.animation, frames_->frames(columns));
}

}  // namespace sfumato
