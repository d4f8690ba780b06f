#include "data/composite.h"

#include <cmath>
#include <map>

namespace sfumato {
namespace {

namespace F = torch::nn::functional;

constexpr std::int64_t kLevels = 3;
/// Share by which the sky pales towards the horizon, and by which the ground darkens towards the bottom.
constexpr double kHaze = 0.45;
constexpr double kGroundShade = 0.12;

/// Inverse maps from the image's to the cut-out's coordinates, [N, 2, 3], as affine_grid takes them.
torch::Tensor inverse_placements(const torch::Tensor& items) {
  const auto x = items.select(1, 1) * 2 - 1;
  const auto y = items.select(1, 2) * 2 - 1;
  const auto side = items.select(1, 3);
  const auto mirror = 1 - 2 * items.select(1, 4);
  const auto cosine = items.select(1, 5).cos() / side;
  const auto sine = items.select(1, 5).sin() / side;
  const auto u = torch::stack({mirror * cosine, mirror * sine, -mirror * (cosine * x + sine * y)}, 1);
  const auto v = torch::stack({-sine, cosine, sine * x - cosine * y}, 1);
  return torch::stack({u, v}, 1);
}

/// Rows of the batch that have an item, by the pyramid level that fits it.
std::map<std::int64_t, std::vector<std::int64_t>> rows_by_level(const CutoutPyramid& cutouts,
                                                                const torch::Tensor& items, std::int64_t size) {
  std::map<std::int64_t, std::vector<std::int64_t>> rows;
  const auto values = items.accessor<float, 2>();
  for (std::int64_t row = 0; row < items.size(0); ++row) {
    if (values[row][0] >= 0) rows[cutouts.level_for(values[row][3] * size)].push_back(row);
  }
  return rows;
}

void paint(torch::Tensor& canvas, const CutoutPyramid& cutouts, const torch::Tensor& items) {
  const auto size = canvas.size(2);
  for (const auto& [level, rows] : rows_by_level(cutouts, items, size)) {
    const auto index = torch::tensor(rows, torch::kInt64);
    const auto chosen = items.index_select(0, index);  // [R, 6]
    const auto where = index.to(canvas.device());
    const auto source = cutouts.gather(level, chosen.select(1, 0).to(torch::kInt64));
    const auto grid = F::affine_grid(inverse_placements(chosen).to(canvas.device()), {chosen.size(0), 4, size, size},
                                     /*align_corners=*/false);
    const auto layer = F::grid_sample(
        source, grid,
        F::GridSampleFuncOptions().mode(torch::kBilinear).padding_mode(torch::kZeros).align_corners(false));
    const auto colour = layer.narrow(1, 0, 3);
    const auto alpha = layer.narrow(1, 3, 1);
    canvas.index_copy_(0, where, canvas.index_select(0, where) * (1 - alpha) + colour);
  }
}

}  // namespace

CutoutPyramid::CutoutPyramid(const torch::Tensor& cutouts, torch::Device device) {
  TORCH_CHECK(cutouts.dim() == 4 && cutouts.size(1) == 4 && cutouts.scalar_type() == torch::kUInt8,
              "cut-outs must be uint8 [K, 4, S, S]");
  const std::int64_t chunk = 256;  // float copies of all at once would take gigabytes
  std::vector<std::vector<torch::Tensor>> parts(kLevels);
  for (std::int64_t start = 0; start < cutouts.size(0); start += chunk) {
    auto rgba = cutouts.narrow(0, start, std::min(chunk, cutouts.size(0) - start)).to(torch::kFloat32) / 255;
    const auto alpha = rgba.narrow(1, 3, 1);
    rgba = torch::cat({rgba.narrow(1, 0, 3) * alpha, alpha}, 1);
    for (auto& level : parts) {
      level.push_back((rgba * 255).round().to(torch::kUInt8).to(device));
      if (rgba.size(2) >= 2) rgba = torch::avg_pool2d(rgba, 2);
    }
  }
  for (const auto& level : parts) levels_.push_back(level.empty() ? cutouts.to(device) : torch::cat(level));
}

torch::Tensor CutoutPyramid::gather(std::int64_t level, const torch::Tensor& indices) const {
  const auto& bank = levels_.at(level);
  return bank.index_select(0, indices.to(bank.device())).to(torch::kFloat32) / 255;
}

std::int64_t CutoutPyramid::level_for(double pixels) const {
  std::int64_t level = 0;
  while (level + 1 < kLevels && levels_[level + 1].size(2) >= pixels) ++level;
  return level;
}

torch::Tensor paint_backgrounds(const torch::Tensor& background, std::int64_t size, torch::Device device) {
  const auto values = background.to(device).unsqueeze(2).unsqueeze(3);  // [N, 8, 1, 1]
  const auto kind = values.narrow(1, 0, 1);
  const auto top = values.narrow(1, 1, 3);
  const auto bottom = values.narrow(1, 4, 3);
  const auto horizon = values.narrow(1, 7, 1);
  const auto y = ((torch::arange(size, top.options()) + 0.5) / size).view({1, 1, size, 1});
  const auto depth = ((y - horizon) / (1 - horizon).clamp_min(1e-3)).clamp(0, 1);
  const auto sky = top + (1 - top) * kHaze * (y / horizon.clamp_min(1e-3)).clamp(0, 1);
  const auto ground = bottom * (1 - kGroundShade * depth);
  const auto landscape = torch::where(y < horizon, sky, ground);
  const auto gradient = top + (bottom - top) * y;
  const auto column = torch::where(kind == 2, landscape, torch::where(kind == 1, gradient, top));  // [N, 3, size, 1]
  return column.expand({-1, -1, size, size}).contiguous();
}

torch::Tensor compose_scenes(const CutoutPyramid& cutouts, const SceneBatch& scenes, std::int64_t size) {
  const torch::NoGradGuard no_grad;
  auto canvas = paint_backgrounds(scenes.background, size, cutouts.device());
  for (std::int64_t item = 0; item < scenes.items.size(1); ++item) {
    paint(canvas, cutouts, scenes.items.select(1, item).contiguous());
  }
  return canvas;
}

}  // namespace sfumato
