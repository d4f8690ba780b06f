#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/cuda.h"
#include "core/placement.h"

// For tests of what is to be the same on every device and, but for rounding, in every dtype: float32 on the CPU is the
// standard.

namespace sfumato {

/// A test whose parameter is the placement under test; skipped where there is no such device.
class OnPlacement : public testing::TestWithParam<Placement> {
 protected:
  void SetUp() override {
    if (GetParam().device.is_cuda() && !cuda_is_available()) GTEST_SKIP() << "no CUDA device";
  }
};

/// As OnPlacement, of what only CUDA can show.
class OnCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_is_available()) GTEST_SKIP() << "no CUDA device";
  }
  torch::Device device_{torch::kCUDA, 0};
};

inline std::vector<Placement> cuda_placements() {
  // GoogleTest asks for the parameters before it runs a test: a test of the CPU may convolve, and CUDA be too late
  // then.
  cuda_is_available();
  const torch::Device device(torch::kCUDA, 0);
  return {{device, torch::kFloat32}, {device, torch::kBFloat16}, {device, torch::kFloat16}};
}

/// Those and half precision on the CPU, by which the tests and their tolerances are tried where there is no other
/// device.
inline std::vector<Placement> placements() {
  auto all = cuda_placements();
  for (const auto dtype : {torch::kBFloat16, torch::kFloat16}) all.push_back({torch::kCPU, dtype});
  return all;
}

inline std::string placement_name(const testing::TestParamInfo<Placement>& info) {
  return std::string(info.param.device.is_cuda() ? "cuda" : "cpu") + "_" + dtype_name(info.param.dtype);
}

/// The largest relative error of rounding to a dtype, u.
inline double roundoff(torch::Dtype dtype) {
  if (dtype == torch::kFloat32) return 0x1p-24;
  return dtype == torch::kFloat16 ? 0x1p-11 : 0x1p-8;
}

/// The relative error (relative_error) that `layers` layers one behind the other may make. Each rounds its weights and
/// its result, in the root mean square by u / sqrt(3), and independent errors add in squares: sqrt(2 layers / 3) u. In
/// float32 it is the sums that count, a hundred terms and more in an order of the device's own, which round about
/// sqrt(100) times as much; TF32, whose u is 2^-11, would be seen. Layers after it magnify or damp an error: twice that
/// is allowed.
inline double tolerance(torch::Dtype dtype, double layers) {
  const double rounds = dtype == torch::kFloat32 ? 10 : 1;
  return 2 * rounds * roundoff(dtype) * std::sqrt(2 * layers / 3);
}

/// The root mean square of what `actual` differs by, to that of what is expected; not finite where a value is not.
inline double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  TORCH_CHECK(actual.sizes() == expected.sizes(), actual.sizes(), " against ", expected.sizes());
  const auto difference = actual.to(torch::kCPU, torch::kFloat64) - expected.to(torch::kFloat64);
  return (difference.norm() / expected.to(torch::kFloat64).norm()).item<double>();
}

/// While it lives, whatever in LibTorch makes the host wait for the CUDA device throws: what Python knows as
/// torch.cuda.set_sync_debug_mode("error"). The switch is a variable of the CUDA half (c10::cuda::warning_state()), to
/// which the tests are not linked, and so looked up by its name.
class NoSynchronisation {
 public:
  NoSynchronisation() : mode_(find_switch()) {
    constexpr int kError = 2;  // SyncDebugMode::L_ERROR
    TORCH_CHECK(mode_ != nullptr, "this LibTorch has no switch against synchronisation");
    *mode_ = kError;
  }
  ~NoSynchronisation() { *mode_ = 0; }
  NoSynchronisation(const NoSynchronisation&) = delete;
  NoSynchronisation& operator=(const NoSynchronisation&) = delete;

  /// Null where the CUDA half is not loaded.
  static int* find_switch() {
    return static_cast<int*>(dlsym(RTLD_DEFAULT, "_ZZN3c104cuda13warning_stateEvE14warning_state_"));
  }

 private:
  int* mode_;
};

}  // namespace sfumato
