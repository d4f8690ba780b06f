#include "generate/previews.h"

#include "engine/outputs.h"
#include "images/png.h"

namespace sfumato {

void Previews::evaluate(const torch::Tensor& x0) {
  if (every_ > 0) x0_ = x0;
}

void Previews::step_made(int step, const std::vector<std::filesystem::path>& outputs) {
  if (every_ == 0 || (step + 1) % every_ != 0) return;
  if (!preview_) preview_.emplace(model_);
  const auto images = (*preview_)(x0_);
  for (std::size_t k = 0; k < outputs.size(); ++k)
    write_png(preview_name(outputs[k]), images[static_cast<std::int64_t>(k)]);
}

void Previews::remove(const std::vector<std::filesystem::path>& outputs) const {
  std::error_code ignored;
  if (every_ == 0) return;
  for (const auto& output : outputs) std::filesystem::remove(preview_name(output), ignored);
}

}  // namespace sfumato
