#include "adapters/lora_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "adapters/lora_alphas.h"
#include "adapters/lora_magnitude.h"
#include "adapters/lora_methods.h"
#include "adapters/textual_inversion.h"
#include "checkpoints/key_mismatches.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/tensor_file.h"

namespace sfumato {
namespace {

/// Unsupported methods by a part of their keys.
constexpr std::array<std::pair<const char*, const char*>, 8> kOtherMethods{{
    {".oft_", "OFT"},
    {".boft_", "BOFT"},
    {".a1.weight", "GLoRA"},
    {".b1.weight", "GLoRA"},
    {".on_input", "IA3"},
    {".ia3_l", "IA3"},
    {".lora_embedding_", "a LoRA of embeddings"},
    {".bias_indices", "sparse biases"},
}};

/// Prefix of every layer's name in the files that peft itself writes.
constexpr std::string_view kPeftPrefix = "base_model.model.";

bool is_adapter(const TensorFile& file, const std::filesystem::path& path) {
  if (path.stem() == "adapter_model") return true;
  const auto& names = file.names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& key) { return key.find(kPeftPrefix) != std::string::npos; });
}

/// Scales of the file's layers that have no alpha key.
LoraAlphas alphas_of(const TensorFile& file, const std::filesystem::path& path) {
  if (!is_adapter(file, path)) return LoraAlphas(file.metadata(), path);
  const auto config = path.parent_path() / "adapter_config.json";
  if (std::filesystem::exists(config)) return LoraAlphas::of_adapter(config);
  const auto& names = file.names();
  if (std::any_of(names.begin(), names.end(), [](const std::string& key) { return key.ends_with(".alpha"); }))
    return LoraAlphas(file.metadata(), path);
  throw std::runtime_error("'" + path.string() +
                           "' is a peft adapter, whose scale is in adapter_config.json: " + "expected that beside it");
}

/// Finds the network of a layer. peft's names lack it: a text encoder is recognised by the names of its modules, and
/// the first or second one by the folder.
std::string network_of_adapter(const std::string& layer, const std::filesystem::path& path) {
  const auto starts = [&](const char* start) { return layer.starts_with(start); };
  if (!starts("text_model.") && !starts("encoder.layers.")) return "";
  return path.parent_path().filename() == "text_encoder_2" ? "text_encoder_2." : "text_encoder.";
}

std::string without_peft_prefix(std::string layer) {
  const auto at = layer.find(kPeftPrefix);
  return at == std::string::npos ? layer : layer.erase(at, kPeftPrefix.size());
}

void refuse_other_methods(const TensorFile& file, const std::filesystem::path& path) {
  for (const auto& key : file.names())
    for (const auto& [mark, method] : kOtherMethods)
      if (key.find(mark) != std::string::npos)
        throw std::runtime_error("'" + path.string() + "' holds " + method + " (" + in_quotes(key) +
                                 "), which is not supported: expected a LoRA, LoHa, LoKr or differences of weights");
}

/// Parts that a layer of any method may have.
const std::vector<LoraEnding>& common_endings() {
  static const std::vector<LoraEnding> endings = {{".alpha", "alpha"},
                                                  {".dora_scale", "dora_scale"},
                                                  {".lora_magnitude_vector", "lora_magnitude_vector"},
                                                  {".lora_magnitude_vector.weight", "lora_magnitude_vector"}};
  return endings;
}

/// A layer's parts and their method; nullptr while it has only common parts.
struct LoraFileLayer {
  const LoraMethod* method = nullptr;
  LoraParts parts;
};

/// Layers of a file by their names, and the keys that belong to none.
class LoraFileLayers {
 public:
  explicit LoraFileLayers(const TensorFile& file) {
    for (const auto& key : file.names())
      if (!is_bundled_inversion(key) && !take(key, file)) unexpected_.push_back(in_quotes(key));
  }

  const std::map<std::string, LoraFileLayer>& layers() const { return layers_; }
  const std::vector<std::string>& unexpected() const { return unexpected_; }

 private:
  bool take(const std::string& key, const TensorFile& file) {
    for (const auto& method : lora_methods())
      for (const auto& ending : method.endings)
        if (key.ends_with(ending.text)) return add(key, ending, &method, file);
    for (const auto& ending : common_endings())
      if (key.ends_with(ending.text)) return add(key, ending, nullptr, file);
    return false;
  }

