#include "training/loading/captioned_pack.h"

#include <algorithm>
#include <vector>

#include "training/recipe_values.h"

namespace sfumato {

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
