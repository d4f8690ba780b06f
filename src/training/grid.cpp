#include "training/grid.h"

#include <ostream>

#include "core/files.h"

namespace sfumato {

torch::Tensor make_grid(const torch::Tensor& images, std::int64_t columns) {
  const auto bytes =
      images.detach().to(torch::kFloat32).add(1).mul(127.5).round().clamp(0, 255).to(torch::kUInt8).cpu();
  const auto count = bytes.size(0), height = bytes.size(2), width = bytes.size(3);
  const auto rows = (count + columns - 1) / columns;
  auto grid = torch::zeros({rows * height, columns * width, 3}, torch::kUInt8);
  for (std::int64_t i = 0; i < count; ++i) {
    grid.narrow(0, (i / columns) * height, height)
        .narrow(1, (i % columns) * width, width)
        .copy_(bytes[i].permute({1, 2, 0}));
  }
  return grid;
}

void write_ppm(const std::filesystem::path& path, const torch::Tensor& image) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.dtype() == torch::kUInt8, "not [H, W, 3] bytes");
  const auto pixels = image.contiguous();
  write_file_atomically(path, [&](std::ostream& out) {
    out << "P6\n" << pixels.size(1) << ' ' << pixels.size(0) << "\n255\n";
    out.write(static_cast<const char*>(pixels.data_ptr()), pixels.numel());
  });
}

}  // namespace sfumato
