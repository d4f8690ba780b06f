#include "systems/unconditional/sample.h"

#include <stdexcept>

#include "diffusion/subsequences.h"

namespace sfumato {
torch::Tensor label_tensor(const Unconditional& model, const std::vector<double>& labels) {
  if (labels.empty()) return {};
  const bool is_table = model.unet->config().class_embed_type.empty();
  return torch::tensor(labels, torch::kFloat64).to(is_table ? torch::kInt64 : torch::kFloat32);
}

torch::Tensor sample(const Unconditional& model, const Chain& chain, const SampleBatch& batch,
                     const ChainObserver& observer) {
  NoiseSource noise(batch.seeds);
  const auto drawn = noise.draw(model.shape());
  const auto start = (batch.initial.defined() ? batch.initial : drawn) * chain.noise_scale;  // [N, C, h, w]
  const auto x =
      run_chain(model, chain, {.x = start, .labels = label_tensor(model, batch.labels), .noise = noise}, observer);
  const torch::NoGradGuard no_gradients;
  return x.defined() ? model.first_stage.decode(x) : x;
}

torch::Tensor first_noise_of(const Unconditional& model, std::uint64_t seed) {
  return NoiseSource({seed}).draw(model.shape());
}

std::vector<double> labels_of(const Unconditional& model, const std::string& text, std::int64_t count) {
  const auto classes = model.unet->config().num_class_embeds;
  const bool is_table = model.unet->config().class_embed_type.empty();
  if (!model.is_class_conditional()) {
    if (text.empty()) return {};
    throw std::invalid_argument("class '" + text + "': expected none with this model, which has no classes");
  }
  if (text.empty() && !is_table) throw std::invalid_argument("no class: expected a number with this model");
  std::vector<double> labels;
  for (std::int64_t k = 0; text.empty() && k < classes; ++k)
    if (model.none_class != k) labels.push_back(static_cast<double>(k));
  if (!text.empty())
    for (const auto label : parse_counts("class", text)) labels.push_back(static_cast<double>(label));
  for (const auto label : labels)
    if (is_table && !(label >= 0 && label < static_cast<double>(classes)))
      throw std::invalid_argument("class '" + text + "': expected 0 to " + std::to_string(classes - 1));
  if (!text.empty() && static_cast<std::int64_t>(labels.size()) > count)
    throw std::invalid_argument("class '" + text + "' names " + std::to_string(labels.size()) + " classes for " +
                                std::to_string(count) + (count == 1 ? " image" : " images") +
                                ": expected at most as many");
  std::vector<double> in_turn;
  for (std::int64_t k = 0; k < count; ++k) in_turn.push_back(labels[static_cast<std::size_t>(k) % labels.size()]);
  return in_turn;
}

}  // namespace sfumato
