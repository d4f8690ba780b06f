#pragma once

#include <torch/torch.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <stdexcept>

namespace sfumato {

/// max |actual - expected| / max |expected|, in float64 on the CPU; infinite where the shapes differ or a value is
/// not finite.
inline double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  const auto infinite = std::numeric_limits<double>::infinity();
  if (!actual.defined() || !expected.defined() || actual.sizes() != expected.sizes()) return infinite;
  const auto a = actual.detach().to(torch::kCPU, torch::kFloat64);
  const auto b = expected.detach().to(torch::kCPU, torch::kFloat64);
  if (!torch::isfinite(a).all().item<bool>()) return infinite;
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// The folder that the reference wrote (environment variable SFUMATO_PARITY_DIR).
inline std::filesystem::path parity_folder() {
  const char* folder = std::getenv("SFUMATO_PARITY_DIR");
  if (folder == nullptr) throw std::runtime_error("SFUMATO_PARITY_DIR is not set; run this test by ctest");
  return folder;
}

/// Float32 rounding over one layer, and over a whole network or trajectory.
constexpr double kLayerTolerance = 1e-5;
constexpr double kNetworkTolerance = 1e-4;

}  // namespace sfumato
