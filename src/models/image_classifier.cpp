#include "models/image_classifier.h"

#include <stdexcept>

#include "models/config_members.h"
#include "nn/resnet.h"

namespace sfumato {
namespace {

constexpr const char* kImageClassifier = "ImageClassifier";

std::vector<std::string> read_labels(const Json& json) {
  std::vector<std::string> labels;
  const auto found = json.find("id2label");
  if (found == json.end()) return labels;
  for (std::size_t id = 0; id < found->size(); ++id) {
    const auto key = std::to_string(id);
    if (!found->is_object() || !found->contains(key))
      refuse_value(kImageClassifier, "id2label", found->dump(), "names by the numbers from 0");
    labels.push_back(found->at(key).get<std::string>());
  }
  return labels;
}

template <class Members, class Config>
void list_classifier_members(Members& members, Config& config) {
  members.value("block_out_channels", config.block_out_channels);
  members.value("image_size", config.image_size);
  members.value("in_channels", config.in_channels);
  members.value("layers_per_block", config.layers_per_block);
  members.value("norm_num_groups", config.norm_num_groups);
}

}  // namespace

ImageClassifierConfig ImageClassifierConfig::from_json(const Json& json) {
  ImageClassifierConfig config;
  MemberReader reader(json);
  list_classifier_members(reader, config);
  config.labels = read_labels(json);
  require_positive(kImageClassifier, "in_channels", {config.in_channels});
  require_positive(kImageClassifier, "image_size", {config.image_size});
  require_positive(kImageClassifier, "block_out_channels", config.block_out_channels);
  require_positive(kImageClassifier, "layers_per_block", {config.layers_per_block});
  require_positive(kImageClassifier, "norm_num_groups", {config.norm_num_groups});
  return config;
}

nlohmann::ordered_json ImageClassifierConfig::to_json() const {
  nlohmann::ordered_json json = {{"_class_name", kImageClassifier}};
  MemberWriter writer(json);
  list_classifier_members(writer, *this);
  auto& names = json["id2label"] = nlohmann::ordered_json::object();
  for (std::size_t id = 0; id < labels.size(); ++id) names[std::to_string(id)] = labels[id];
  return json;
}

ImageClassifierImpl::ImageClassifierImpl(Config config) : config_(std::move(config)) {
  const auto& channels = config_.block_out_channels;
  const ResnetOptions options{.groups = config_.norm_num_groups};
  conv_in_ = register_module("conv_in", Conv2d(config_.in_channels, channels.front(), 3, ConvOptions{.padding = 1}));
  down_blocks_ = register_module("down_blocks", torch::nn::ModuleList());
  downsamplers_ = register_module("downsamplers", torch::nn::ModuleList());
  auto width = channels.front();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    for (std::int64_t layer = 0; layer < config_.layers_per_block; ++layer) {
      down_blocks_->push_back(ResnetBlock2D(width, channels[i], options));
      width = channels[i];
    }
    if (i + 1 < channels.size()) downsamplers_->push_back(Downsample2D(width));
  }
  norm_out_ = register_module("norm_out", GroupNorm(config_.norm_num_groups, width, options.eps));
  classifier_ = register_module("classifier", Linear(width, static_cast<std::int64_t>(config_.labels.size())));
}

torch::Tensor ImageClassifierImpl::features(const torch::Tensor& images) {
  auto x = conv_in_(images);  // [N, C, H, W]
  const auto layers = static_cast<std::size_t>(config_.layers_per_block);
  for (std::size_t i = 0; i < down_blocks_->size(); ++i) {
    x = down_blocks_->at<ResnetBlock2DImpl>(i).forward(x, {});
    const auto block = i / layers;
    if ((i + 1) % layers == 0 && block < downsamplers_->size())
      x = downsamplers_->at<Downsample2DImpl>(block).forward(x);
  }
  return norm_out_->forward_fused(x, {.silu = true}).mean({2, 3});
}

torch::Tensor ImageClassifierImpl::forward(const torch::Tensor& images) {
  return classifier_(features(images));
}

torch::Tensor ranks_of(const torch::Tensor& scores) {
  return scores.argsort(1, /*descending=*/true).argsort(std::int64_t{1});
}

torch::Tensor names_exactly(const torch::Tensor& scores, const torch::Tensor& labels) {
  return ((ranks_of(scores) < labels.sum(1, /*keepdim=*/true)) == (labels > 0)).all(1);
}

}  // namespace sfumato
