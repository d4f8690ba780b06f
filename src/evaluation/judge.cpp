#include "evaluation/judge.h"

#include "checkpoints/load.h"

namespace sfumato {

Judge::Judge(const std::filesystem::path& folder)
    : classifier_(from_pretrained<ImageClassifierImpl>(folder, {torch::kCPU, torch::kFloat32})) {}

torch::Tensor Judge::resized(const torch::Tensor& images) const {
  const auto size = classifier_->config().image_size;
  return at::_upsample_bilinear2d_aa(images.to(torch::kFloat32), {size, size}, /*align_corners=*/false);
}

torch::Tensor Judge::scores(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return classifier_->forward(resized(images));
}

torch::Tensor Judge::features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return classifier_->features(resized(images));
}

void NamingCounts::add(const torch::Tensor& scores, const torch::Tensor& labels) {
  const auto things = labels.sum(1);                       // [N]
  const auto worst = (ranks_of(scores) * labels).amax(1);  // rank of the least likely thing in the image
  const auto count = [](const torch::Tensor& rows) { return rows.sum().item<std::int64_t>(); };
  const auto single = things == 1, pair = things == 2;
  singles += count(single);
  top1 += count(single & (worst == 0));
  top5 += count(single & (worst < 5));
  pairs += count(pair);
  both += count(pair & (worst == 1));
}

}  // namespace sfumato
