#include "adapters/lora_alphas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"
#include "core/files.h"

namespace sfumato {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// True if a layer's name, or its end after a dot, matches the regular expression `pattern` (peft's get_pattern_key).
bool matches(const std::string& pattern, const std::string& name) {
  constexpr std::size_t kLongest = 256;
  if (std::max(pattern.size(), name.size()) > kLongest)
    throw std::runtime_error("a pattern or name is longer than " + std::to_string(kLongest) + " bytes");
  try {
    return std::regex_match(name, std::regex("(.*\\.)?(" + pattern + ")"));
  } catch (const std::regex_error&) {
    throw std::runtime_error("the pattern " + in_quotes(pattern) + " is no regular expression");
  }
}

/// Returns the number of the first pattern that `name` matches.
double by_pattern(const OrderedJson& config, const std::string& key, const std::string& name, double otherwise) {
  const auto patterns = config.find(key);
  if (patterns == config.end() || !patterns->is_object()) return otherwise;
  for (const auto& [pattern, number] : patterns->items())
    if (number.is_number() && matches(pattern, name)) return number.get<double>();
  return otherwise;
}

double number_of(const OrderedJson& config, const std::string& key, double otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number() ? found->get<double>() : otherwise;
}

bool is_true(const OrderedJson& config, const std::string& key) {
  const auto found = config.find(key);
  return found != config.end() && *found == true;
}

/// Throws std::runtime_error for a setting that would change a layer without any key in the weights.
void check_adapter(const OrderedJson& config) {
  if (!config.is_object()) throw std::runtime_error("it holds no JSON object");
  const auto type = config.value("peft_type", OrderedJson());
  constexpr std::array kTypes = {"LORA", "LOHA", "LOKR"};
  if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end())
    throw std::runtime_error("peft_type is " + type.dump() + ", expected LORA, LOHA or LOKR");
  if (type == "LOHA" || type == "LOKR") {
    if (!config.contains("alpha")) throw std::runtime_error("alpha is missing");
  } else if (!config.contains("lora_alpha")) {
    throw std::runtime_error("lora_alpha is missing");
  }
  if (number_of(config, "r", 0) < 1) throw std::runtime_error("r is missing, expected a rank");
  for (const auto* key : {"fan_in_fan_out", "use_bdlora", "use_qalora"})
    if (is_true(config, key)) throw std::runtime_error(std::string(key) + " is true, which is not supported");
  for (const auto* key : {"alora_invocation_tokens", "layer_replication", "megatron_config"})
    if (config.contains(key) && !config[key].is_null())
      throw std::runtime_error(std::string(key) + " is " + config[key].dump() + ", which is not supported");
}

}  // namespace

LoraAlphas::LoraAlphas(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path) {
  const auto found = metadata.find("lora_adapter_metadata");
  if (found == metadata.end()) return;
  config_ = OrderedJson::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (!config_.is_object())
    throw std::runtime_error("'" + path.string() + "': its lora_adapter_metadata is not a JSON object");
}

LoraAlphas LoraAlphas::of_adapter(const std::filesystem::path& adapter_config) {
  LoraAlphas alphas;
  alphas.config_ = OrderedJson::parse(read_file(adapter_config), nullptr, /*allow_exceptions=*/false);
  alphas.is_adapter_ = true;
  try {
    check_adapter(alphas.config_);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + adapter_config.string() + "': " + error.what());
  }
  return alphas;
}

double LoraAlphas::scale(const std::string& layer, double rank) const {
  const auto dot = layer.find('.');
  const auto network = is_adapter_ ? "" : layer.substr(0, dot) + ".";
  const auto name = is_adapter_ ? layer : dot == std::string::npos ? "" : layer.substr(dot + 1);
  if (rank == 0 && !is_adapter_) return 1;
  if (rank == 0) rank = by_pattern(config_, "rank_pattern", name, number_of(config_, "r", 1));
  const auto all = number_of(config_, network + "lora_alpha", number_of(config_, network + "alpha", rank));
  const auto alpha = by_pattern(config_, network + "alpha_pattern", name, all);
  return alpha / (is_true(config_, network + "use_rslora") ? std::sqrt(rank) : rank);
}

}  // namespace sfumato
