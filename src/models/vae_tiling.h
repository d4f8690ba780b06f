#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>

namespace sfumato {

/// Division of a large image into overlapping tiles for an autoencoder (diffusers' enable_tiling), whose memory is then
/// that of one tile. Each tile has its own attention, and in diffusers its own statistics in the norms: the result is
/// near that of the whole image, not equal to it.
struct VaeTiling {
  /// Pixels a side of a tile.
  std::int64_t sample_size = 512;
  /// Share of a tile that overlaps the next one, where they fade into each other.
  double overlap_factor = 0.25;
  /// Images of no more pixels are not tiled, nor are those that fit one tile.
  std::int64_t above_pixels = 0;
  /// All tiles by the norms' statistics of the whole, thinned out to one tile: for one tile's time more they are nearer
  /// to the whole image (on the model that ships by 9 dB decoded, by 4 to 17 encoded). False is as in diffusers.
  bool shared_statistics = true;
};

/// True for an image of more than `above_pixels` pixels that one tile does not hold. Throws std::invalid_argument for a
/// tile that is not a whole number of latent pixels of `downscale_factor` pixels.
bool needs_tiles(const VaeTiling& tiling, std::int64_t height, std::int64_t width, std::int64_t downscale_factor);

/// Sides of a tile before and after a map from square tiles to square tiles.
struct TileSizes {
  std::int64_t from, to;
  double overlap_factor;
};

/// What becomes of a tile.
using TileMap = std::function<torch::Tensor(const torch::Tensor&)>;

/// Every n-th row and column of x [N, C, H, W], such that no side is longer than `side`.
torch::Tensor thinned_out(const torch::Tensor& x, std::int64_t side);

/// `map` over the tiles of x [N, C, H, W], faded together: [N, C', H to/from, W to/from].
torch::Tensor map_tiles(const torch::Tensor& x, const TileSizes& sizes, const TileMap& map);

}  // namespace sfumato
