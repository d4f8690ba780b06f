#include "systems/stable_diffusion/single_file_check.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <tuple>

#include "core/error_text.h"
#include "systems/stable_diffusion/single_file.h"
#include "tokenizer/clip_tokenizer.h"
#include "tokenizer/tokenizer_config.h"

namespace sfumato {
namespace {

using Keys = std::set<std::string>;
using Lines = std::vector<std::string>;

/// Tensors to be written, in the form of the file that they become.
class WeightsAsFile final : public TensorFile {
 public:
  explicit WeightsAsFile(const NamedWeights& weights) : weights_(weights) {
    for (const auto& [name, tensor] : weights) names_.push_back(name);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override { return weights_.contains(name); }
  std::vector<std::int64_t> shape(const std::string& name) const override { return weights_.at(name).sizes().vec(); }
  torch::Dtype dtype(const std::string& name) const override { return weights_.at(name).scalar_type(); }
  torch::Tensor tensor(const std::string& name) const override { return weights_.at(name); }
  void release(const std::string&) const override {}
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

 private:
  const NamedWeights& weights_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

/// Differences between the folder's values and the assumptions of a file's reader.
class Differences {
 public:
  /// Keys of `warned` change only a default, those of `ignored` nothing.
  void compare(const std::string& part, const Json& said, const Json& assumed, const Keys& warned,
               const Keys& ignored) {
    auto keys = said;
    keys.update(assumed);
    for (const auto& [key, unused] : keys.items()) {
      if (ignored.contains(key)) continue;
      const auto own = said.value(key, Json()), taken = assumed.value(key, Json());
      if (own != taken) add(part + " '" + key + "' " + own.dump(), taken.dump(), warned.contains(key));
    }
  }

  void add(const std::string& said, const std::string& assumed, bool only_warned) {
    (only_warned ? warned_ : refused_).push_back(said + " (a reader of the file assumes " + assumed + ")");
  }

  void throw_refused() const {
    if (refused_.empty()) return;
    std::string list;
    for (const auto& line : refused_) list += (list.empty() ? "" : ", ") + line;
    throw std::invalid_argument("a single file in the original layout cannot say: " + list);
  }

  Lines warnings() const {
    Lines lines;
    for (const auto& line : warned_) lines.push_back("a single file in the original layout does not say: " + line);
    return lines;
  }

 private:
  Lines refused_, warned_;
};

template <class Values>
Json for_each_block(const Values& values, std::size_t blocks) {
  Json list = Json::array();
  for (std::size_t i = 0; i < blocks; ++i) list.push_back(at_block(values, i));
  return list;
}

/// Returns a value for each layer of a block, if it has attention.
Json depths(const OneOrMany& values, std::int64_t layers, bool attends) {
  Json list = Json::array();
  for (std::int64_t i = 0; attends && i < layers; ++i) list.push_back(at_block(values, static_cast<std::size_t>(i)));
  return list;
}

/// Returns a UNet's config with one form for each meaning, without values that its blocks ignore.
Json plain(const UNet2DConditionModelConfig& config) {
  Json json = config.to_json();
  const auto blocks = config.block_out_channels.size();
  const bool middle = config.mid_block_type == "UNetMidBlock2DCrossAttn";
  json["layers_per_block"] = for_each_block(config.layers_per_block, blocks);
  json["transformer_layers_per_block"] = Json::array();
  for (const auto* key : {"attention_head_dim", "cross_attention_dim", "only_cross_attention"})
    json[key] = Json::array();
  for (std::size_t i = 0; i < blocks; ++i) {
    const auto mirror = blocks - 1 - i;
    const bool down = config.down_block_types[i] == "CrossAttnDownBlock2D";
    const bool up = config.up_block_types[mirror] == "CrossAttnUpBlock2D";
    const auto layers = at_block(config.layers_per_block, i);
    json["transformer_layers_per_block"].push_back(
        {depths(at_block(config.transformer_layers_per_block, i), layers, down),
         depths(config.up_transformer_layers(mirror), layers + 1, up),
         middle && mirror == 0 ? Json(at_block(config.transformer_layers_per_block, i).front()) : Json()});
    const bool attends = down || up || (middle && mirror == 0);
    json["attention_head_dim"].push_back(attends ? at_block(config.attention_head_dim, i) : 0);
    json["cross_attention_dim"].push_back(attends ? at_block(config.cross_attention_dim, i) : 0);
    json["only_cross_attention"].push_back(attends ? at_block(config.only_cross_attention, i) : 0);
  }
  if (config.time_embedding_dim == 0) json["time_embedding_dim"] = 4 * config.block_out_channels.front();
  if (config.addition_embed_type != "text") json.erase("addition_embed_type_num_heads");
  if (config.addition_embed_type != "text_time") json.erase("addition_time_embed_dim");
  if (config.addition_embed_type != "text_time" && config.class_embed_type.empty())
    json.erase("projection_class_embeddings_input_dim");
  return json;
}

/// Returns the schedule as the pipelines set it (diffusers_folder.cpp).
ScheduleConfig said_schedule(const PipelineFiles& files, bool is_xl) {
  auto config = ScheduleConfig::from_json(files.scheduler);
  if (is_xl) return config;
  config.steps_offset = 1;
  config.clip_sample = false;
  return config;
}

/// Compares schedules. Values used only by a sampler count if the classes are equal; other classes have other defaults.
void compare_schedules(const ScheduleConfig& said, const ScheduleConfig& assumed, Differences& differences) {
  static const Keys process = {"num_train_timesteps",    "beta_start",    "beta_end",
                               "beta_schedule",          "trained_betas", "prediction_type",
                               "rescale_betas_zero_snr", "sigma_data"};
  auto own = said.to_json(), taken = assumed.to_json();
  // A class without the key does not rescale.
  for (auto* side : {&own, &taken}) side->emplace("rescale_betas_zero_snr", false);
  const bool same_class = said.class_name == assumed.class_name;
  Keys warned = {"_class_name", "timestep_spacing", "steps_offset"}, ignored;
  for (const auto* side : {&own, &taken})
    for (const auto& [key, value] : side->items())
      if (!process.contains(key) && !warned.contains(key)) (same_class ? warned : ignored).insert(key);
  differences.compare("scheduler", own, taken, warned, ignored);
}

Json clip_json(const CLIPTextModelConfig& config) {
  auto json = config.to_json();
  // Only the pooled state depends on these, and it is that of the end of the text with either value.
  for (const auto* key : {"eos_token_id", "projection_dim"}) json.erase(key);
  return json;
}

/// Describes words in one vocabulary that are missing in the other, CLIP's.
std::string difference_of_tokenizers(const std::filesystem::path& said, const std::filesystem::path& assumed) {
  const auto own = load_tokenizer(said), taken = load_tokenizer(assumed);
  std::string words;
  const auto config = read_tokenizer_config(said, {});
  for (const auto* tokens : {&config.added, &config.extra})
    for (const auto& token : *tokens)
      if (own->text_ids(token.content) != taken->text_ids(token.content))
        words += (words.empty() ? "the word " : ", ") + Json(token.content).dump();
  if (!words.empty()) return words;
  const auto* own_clip = dynamic_cast<const CLIPTokenizer*>(own.get());
  const auto* taken_clip = dynamic_cast<const CLIPTokenizer*>(taken.get());
  if (own_clip == nullptr || taken_clip == nullptr) return "a vocabulary that is not CLIP's";
  if (auto difference = own_clip->difference(*taken_clip); !difference.empty()) return difference;
  const auto other = [](const SpecialIds& ids) { return std::tuple(ids.bos, ids.eos, ids.pad); };
  if (other(own->special_ids()) != other(taken->special_ids())) return "other tokens for begin, end or padding";
  if (own->max_length() != taken->max_length()) return "model_max_length " + std::to_string(own->max_length());
  return "";
}

void compare_text_encoders(const PipelineFiles& files, const OriginalLayout& layout,
                           const std::vector<std::filesystem::path>& tokenizers, Differences& differences) {
  for (std::size_t i = 0; i < layout.text_encoders.size(); ++i) {
    const auto& encoder = layout.text_encoders[i];
    const std::string suffix = i == 1 || layout.is_refiner() ? "_2" : "";
    const auto& network = files.networks.at("text_encoder" + suffix);
    differences.compare("text_encoder" + suffix, clip_json(CLIPTextModelConfig::from_json(network.config)),
                        clip_json(encoder.config), {}, {});
    const auto tokenizer = files.tokenizers.find("tokenizer" + suffix);
    if (tokenizer == files.tokenizers.end()) continue;
    const auto assumed = shipped_tokenizer(encoder.is_open_clip, tokenizers);
    if (const auto why = difference_of_tokenizers(tokenizer->second, assumed); !why.empty())
      differences.add("tokenizer" + suffix + " with " + why, "the tokenizer of " + assumed.filename().string(), false);
  }
}

void compare_index(const PipelineFiles& files, const OriginalLayout& layout, Differences& differences) {
  const Json index = files.index;
  if (!layout.is_xl()) return;
  const auto compare = [&](const char* key, bool otherwise, bool assumed) {
    const bool said = value_or(index, key, otherwise);
    if (said != assumed)
      differences.add("model_index '" + std::string(key) + "' " + Json(said).dump(), Json(assumed).dump(), false);
  };
  compare("force_zeros_for_empty_prompt", true, !layout.is_refiner());
  compare("requires_aesthetics_score", false, layout.is_refiner());
}

/// Checks that every tensor is read back under its name, and no other.
void require_same(const std::string& part, const NamedWeights& said, const NamedWeights& read) {
  for (const auto& [name, tensor] : said) {
    const auto found = read.find(name);
    if (found == read.end())
      throw std::invalid_argument(part + ": \"" + name + "\" has no place in the original layout");
    const bool same = found->second.data_ptr() == tensor.data_ptr() ||
                      torch::equal(found->second, tensor.view(found->second.sizes()));
    if (!same) throw std::invalid_argument(part + ": \"" + name + "\" does not come back from the original layout");
  }
}

NamedWeights plain_names(const NamedWeights& weights) {
  NamedWeights plain;
  for (const auto& [name, tensor] : weights)
    plain[name.starts_with("text_model.") ? name.substr(std::string("text_model.").size()) : name] = tensor;
  return plain;
}

NamedWeights read_text_encoder(const TensorFile& file, const OriginalTextEncoder& encoder) {
  if (encoder.projects)
    return read_original_weights(file, CLIPTextModelWithProjectionImpl(encoder.config), encoder.names);
  return read_original_weights(file, CLIPTextModelImpl(encoder.config), encoder.names);
}

/// Reads the file back, by part. Returns the UNet for its test.
NamedWeights read_back(const PipelineFiles& files, const OriginalLayout& layout, const TensorFile& file) {
  auto unet = read_original_weights(file, UNet2DConditionModelImpl(layout.unet), layout.unet_names);
  require_same("unet", files.networks.at("unet").weights, unet);
  require_same("vae", files.networks.at("vae").weights,
               read_original_weights(file, AutoencoderKLImpl(layout.vae), layout.vae_names));
  for (std::size_t i = 0; i < layout.text_encoders.size(); ++i) {
    const std::string part = i == 1 || layout.is_refiner() ? "text_encoder_2" : "text_encoder";
    require_same(part, plain_names(files.networks.at(part).weights),
                 plain_names(read_text_encoder(file, layout.text_encoders[i])));
  }
  return unet;
}

/// Applies read_original_layout to the tensors to be written. Throws std::invalid_argument.
OriginalLayout layout_of(const TensorFile& file) {
  try {
    return read_original_layout(file);
  } catch (const std::exception& error) {
    throw std::invalid_argument("as a single file it could not be read again: " + error_text(error));
  }
}

}  // namespace

std::vector<std::string> check_single_file(const PipelineFiles& files, const NamedWeights& weights,
                                           const std::vector<std::filesystem::path>& tokenizers) {
  const WeightsAsFile file(weights);
  const auto unet = UNet2DConditionModelConfig::from_json(files.networks.at("unet").config);
  const auto vae = AutoencoderKLConfig::from_json(files.networks.at("vae").config);
  const auto layout = layout_of(file);
  Differences differences;
  differences.compare("unet", plain(unet), plain(layout.unet), {"sample_size"},
                      {"_class_name", "dropout", "upcast_attention", "reverse_transformer_layers_per_block"});
  differences.compare("vae", vae.to_json(), layout.vae.to_json(), {"force_upcast"}, {"_class_name", "sample_size"});
  compare_text_encoders(files, layout, tokenizers, differences);
  compare_index(files, layout, differences);
  differences.throw_refused();
  const auto read = read_back(files, layout, file);
  compare_schedules(said_schedule(files, layout.is_xl()), schedule_config_of(layout, read, {}), differences);
  differences.throw_refused();
  return differences.warnings();
}

}  // namespace sfumato
