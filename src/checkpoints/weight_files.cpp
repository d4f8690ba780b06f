#include "checkpoints/weight_files.h"

#include <map>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"
#include "core/json.h"

namespace sfumato {
namespace {

/// Possible names of a folder's weights, the preferred one first. diffusers writes `.index.fp16.json`, older folders
/// have `.fp16.safetensors.index.json`, and the oldest have pickles.
std::vector<std::string> candidates() {
  std::vector<std::string> names;
  for (const std::string base : {"diffusion_pytorch_model", "model"})
    for (const char* end : {".safetensors", ".safetensors.index.json", ".fp16.safetensors",
                            ".safetensors.index.fp16.json", ".fp16.safetensors.index.json"})
      names.push_back(base + end);
  for (const std::string base : {"diffusion_pytorch_model", "pytorch_model"})
    for (const char* end : {".bin", ".bin.index.json", ".fp16.bin"}) names.push_back(base + end);
  return names;
}

std::filesystem::path find_weights(const std::filesystem::path& folder) {
  for (const auto& name : candidates())
    if (std::filesystem::exists(folder / name)) return folder / name;
  throw std::runtime_error(
      "'" + folder.string() +
      "' holds no weights: expected diffusion_pytorch_model.safetensors or model.safetensors (older: " +
      "diffusion_pytorch_model.bin or pytorch_model.bin), plain, with .fp16, or sharded with " + ".index.json");
}

/// Reads the index's weight_map: tensor name to shard, each shard a plain file name.
std::map<std::string, std::string> read_index(const std::filesystem::path& index) {
  const auto json = read_json(index);
  const auto where = "'" + index.string() + "': ";
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    throw std::runtime_error(where + "expected an object with weight_map, tensor names to shards");
  std::map<std::string, std::string> shards;
  for (const auto& [name, value] : json["weight_map"].items()) {
    if (!value.is_string()) throw std::runtime_error(where + "the shard of " + in_quotes(name) + " is not a string");
    const auto shard = value.get<std::string>();
    // A plain name cannot leave the folder. (A symbolic link may: the hub's cache is laid out so.)
    if (shard.empty() || shard == "." || shard == ".." || shard.find_first_of(std::string("/\0", 2)) != shard.npos)
      throw std::runtime_error(where + "shard " + in_quotes(shard) + " is not a file name within the folder");
    shards[name] = shard;
  }
  return shards;
}

}  // namespace

WeightFiles::WeightFiles(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) throw std::runtime_error("'" + path.string() + "' does not exist");
  const auto weights = std::filesystem::is_directory(path) ? find_weights(path) : path;
  if (weights.extension() == ".json")
    add_shards(weights);
  else
    add_file(weights);
}

void WeightFiles::add_file(const std::filesystem::path& path) {
  files_.push_back(open_tensors(path));
  for (const auto& name : files_.back()->names()) {
    if (!file_of_.emplace(name, files_.size() - 1).second)
      throw std::runtime_error("'" + path.string() + "': tensor " + in_quotes(name) +
                               " is in an earlier shard as well");
    names_.push_back(name);
  }
}

void WeightFiles::add_shards(const std::filesystem::path& index) {
  const auto weight_map = read_index(index);
  std::map<std::string, std::size_t> position;
  for (const auto& [name, shard] : weight_map) position.emplace(shard, 0);
  for (auto& [shard, at] : position) {
    at = files_.size();
    add_file(index.parent_path() / shard);
  }
  for (const auto& [name, shard] : weight_map) {
    const auto found = file_of_.find(name);
    if (found == file_of_.end() || found->second != position[shard])
      throw std::runtime_error("'" + index.string() + "' lists " + in_quotes(name) + " in " + in_quotes(shard) +
                               ", which does not hold it");
  }
}

}  // namespace sfumato
