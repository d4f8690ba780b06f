#include "training/loading/captioned_pack.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "training/recipe_values.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Returns values that differ once another folder is packed, or files of it are added, removed or written again.
Json state_of(const PackRecipe& data, const std::string& tokenizer) {
  if (!fs::is_directory(data.folder))
    throw std::runtime_error("data: 'folder' is '" + data.folder + "': expected a folder of captioned images");
  std::int64_t files = 0, newest = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data.folder)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    newest = std::max<std::int64_t>(newest, entry.last_write_time().time_since_epoch().count());
  }
  return {{"folder", data.folder},
          {"tokenizer", tokenizer},
          {"image_size", data.image_size},
          {"files", files},
          {"newest", newest}};
}

/// Packs a recipe's folder and removes latents of an earlier pack.
void pack_folder(const PackRecipe& data, const std::string& tokenizer, const TaskContext& context,
                 const fs::path& pack) {
  if (!context.pack_folder)
    throw std::runtime_error(
        "data: 'folder' is '" + data.folder +
        "', which this build cannot pack, for lack of its image libraries: expected 'pack', a file " +
        "that compose --folder wrote");
  for (const char* name : {"latents.safetensors", "low_res_latents.safetensors"}) fs::remove(context.run.path() / name);
  fs::remove_all(context.run.unfinished_latents());
  context.pack_folder({.folder = data.folder, .tokenizer = tokenizer, .pack = pack, .image_size = data.image_size});
}

}  // namespace

Pack open_pack(const PackRecipe& data, const std::string& tokenizer, const TaskContext& context) {
  if (data.folder.empty()) return Pack(data.packs, data.image_size);
  const auto pack = context.run.path() / "pack.safetensors";
  if (context.run.has_checkpoints() && fs::exists(pack)) return Pack(pack, data.image_size);
  if (tokenizer.empty()) throw std::invalid_argument("data: 'folder' without 'tokenizer': expected both");
  const auto state_file = context.run.path() / "pack.json";
  const auto state = state_of(data, tokenizer);
  if (!fs::exists(pack) || !fs::exists(state_file) || read_json(state_file) != state) {
    fs::remove(state_file);
    pack_folder(data, tokenizer, context, pack);
    write_json(state_file, state);
  }
  return Pack(pack, data.image_size);
}

void check_vocab_size(const Pack& pack, std::int64_t vocab_size, const std::string& where) {
  const auto largest = pack.ids(torch::arange(pack.size())).max().item<std::int64_t>();
  if (largest >= vocab_size)
    refuse_misfit(where + ": 'vocab_size'", vocab_size,
                  "more than the pack's token ids, which go up to " + std::to_string(largest));
}

void check_positions(const Pack& pack, std::int64_t max_position_embeddings, const std::string& where) {
  const auto length = pack.empty_ids().size(0);
  if (max_position_embeddings != length)
    refuse_misfit(where + ": 'max_position_embeddings'", max_position_embeddings,
                  std::to_string(length) + ", the length of the pack's captions");
}

void check_image_size(const Pack& pack, std::int64_t image_size) {
  if (pack.image_size() != std::vector<std::int64_t>(2, image_size))
    refuse_misfit("data: 'image_size'", image_size,
                  "the side of the pack's images, " + std::to_string(pack.image_size().front()));
}

torch::Tensor x0_of(Pack& pack, const torch::Tensor& latents, const torch::Tensor& indices, torch::Device device) {
  const auto x0 =
      latents.defined() ? latents.index_select(0, indices).to(device, torch::kFloat32) : pack.images(indices, device);
  return x0.contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor last_indices(const Pack& pack, std::int64_t most, std::int64_t fewest) {
  const auto count = std::min({most, std::max(pack.held_out(), fewest), pack.size()});
  return torch::arange(pack.size() - count, pack.size());
}

}  // namespace sfumato
