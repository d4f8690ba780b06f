#include "systems/stable_diffusion/adapters.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "adapters/lora_file.h"
#include "adapters/lora_names.h"
#include "adapters/textual_inversion.h"
#include "core/json_text.h"
#include "systems/stable_diffusion/embedding_image.h"
#include "tokenizer/prompt_parts.h"

namespace sfumato {
namespace {

/// Returns the networks for LoRA weights; Stable Diffusion XL's refiner has only the second text encoder.
LoraWeights lora_weights_of(StableDiffusion& model) {
  LoraWeights weights;
  add_lora_weights(*model.unet, weights);
  int number = model.is_xl() && model.text_encoders.size() == 1 ? 2 : 1;
  for (const auto& encoder : model.text_encoders) add_lora_weights(*encoder.module, number++, weights);
  return weights;
}

/// Returns the vectors for text encoder `index`: the file's at that index if their width matches, or any that match.
torch::Tensor embedding_for(const TextualInversion& inversion, std::size_t index, std::int64_t width) {
  const auto& embeddings = inversion.embeddings;
  if (index < embeddings.size() && embeddings[index].size(1) == width) return embeddings[index];
  for (const auto& embedding : embeddings)
    if (embedding.size(1) == width) return embedding;
  throw std::invalid_argument("text encoder " + std::to_string(index + 1) + " of the model takes vectors of " +
                              std::to_string(width) + " numbers, those of the file have " +
                              std::to_string(embeddings.front().size(1)));
}

template <class Clip>
std::int64_t add_rows(Clip& clip, const TextualInversion& inversion, std::size_t index) {
  return clip.add_token_embeddings(embedding_for(inversion, index, clip.config().hidden_size));
}

/// Adds the vectors to text encoder `index` and returns the first of their ids.
std::int64_t add_rows(const TextEncoder& encoder, const TextualInversion& inversion, std::size_t index) {
  if (auto* clip = encoder.module->as<CLIPTextModelImpl>()) return add_rows(*clip, inversion, index);
  if (auto* clip = encoder.module->as<CLIPTextModelWithProjectionImpl>()) return add_rows(*clip, inversion, index);
  throw std::invalid_argument("only CLIP's text encoders take embeddings");
}

void remove_rows(const TextEncoder& encoder, std::int64_t first) {
  if (auto* clip = encoder.module->as<CLIPTextModelImpl>()) clip->remove_token_embeddings(first);
  if (auto* clip = encoder.module->as<CLIPTextModelWithProjectionImpl>()) clip->remove_token_embeddings(first);
}

/// Throws std::invalid_argument if a text encoder supports no vectors of that width.
void add_inversion(StableDiffusion& model, const TextualInversion& inversion) {
  for (std::size_t i = 0; i < model.text_encoders.size(); ++i) {
    const auto& encoder = model.text_encoders[i];
    const auto first = add_rows(encoder, inversion, i);
    for (const auto& word : inversion.words)
      encoder.tokenizer->add_word(word, first, inversion.embeddings.front().size(0));
  }
}

void add_inversions(StableDiffusion& model, const std::filesystem::path& path,
                    const std::vector<TextualInversion>& inversions) {
  try {
    for (const auto& inversion : inversions) add_inversion(model, inversion);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error("embedding '" + path.string() + "': " + error.what());
  }
}

/// Removes ":NUMBER" from the end of `text`.
std::optional<double> take_weight(std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
  double weight = 0;
  const auto [rest, error] = std::from_chars(begin, end, weight);
  const bool too_large = error == std::errc::result_out_of_range;
  if ((error != std::errc() && !too_large) || rest != end) return std::nullopt;
  if (too_large) weight = std::numeric_limits<double>::infinity();
  text.resize(colon);
  return weight;
}

nlohmann::ordered_json to_json(const Lora& lora) {
  nlohmann::ordered_json json = {{"path", lora.path.string()}, {"weight", lora.weight}};
  if (lora.text_encoder_weight) json["text_encoder_weight"] = *lora.text_encoder_weight;
  if (lora.dyn) json["dyn"] = *lora.dyn;
  if (lora.partial) json["partial"] = true;
  return json;
}

Lora lora_from_json(const Json& json) {
  Lora lora{.path = value_at<std::string>(json, "path"), .weight = value_at<double>(json, "weight")};
  lora.partial = value_or(json, "partial", false);
  if (json.contains("text_encoder_weight")) lora.text_encoder_weight = value_at<double>(json, "text_encoder_weight");
  if (json.contains("dyn")) lora.dyn = value_or<std::int64_t>(json, "dyn", 0);
  return lora;
}

}  // namespace

void add_to(StableDiffusion& model, const Adapters& adapters) {
  if (!adapters.loras.empty()) {
    const auto merge = apply_loras(adapters.loras, lora_weights_of(model));
    model.warnings.insert(model.warnings.end(), merge.warnings.begin(), merge.warnings.end());
  }
  add_bundled_embeddings(model, adapters.loras);
  add_embeddings(model, adapters.embeddings);
}

void add_embeddings(StableDiffusion& model, const std::vector<std::filesystem::path>& embeddings) {
  for (const auto& path : embeddings)
    add_inversions(model, path, {is_png(path) ? read_embedding_image(path) : read_textual_inversion(path)});
}

void add_bundled_embeddings(StableDiffusion& model, const std::vector<Lora>& loras) {
  for (const auto& lora : loras) {
    const auto file = lora_weights_file(lora.path);
    add_inversions(model, file, read_bundled_inversions(file));
  }
}

LoraSlot::LoraSlot(StableDiffusion& model) : model_(model), weights_(lora_weights_of(model)) {}

void LoraSlot::check(const std::vector<Lora>& loras) const {
  check_loras(loras, weights_);
}

std::vector<std::string> LoraSlot::set(const std::vector<Lora>& loras) {
  if (loras == loras_) return {};
  remove();
  for (const auto& encoder : model_.text_encoders) embeddings_.push_back(encoder.vocabulary_size());
  for (const auto& lora : loras)
    for (const auto& inversion : read_bundled_inversions(lora_weights_file(lora.path)))
      words_.insert(words_.end(), inversion.words.begin(), inversion.words.end());
  try {
    merge_ = apply_loras(loras, weights_);
    add_bundled_embeddings(model_, loras);
  } catch (const std::exception&) {
    remove();
    throw;
  }
  loras_ = loras;
  return merge_.warnings;
}

void LoraSlot::remove() {
  remove_loras(merge_);
  for (std::size_t i = 0; i < embeddings_.size(); ++i)
    if (const auto& encoder = model_.text_encoders[i]; encoder.vocabulary_size() > embeddings_[i]) {
      for (const auto& word : words_) encoder.tokenizer->remove_word(word);
      remove_rows(encoder, embeddings_[i]);
    }
  loras_.clear();
  merge_ = {};
  words_.clear();
  embeddings_.clear();
}

Lora parse_lora(const std::string& text) {
  Lora lora{.path = text};
  auto path = text;
  const auto unet = take_weight(path), text_encoders = take_weight(path);
  if (unet) lora = {.path = path, .weight = *unet, .text_encoder_weight = text_encoders};
  const auto is_weight = [](double weight) { return std::abs(weight) <= kLargestLoraWeight; };  // false for nan
  if (path.empty() || !is_weight(lora.weight) || !is_weight(lora.text_encoder_weight.value_or(0))) {
    const auto largest = std::to_string(kLargestLoraWeight);
    throw std::invalid_argument("lora '" + text + "': expected FILE, FILE:WEIGHT or FILE:TEXT_ENCODERS:UNET, " +
                                "with weights of -" + largest + " to " + largest);
  }
  return lora;
}

nlohmann::ordered_json to_json(const Adapters& adapters) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& lora : adapters.loras) json["loras"].push_back(to_json(lora));
  for (const auto& path : adapters.embeddings) json["embeddings"].push_back(path.string());
  return json;
}

Adapters adapters_from_json(const Json& json) {
  Adapters adapters;
  for (const auto& lora : value_or(json, "loras", Json::array())) adapters.loras.push_back(lora_from_json(lora));
  for (const auto& path : value_or(json, "embeddings", std::vector<std::string>()))
    adapters.embeddings.emplace_back(path);
  return adapters;
}

}  // namespace sfumato
