#include "core/cuda.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <sstream>

namespace sfumato {
namespace {

bool is_mapped(const std::string& library) {
  std::stringstream maps;
  maps << std::ifstream("/proc/self/maps").rdbuf();
  return maps.str().find(library) != std::string::npos;
}

// In a process of its own, since another test may have asked for it.
TEST(CudaDeathTest, IsNotLoadedByAProgramThatDoesNotAskForIt) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(std::_Exit(is_mapped("libtorch_cpu.so") && !is_mapped("libtorch_cuda.so") ? 0 : 1),
              testing::ExitedWithCode(0), "");
}

TEST(Cuda, IsFoundBesideTheCpuHalf) {
  const auto library = cuda_library();
  EXPECT_TRUE(std::filesystem::exists(library.parent_path() / "libtorch_cpu.so")) << library;
}

// In a process of its own, since what is loaded stays.
TEST(CudaDeathTest, TheCudaHalfLoadsWithAllItsSymbolsResolved) {
  if (!std::filesystem::exists(cuda_library())) GTEST_SKIP() << "this LibTorch is built without CUDA";
  EXPECT_EXIT(
      {
        const bool loaded = dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr;
        if (!loaded) std::fprintf(stderr, "%s\n", dlerror());
        const bool registered = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("aten::add", "Tensor")
                                    .hasKernelForDispatchKey(c10::DispatchKey::CUDA);
        std::_Exit(loaded && registered ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sfumato
