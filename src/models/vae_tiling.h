#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>

namespace sfumato {

/// Division of a large image into overlapping tiles for an autoencoder (diffusers' enable_tiling), which then needs the
/// memory of one tile. Each tile has its own attention and, in diffusers, its own statistics in the norms: the result
/// is close to that of the whole image, not equal.
struct VaeTiling {
  /// Side of a tile in pixels.
  std::int64_t sample_size = 512;
  /// Share of a tile that overlaps the next one, in which they blend into each other.
  double overlap_factor = 0.25;
  /// Images of at most this many pixels are not tiled, nor are those that fit one tile.
  std::int64_t above_pixels = 0;
  /// True normalises all tiles by the statistics of the whole image, thinned out to one tile. This costs the time of
  /// one more tile and is closer to the whole image (shipped model: 9 dB decoding, 4 to 17 encoding). diffusers: false.
  bool shared_statistics = true;
};

/// True for an image of more than `above_pixels` pixels that does not fit one tile. Throws std::invalid_argument for a
/// tile that is not a whole number of latent pixels of `downscale_factor` pixels.
bool needs_tiles(const VaeTiling& tiling, std::int64_t height, std::int64_t width, std::int64_t downscale_factor);

/// Sides of a tile before and after a map from square tiles to square tiles.
struct TileSizes {
  std::int64_t from, to;
  double overlap_factor;
};

/// Function applied to each tile.
using TileMap = std::function<torch::Tensor(const torch::Tensor&)>;

/// Returns every n-th row and column of x [N, C, H, W], so that no side is longer than `side`.
torch::Tensor thinned_out(const torch::Tensor& x, std::int64_t side);

/// Applies `map` to the tiles of x [N, C, H, W] and blends the results: [N, C', H to/from, W to/from].
torch::Tensor map_tiles(const torch::Tensor& x, const TileSizes& sizes, const TileMap& map);

}  // namespace sfumato
