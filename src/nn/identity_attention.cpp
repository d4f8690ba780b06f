#include "nn/identity_attention.h"

#include <regex>
#include <sstream>
#include <stdexcept>

#include "nn/attention.h"

namespace sfumato {
namespace {

std::set<const AttentionImpl*> layers_of(const torch::nn::Module& network, const std::regex& pattern) {
  std::set<const AttentionImpl*> layers;
  for (const auto& named : network.named_modules("", false)) {
    const auto* layer = named.value()->as<AttentionImpl>();
    if (layer != nullptr && layer->is_self_attention() && std::regex_search(named.key(), pattern)) layers.insert(layer);
  }
  return layers;
}

std::regex parse_pattern(const std::string& pattern) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw std::invalid_argument("pag layers '" + pattern + "': expected a regular expression");
  }
}

}  // namespace

std::set<const AttentionImpl*> self_attention_layers(const torch::nn::Module& network, const std::string& patterns) {
  std::set<const AttentionImpl*> layers;
  std::stringstream stream(patterns);
  for (std::string pattern; std::getline(stream, pattern, ',');) {
    auto found = layers_of(network, parse_pattern(pattern));
    if (found.empty())
      throw std::invalid_argument(
          "pag layers '" + pattern +
          "': expected a part of the name of a self-attention layer, such as mid or down_blocks.1");
    layers.merge(found);
  }
  return layers;
}

const AttentionImpl* find_self_attention(const torch::nn::Module& network, const std::string& name) {
  const auto modules = network.named_modules("", false);
  const auto* found = modules.find(name);
  const auto* layer = found == nullptr ? nullptr : (*found)->as<AttentionImpl>();
  return layer != nullptr && layer->is_self_attention() ? layer : nullptr;
}

}  // namespace sfumato
