#include "checkpoints/lora_file.h"

#include <array>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "checkpoints/key_faults.h"
#include "checkpoints/lora_alphas.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/tensor_file.h"

namespace sfumato {
namespace {

enum class LoraPart { kDown, kUp, kMid, kAlpha };

struct LoraEnding {
  const char* text;
  LoraPart part;
};

constexpr std::array<LoraEnding, 12> kLoraEndings{{
    {".lora_down.weight", LoraPart::kDown},
    {".lora_up.weight", LoraPart::kUp},
    {".lora_mid.weight", LoraPart::kMid},
    {".alpha", LoraPart::kAlpha},
    {".lora_A.weight", LoraPart::kDown},
    {".lora_B.weight", LoraPart::kUp},
    {".lora.down.weight", LoraPart::kDown},
    {".lora.up.weight", LoraPart::kUp},
    {".lora_linear_layer.down.weight", LoraPart::kDown},
    {".lora_linear_layer.up.weight", LoraPart::kUp},
    {"_lora.down.weight", LoraPart::kDown},  // attention processors: processor.to_q_lora.down.weight
    {"_lora.up.weight", LoraPart::kUp},
}};

/// What else is trained in LoRA's place, by what its keys hold.
constexpr std::array<std::pair<const char*, const char*>, 9> kOtherMethods{{
    {".hada_w", "LoHa"},
    {".hada_t", "LoHa"},
    {".lokr_", "LoKr"},
    {".dora_scale", "DoRA"},
    {".lora_magnitude_vector", "DoRA"},
    {".oft_", "OFT"},
    {".boft_", "BOFT"},
    {".lora_embedding_", "a LoRA of embeddings"},
    {".diff", "whole differences of weights (LyCORIS' full)"},
}};

void refuse_other_methods(const TensorFile& file, const std::filesystem::path& path) {
  for (const auto& key : file.names())
    for (const auto& [mark, method] : kOtherMethods)
      if (key.find(mark) != std::string::npos)
        throw std::runtime_error("'" + path.string() + "' holds " + method + " (" + in_quotes(key) +
                                 "), which is not supported: expected a LoRA");
}

/// The layer's parts by its name, and the keys that are no part.
struct LoraParts {
  std::map<std::string, std::map<LoraPart, torch::Tensor>> layers;
  std::vector<std::string> unexpected;
};

LoraParts read_parts(const TensorFile& file) {
  LoraParts parts;
  for (const auto& key : file.names()) {
    const auto* ending = &kLoraEndings.front();
    while (ending != kLoraEndings.end() && !key.ends_with(ending->text)) ++ending;
    if (ending == kLoraEndings.end()) {
      parts.unexpected.push_back(in_quotes(key));
      continue;
    }
    const auto name = key.substr(0, key.size() - std::string(ending->text).size());
    if (!parts.layers[name].emplace(ending->part, file.tensor(key)).second) parts.unexpected.push_back(in_quotes(key));
  }
  return parts;
}

bool is_matrix(const torch::Tensor& tensor) {
  return tensor.is_floating_point() && (tensor.dim() == 2 || tensor.dim() == 4);
}

/// Why the parts make no LoRA, or "".
std::string fault_of(const std::map<LoraPart, torch::Tensor>& parts) {
  if (!parts.contains(LoraPart::kDown)) return "no down";
  if (!parts.contains(LoraPart::kUp)) return "no up";
  for (const auto& [part, tensor] : parts)
    if (part != LoraPart::kAlpha && !is_matrix(tensor))
      return "a part of " + std::to_string(tensor.dim()) + " dimensions";
  const auto alpha = parts.find(LoraPart::kAlpha);
  if (alpha != parts.end() && (alpha->second.numel() != 1 || alpha->second.is_complex()))
    return "an alpha that is no number";
  const auto rank = parts.at(LoraPart::kDown).size(0);
  if (rank == 0 || parts.at(LoraPart::kUp).size(1) != rank) return "parts of different ranks";
  return "";
}

LoraLayer layer_of(const std::string& name, const std::map<LoraPart, torch::Tensor>& parts, const LoraAlphas& alphas) {
  const auto mid = parts.find(LoraPart::kMid);
  LoraLayer layer{.name = name,
                  .down = parts.at(LoraPart::kDown),
                  .up = parts.at(LoraPart::kUp),
                  .mid = mid == parts.end() ? torch::Tensor() : mid->second};
  const auto rank = static_cast<double>(layer.rank());
  if (const auto alpha = parts.find(LoraPart::kAlpha); alpha != parts.end())
    layer.scale = alpha->second.to(torch::kFloat64).item<double>() / rank;
  else
    layer.scale = alphas.scale(name, rank);
  return layer;
}

}  // namespace

std::vector<LoraLayer> read_lora(const std::filesystem::path& path) {
  const auto file = open_tensors(path);
  refuse_other_methods(*file, path);
  const auto parts = read_parts(*file);
  const LoraAlphas alphas(file->metadata(), path);
  std::vector<LoraLayer> layers;
  std::vector<std::string> incomplete;
  for (const auto& [name, of_layer] : parts.layers) {
    if (const auto fault = fault_of(of_layer); !fault.empty())
      incomplete.push_back(in_quotes(name) + " (" + fault + ")");
    else
      layers.push_back(layer_of(name, of_layer, alphas));
  }
  KeyFaults faults;
  faults.add("unexpected", parts.unexpected);
  faults.add("incomplete", incomplete);
  if (faults.empty() && layers.empty()) throw std::runtime_error("'" + path.string() + "' is no LoRA: it is empty");
  if (!faults.empty()) throw std::runtime_error("'" + path.string() + "' is no LoRA: " + faults.text());
  return layers;
}

}  // namespace sfumato
