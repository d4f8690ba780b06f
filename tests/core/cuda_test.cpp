#include "core/cuda.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <sstream>

#include "placements.h"

namespace sfumato {
namespace {

bool is_mapped(const std::string& library) {
  std::stringstream maps;
  maps << std::ifstream("/proc/self/maps").rdbuf();
  return maps.str().find(library) != std::string::npos;
}

// In a separate process, since another test may have loaded it.
TEST(CudaDeathTest, IsNotLoadedByAProgramThatDoesNotAskForIt) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(std::_Exit(is_mapped("libtorch_cpu.so") && !is_mapped("libtorch_cuda.so") ? 0 : 1),
              testing::ExitedWithCode(0), "");
}

TEST(Cuda, IsFoundBesideTheCpuHalf) {
  const auto library = cuda_library();
  EXPECT_TRUE(std::filesystem::exists(library.parent_path() / "libtorch_cpu.so")) << library;
}

// In a separate process, since it cannot be unloaded.
TEST(CudaDeathTest, TheCudaHalfLoadsWithAllItsSymbolsResolved) {
  if (!std::filesystem::exists(cuda_library())) GTEST_SKIP() << "this LibTorch is built without CUDA";
  EXPECT_EXIT(
      {
        const bool loaded = load_cuda_half();
        if (!loaded) std::fprintf(stderr, "%s\n", dlerror());
        const bool registered = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("aten::add", "Tensor")
                                    .hasKernelForDispatchKey(c10::DispatchKey::CUDA);
        // The tests of CUDA use this switch to detect hidden waiting.
        const bool guarded = NoSynchronisation::find_switch() != nullptr;
        std::_Exit(loaded && registered && guarded ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

bool refuses_to_load() {
  try {
    load_cuda_half();
    return false;
  } catch (const c10::Error&) {
    return true;
  }
}

// LibTorch would silently report that there is no device.
TEST(CudaDeathTest, TheCudaHalfIsNotLoadedTooLate) {
  if (!std::filesystem::exists(cuda_library())) GTEST_SKIP() << "this LibTorch is built without CUDA";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto exits_with_0 = testing::ExitedWithCode(0);
  EXPECT_EXIT(
      {
        torch::conv2d(torch::zeros({1, 1, 4, 4}), torch::zeros({1, 1, 3, 3}));
        std::_Exit(refuses_to_load() ? 0 : 1);
      },
      exits_with_0, "");
  EXPECT_EXIT(
      {
        torch::manual_seed(1);
        std::_Exit(refuses_to_load() ? 0 : 1);
      },
      exits_with_0, "");
}

TEST(Tf32, IsOffUntilItIsAskedFor) {
  const auto precision = [](at::Float32Op op) {
    return at::globalContext().float32Precision(at::Float32Backend::CUDA, op);
  };
  const auto is_off = [&](at::Float32Op op) { return precision(op) != at::Float32Precision::TF32; };
  cuda_is_available();
  EXPECT_TRUE(is_off(at::Float32Op::CONV) && is_off(at::Float32Op::MATMUL) && is_off(at::Float32Op::RNN));
  allow_tf32(true);
  EXPECT_FALSE(is_off(at::Float32Op::CONV) || is_off(at::Float32Op::MATMUL));
  allow_tf32(false);
  EXPECT_TRUE(is_off(at::Float32Op::CONV) && is_off(at::Float32Op::MATMUL));
}

}  // namespace
}  // namespace sfumato