  /// Returns false for a repeated part, and for a part of another method than the others.
  bool add(const std::string& key, const LoraEnding& ending, const LoraMethod* method, const TensorFile& file) {
    auto& layer = layers_[without_peft_prefix(key.substr(0, key.size() - ending.text.size())) + ending.of];
    if (method != nullptr && layer.method != nullptr && layer.method != method) return false;
    if (method != nullptr) layer.method = method;
    return layer.parts.emplace(ending.part, file.tensor(key)).second;
  }

  std::map<std::string, LoraFileLayer> layers_;
  std::vector<std::string> unexpected_;
};

/// Formats parts as "down [2, 3], mid [2, 2, 3, 3] and up [4, 2]".
std::string parts_text(const LoraParts& parts) {
  std::ostringstream out;
  std::size_t rest = parts.size() - parts.count("alpha");
  for (const auto& [name, tensor] : parts) {
    if (name == "alpha") continue;
    out << name << " " << tensor.sizes();
    if (--rest > 0) out << (rest == 1 ? " and " : ", ");
  }
  return out.str();
}

/// Throws std::invalid_argument.
void check_numbers(const LoraParts& parts) {
  for (const auto& [name, tensor] : parts)
    if (name != "alpha" && !tensor.is_floating_point()) throw std::invalid_argument(name + " of integers");
  const auto alpha = find_part(parts, "alpha");
  if (alpha.defined() && (alpha.numel() != 1 || alpha.is_complex()))
    throw std::invalid_argument("an alpha that is no number");
}

/// Delta of a low-rank layer's first `rank` ranks. Throws std::invalid_argument for a layer of another method.
LoraMatrix first_ranks(LoraParts parts, std::int64_t rank) {
  if (!parts.contains("up") || !parts.contains("down") || parts.contains("mid"))
    throw std::invalid_argument("dyn " + std::to_string(rank) + " expects a LoRA of up and down");
  auto &up = parts.at("up"), &down = parts.at("down");
  const auto kept = std::min(rank, down.size(0));
  down = down.narrow(0, 0, kept);
  up = up.narrow(1, 0, kept);
  return low_rank_method().delta(parts);
}

/// Builds a layer. Throws std::invalid_argument with the reason why the parts do not form one.
LoraLayer layer_of(const std::string& name, const LoraFileLayer& layer, const LoraAlphas& alphas,
                   std::optional<std::int64_t> dyn) {
  if (layer.method == nullptr) throw std::invalid_argument("nothing beside " + layer.parts.begin()->first);
  check_numbers(layer.parts);
  LoraLayer result{.name = name,
                   .delta = layer.method->delta(layer.parts),
                   .magnitude = magnitude_of(layer.parts),
                   .parts = parts_text(layer.parts)};
  const auto rank = static_cast<double>(result.delta.rank);
  if (dyn) result.delta = first_ranks(layer.parts, *dyn);
  const auto alpha = find_part(layer.parts, "alpha");
  if (!alpha.defined())
    result.scale = alphas.scale(name, rank);
  else if (rank != 0)
    result.scale = alpha.to(torch::kFloat64).item<double>() / rank;
  return result;
}

}  // namespace

std::filesystem::path lora_weights_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  for (const auto* name : {"adapter_model.safetensors", "pytorch_lora_weights.safetensors", "adapter_model.bin",
                           "pytorch_lora_weights.bin"})
    if (std::filesystem::exists(path / name)) return path / name;
  throw std::runtime_error("'" + path.string() +
                           "' holds no LoRA: expected adapter_model.safetensors or pytorch_lora_weights.safetensors");
}

std::vector<LoraLayer> read_lora(const std::filesystem::path& file_or_folder, std::optional<std::int64_t> dyn) {
  const auto path = lora_weights_file(file_or_folder);
  const auto file = open_tensors(path);
  refuse_other_methods(*file, path);
  const LoraFileLayers found(*file);
  const auto alphas = alphas_of(*file, path);
  const bool from_peft = is_adapter(*file, path);
  std::vector<LoraLayer> layers;
  std::vector<std::string> incomplete;
  for (const auto& [name, layer] : found.layers()) {
    try {
      layers.push_back(layer_of(name, layer, alphas, dyn));
      if (from_peft) layers.back().name.insert(0, network_of_adapter(name, path));
    } catch (const std::invalid_argument& fault) {
      incomplete.push_back(in_quotes(name) + " (" + fault.what() + ")");
    }
  }
  KeyMismatches faults;
  faults.add("unexpected", found.unexpected());
  faults.add("incomplete", incomplete);
  if (faults.empty() && layers.empty()) throw std::runtime_error("'" + path.string() + "' is no LoRA: it is empty");
  if (!faults.empty()) throw std::runtime_error("'" + path.string() + "' is no LoRA: " + faults.text());
  return layers;
}

}  // namespace sfumato
