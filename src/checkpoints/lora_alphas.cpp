#include "checkpoints/lora_alphas.h"

#include <cmath>
#include <stdexcept>

namespace sfumato {
namespace {

/// peft's patterns are regular expressions; what diffusers writes are names, or "^" and a name, for the whole or the
/// end of a layer's.
bool fits(const std::string& pattern, const std::string& name) {
  if (pattern.starts_with('^')) return pattern.substr(1) == name;
  return name == pattern || name.ends_with("." + pattern);
}

}  // namespace

LoraAlphas::LoraAlphas(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path) {
  const auto found = metadata.find("lora_adapter_metadata");
  if (found == metadata.end()) return;
  config_ = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (!config_.is_object())
    throw std::runtime_error("'" + path.string() + "': its lora_adapter_metadata is not a JSON object");
}

double LoraAlphas::scale(const std::string& layer, double rank) const {
  const auto dot = layer.find('.');
  const auto network = layer.substr(0, dot) + ".";
  const auto name = dot == std::string::npos ? "" : layer.substr(dot + 1);
  auto alpha = rank;
  if (const auto all = config_.find(network + "lora_alpha"); all != config_.end() && all->is_number())
    alpha = all->get<double>();
  if (const auto patterns = config_.find(network + "alpha_pattern"); patterns != config_.end())
    for (const auto& [pattern, number] : patterns->items())
      if (number.is_number() && fits(pattern, name)) alpha = number.get<double>();
  const auto rslora = config_.find(network + "use_rslora");
  return alpha / (rslora != config_.end() && *rslora == true ? std::sqrt(rank) : rank);
}

}  // namespace sfumato
