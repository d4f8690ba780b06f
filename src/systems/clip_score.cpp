#include "systems/clip_score.h"

#include <map>

namespace sfumato {

torch::Tensor clip_scores(const CLIP& clip, const torch::Tensor& images, const std::vector<std::string>& captions) {
  TORCH_CHECK(images.size(0) == static_cast<std::int64_t>(captions.size()), images.size(0), " images and ",
              captions.size(), " captions");
  std::map<std::string, torch::Tensor> encoded;
  std::vector<torch::Tensor> texts;
  for (const auto& caption : captions) {
    auto& features = encoded[caption];
    if (!features.defined()) features = clip.encode_text(caption);
    texts.push_back(features);
  }
  const auto similarities = (clip.encode_images(images) * torch::cat(texts)).sum(1);
  return (100 * similarities.clamp_min(0)).to(torch::kCPU);
}

}  // namespace sfumato
