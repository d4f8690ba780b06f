#include "training/kinds/classifier/classifier_task.h"

#include <algorithm>

#include "models/image_classifier.h"
#include "training/autocast.h"
#include "training/grid.h"
#include "training/loading/captioned_pack.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

constexpr std::int64_t kLookedAt = 512, kLookBatch = 64;

ImageClassifierConfig classifier_config(const ClassifierRecipe& recipe, std::vector<std::string> labels) {
  auto config = ImageClassifierConfig::from_json(recipe.classifier);
  config.image_size = recipe.data.image_size;
  config.labels = std::move(labels);
  return config;
}

}  // namespace

ClassifierObjective::ClassifierObjective(const ClassifierRecipe& recipe, std::vector<std::string> labels,
                                         torch::Device device)
    : classifier(classifier_config(recipe, std::move(labels))),
      device_(device),
      bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {}

void ClassifierObjective::place() {
  place_for_training(*classifier, device_);
}

TrainableSet ClassifierObjective::tensors() {
  return trainable_set(named_parameters_of(*classifier, "classifier"));
}

torch::Tensor ClassifierObjective::loss(const Batch& batch) {
  const AutocastScope autocast(device_.type(), bfloat16_);
  const auto logits = classifier->forward(batch.at("images")).to(torch::kFloat32);  // [N, K]
  return torch::binary_cross_entropy_with_logits(logits, batch.at("labels"), {}, {}, at::Reduction::None).sum(1).mean();
}

ClassifierTask::ClassifierTask(const ClassifierRecipe& recipe, torch::Device device)
    : recipe_(recipe),
      device_(device),
      pack_(recipe.data.packs, recipe.data.image_size),
      objective_(recipe, pack_.thing_names(), device),
      loader_(recipe, pack_, device) {
  initialize(*objective_.classifier, generator_for(recipe.seed, Stream::kInitialisation, 0));
  objective_.place();
}

std::unique_ptr<Objective> ClassifierTask::new_objective() const {
  return placed_objective<ClassifierObjective>(recipe_, pack_.thing_names(), device_);
}

void ClassifierTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.classifier, folder, ImageClassifierImpl::rename_key);
}

SceneLoader::SceneLoader(const ClassifierRecipe& recipe, Pack& pack, torch::Device device)
    : pack_(pack), device_(device), order_(recipe.seed, pack.size() - pack.held_out(), recipe.batch_size) {}

Batch SceneLoader::examples(const torch::Tensor& indices) {
  return {{"images", pack_.images(indices, device_).contiguous(torch::MemoryFormat::ChannelsLast)},
          {"labels", pack_.thing_labels(indices).to(device_)}};
}

torch::Tensor ClassifierTask::named(const torch::Tensor& images, const torch::Tensor& labels) {
  return names_exactly(objective_.classifier->forward(images), labels);
}

Json ClassifierTask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const auto indices = last_indices(pack_, kLookedAt, kLookBatch);
  std::int64_t right = 0;
  for (const auto& part : indices.split(kLookBatch)) {
    const auto batch = loader_.examples(part);
    right += named(batch.at("images"), batch.at("labels")).sum().item<std::int64_t>();
  }
  return {{"held_out_accuracy", static_cast<double>(right) / static_cast<double>(indices.size(0))}};
}

torch::Tensor ClassifierTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const auto indices = last_indices(pack_, kLookedAt, kLookBatch);
  const auto batch = loader_.examples(indices.narrow(0, 0, std::min(indices.size(0), kLookedAt)));
  const auto order = named(batch.at("images"), batch.at("labels")).to(torch::kInt64).argsort(/*stable=*/true, 0, false);
  const auto count = std::min(recipe_.sample_count, indices.size(0));
  return make_grid(batch.at("images").index_select(0, order.narrow(0, 0, count)), /*columns=*/8);
}

}  // namespace sfumato
