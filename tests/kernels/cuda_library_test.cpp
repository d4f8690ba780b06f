#include "kernels/cuda_library.h"

#include <fstream>

#include "core/cuda.h"
#include "placements.h"

namespace sfumato {
namespace {

std::filesystem::path built_library() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../lib/sfumato/libsfumato_cuda_kernels.so";
}

TEST(CudaLibrary, AMissingFileIsANote) {
  const auto loaded = load_cuda_kernels("/none/libsfumato_cuda_kernels.so");
  EXPECT_FALSE(loaded.kernels);
  EXPECT_EQ(loaded.note, "own CUDA kernels: not used, /none/libsfumato_cuda_kernels.so is missing");
}

TEST(CudaLibrary, AFileThatIsNoLibraryIsANote) {
  const auto file = std::filesystem::path(testing::TempDir()) / "no_library.so";
  std::ofstream(file) << "text";
  const auto loaded = load_cuda_kernels(file);
  EXPECT_FALSE(loaded.kernels);
  EXPECT_NE(loaded.note.find("cannot be loaded"), std::string::npos) << loaded.note;
}

TEST(CudaLibrary, AnotherLibraryIsANote) {
  const auto library = cuda_library().parent_path() / "libc10.so";
  const auto loaded = load_cuda_kernels(library);
  EXPECT_FALSE(loaded.kernels);
  EXPECT_EQ(loaded.note, "own CUDA kernels: not used, " + library.string() + " is another library");
}

TEST(CudaLibrary, TheBuiltOneLoadsAndRefusesAMachineWithoutADevice) {
  if (!std::filesystem::exists(built_library())) GTEST_SKIP() << "configured without SFUMATO_CUDA_KERNELS";
  if (cuda_is_available()) GTEST_SKIP() << "there is a device";
  const auto loaded = load_cuda_kernels(built_library());
  EXPECT_FALSE(loaded.kernels);
  EXPECT_NE(loaded.note.find("does not run on this device"), std::string::npos) << loaded.note;
}

TEST(CudaLibraryDeathTest, TheVariableTurnsTheKernelsOffOrNamesAFileThatMustLoad) {
  const auto text = [](const char* value) {
    setenv("SFUMATO_CUDA_KERNELS", value, 1);
    try {
      std::fprintf(stderr, "%s\n", cuda_kernels().note.c_str());
    } catch (const std::invalid_argument& error) {
      std::fprintf(stderr, "refused: %s\n", error.what());
    }
    std::_Exit(0);
  };
  const auto ends = testing::ExitedWithCode(0);
  EXPECT_EXIT(text("0"), ends, "^own CUDA kernels: not used, SFUMATO_CUDA_KERNELS is 0");
  EXPECT_EXIT(text("/none.so"), ends, "^refused: SFUMATO_CUDA_KERNELS is '/none.so': expected 0 or a lib");
}

}  // namespace
}  // namespace sfumato
