#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

/// The loops of fused_group_norm on the CPU, over consecutive pixels of a channels-last image. The number of channels
/// is a multiple of lanes::kWidest.
namespace sfumato::group_norm {

/// Adds x - origin and its square to the sums of each channel. x [pixels, channels]; the others [channels].
void add_moments(const float* x, std::int64_t pixels, std::int64_t channels, const float* origin, float* sums,
                 float* squares);
void add_moments(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels, const float* origin, float* sums,
                 float* squares);

/// factor x + shift for each channel [channels], then SiLU if asked for.
struct Affine {
  const float *factor, *shift;
  bool silu;
};
void apply(const float* x, std::int64_t pixels, std::int64_t channels, const Affine& affine, float* y);
void apply(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels, const Affine& affine, c10::BFloat16* y);

/// Inputs of the norm and gradients of its outputs, each [pixels, channels].
template <class T>
struct Gradients {
  const T *x, *outputs;
  std::int64_t pixels, channels;
};

/// Adds dz and dz (x - centre) to the sums of each channel, where dz is the gradient of z = factor x + shift.
void add_gradient_moments(const Gradients<float>& gradients, const Affine& affine, const float* centre, float* sums,
                          float* products);
void add_gradient_moments(const Gradients<c10::BFloat16>& gradients, const Affine& affine, const float* centre,
                          float* sums, float* products);

/// dx = factor dz + slope (x - centre) + offset for each channel.
struct GradientMap {
  Affine affine;
  const float *centre, *slope, *offset;
};
void apply_gradient(const Gradients<float>& gradients, const GradientMap& map, float* dx);
void apply_gradient(const Gradients<c10::BFloat16>& gradients, const GradientMap& map, c10::BFloat16* dx);

}  // namespace sfumato::group_norm
