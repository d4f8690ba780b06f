#include "checkpoints/save.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "checkpoints/safetensors.h"
#include "core/json.h"

namespace sfumato {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

const std::map<std::string, std::string> kWeightsMetadata{{"format", "pt"}};

Tensors converted(const Tensors& tensors, const std::optional<torch::Dtype>& dtype) {
  Tensors result;
  for (const auto& [name, tensor] : tensors)
    result[name] = dtype && tensor.is_floating_point() ? tensor.detach().to(*dtype) : tensor.detach();
  return result;
}

/// Cuts tensors into shards in the order of their names; one that alone exceeds the size gets its own shard.
std::vector<Tensors> cut(const Tensors& tensors, std::int64_t max_size) {
  std::vector<Tensors> shards(1);
  std::int64_t size = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = static_cast<std::int64_t>(tensor.nbytes());
    if (!shards.back().empty() && size + bytes > max_size) {
      shards.emplace_back();
      size = 0;
    }
    shards.back()[name] = tensor;
    size += bytes;
  }
  return shards;
}

std::string shard_name(const std::string& basename, std::size_t index, std::size_t count) {
  char numbers[48];
  std::snprintf(numbers, sizeof(numbers), "-%05zu-of-%05zu", index + 1, count);
  return basename + numbers + ".safetensors";
}

void write_shards(const std::vector<Tensors>& shards, const std::filesystem::path& folder,
                  const std::string& basename) {
  nlohmann::ordered_json weight_map = nlohmann::ordered_json::object();
  std::int64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto name = shard_name(basename, i, shards.size());
    for (const auto& [key, tensor] : shards[i]) {
      weight_map[key] = name;
      total += static_cast<std::int64_t>(tensor.nbytes());
    }
    write_safetensors(folder / name, shards[i], kWeightsMetadata);
  }
  // Last, so that an index never names a shard that does not exist.
  write_json(folder / (basename + ".safetensors.index.json"),
             {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}});
}

/// True if `name` is BASENAME.safetensors, its index, or one of its shards.
bool is_weights(const std::string& name, const std::string& basename) {
  if (name == basename + ".safetensors" || name == basename + ".safetensors.index.json") return true;
  const std::string pattern = "-00000-of-00000.safetensors";
  if (name.size() != basename.size() + pattern.size() || !name.starts_with(basename)) return false;
  return std::equal(pattern.begin(), pattern.end(), name.begin() + static_cast<std::ptrdiff_t>(basename.size()),
                    [](char p, char c) { return p == '0' ? c >= '0' && c <= '9' : p == c; });
}

/// Removes files that an earlier save with another number of shards left: a reader would prefer them.
void remove_stale(const std::filesystem::path& folder, const std::string& basename, std::size_t count) {
  std::vector<std::string> written{basename + ".safetensors"};
  if (count > 1) {
    written = {basename + ".safetensors.index.json"};
    for (std::size_t i = 0; i < count; ++i) written.push_back(shard_name(basename, i, count));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (is_weights(name, basename) && std::find(written.begin(), written.end(), name) == written.end())
      std::filesystem::remove(entry.path());
  }
}

}  // namespace

void save_weights(const std::map<std::string, torch::Tensor>& tensors, const std::filesystem::path& folder,
                  const SaveOptions& options) {
  TORCH_CHECK(options.max_shard_size >= 0, "max_shard_size ", options.max_shard_size);
  const auto saved = converted(tensors, options.dtype);
  const auto shards = options.max_shard_size > 0 ? cut(saved, options.max_shard_size) : std::vector<Tensors>{saved};
  if (shards.size() == 1)
    write_safetensors(folder / (options.basename + ".safetensors"), shards[0], kWeightsMetadata);
  else
    write_shards(shards, folder, options.basename);
  remove_stale(folder, options.basename, shards.size());
}

}  // namespace sfumato
