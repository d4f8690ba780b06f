#include "core/cuda_noise.h"

#include <ATen/core/PhiloxRNGEngine.h>

#include <cmath>
#include <numbers>

namespace sfumato {
namespace {

/// Middle of the `n`-th of 2^32 parts of (0, 1), as curand computes it in float32: near 1 the rounding matters.
float unit(std::uint32_t n) {
  constexpr float kPart = 0x1p-32F;
  return static_cast<float>(n) * kPart + kPart / 2;
}

/// The same for the interval (0, 2 pi).
float angle(std::uint32_t n) {
  constexpr float kPart = 0x1p-32F * 2 * std::numbers::pi_v<float>;
  return static_cast<float>(n) * kPart + kPart / 2;
}

}  // namespace

torch::Tensor CudaNoise::draw(at::IntArrayRef shape) {
  auto noise = torch::empty(shape, torch::kFloat32);
  auto* values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) {
    at::Philox4_32 engine(seed_, static_cast<std::uint64_t>(i), draws_);
    const float radius = std::sqrt(-2 * std::log(unit(engine())));
    values[i] = radius * std::sin(angle(engine()));
  }
  ++draws_;
  return noise;
}

}  // namespace sfumato
