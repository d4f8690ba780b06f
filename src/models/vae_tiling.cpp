#include "models/vae_tiling.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace sfumato {
namespace {

/// Fades the end of `before` into the start of `tile`, along `dim`, in place.
void fade_in(torch::Tensor& tile, const torch::Tensor& before, std::int64_t dim, std::int64_t extent) {
  extent = std::min({extent, before.size(dim), tile.size(dim)});
  std::vector<std::int64_t> shape(4, 1);
  shape[static_cast<std::size_t>(dim)] = extent;
  // In float32 first: bfloat16 does not distinguish 257 from 256.
  const auto pixels = torch::arange(extent, tile.options().dtype(torch::kFloat32));
  const auto share = (pixels / static_cast<double>(extent)).to(tile.scalar_type()).view(shape);
  const auto end = before.narrow(dim, before.size(dim) - extent, extent);
  auto start = tile.narrow(dim, 0, extent);
  start.copy_(end * (1 - share) + start * share);
}

void require_whole_latents(const VaeTiling& tiling, std::int64_t downscale_factor) {
  if (tiling.sample_size <= 0 || tiling.sample_size % downscale_factor != 0)
    throw std::invalid_argument("tiles of " + std::to_string(tiling.sample_size) + " pixels, expected a multiple of " +
                                std::to_string(downscale_factor));
}

}  // namespace

bool needs_tiles(const VaeTiling& tiling, std::int64_t height, std::int64_t width, std::int64_t downscale_factor) {
  require_whole_latents(tiling, downscale_factor);
  return height * width > tiling.above_pixels && std::max(height, width) > tiling.sample_size;
}

torch::Tensor thinned_out(const torch::Tensor& x, std::int64_t side) {
  const auto step = (std::max(x.size(2), x.size(3)) + side - 1) / side;
  return x.slice(2, 0, x.size(2), step).slice(3, 0, x.size(3), step).contiguous();
}

torch::Tensor map_tiles(const torch::Tensor& x, const TileSizes& sizes, const TileMap& map) {
  const auto step = static_cast<std::int64_t>(static_cast<double>(sizes.from) * (1 - sizes.overlap_factor));
  const auto extent = static_cast<std::int64_t>(static_cast<double>(sizes.to) * sizes.overlap_factor);
  const auto kept = sizes.to - extent;
  const auto cut = [](const torch::Tensor& tensor, std::int64_t dim, std::int64_t start, std::int64_t length) {
    return tensor.narrow(dim, start, std::min(length, tensor.size(dim) - start));
  };
  std::vector<torch::Tensor> above, rows;
  for (std::int64_t top = 0; top < x.size(2); top += step) {
    std::vector<torch::Tensor> row, parts;
    for (std::int64_t left = 0; left < x.size(3); left += step) {
      auto tile = map(cut(cut(x, 2, top, sizes.from), 3, left, sizes.from).contiguous());
      if (!above.empty()) fade_in(tile, above[row.size()], 2, extent);
      if (!row.empty()) fade_in(tile, row.back(), 3, extent);
      row.push_back(tile);
      parts.push_back(cut(cut(tile, 2, 0, kept), 3, 0, kept));
    }
    rows.push_back(torch::cat(parts, 3));
    above = std::move(row);
  }
  return torch::cat(rows, 2);
}

}  // namespace sfumato
