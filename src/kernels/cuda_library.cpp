#include "kernels/cuda_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "core/own_library.h"

namespace sfumato {
namespace {

constexpr const char* kVariable = "SFUMATO_CUDA_KERNELS";
constexpr const char* kOff = "own CUDA kernels: not used, ";

/// Sets `function` to the library's symbol; false if it has none.
template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<CudaKernels> functions_of(void* library) {
  CudaKernels kernels{};
  const bool complete = find(library, "sfumato_cuda_error", kernels.error) &&
                        find(library, "sfumato_cuda_group_norm_workspace", kernels.group_norm_workspace) &&
                        find(library, "sfumato_cuda_group_norm", kernels.group_norm) &&
                        find(library, "sfumato_cuda_geglu", kernels.geglu) &&
                        find(library, "sfumato_cuda_layer_norm", kernels.layer_norm);
  return complete ? std::optional(kernels) : std::nullopt;
}

CudaKernelsOrNote load_chosen() {
  const char* chosen = std::getenv(kVariable);
  if (chosen == nullptr) return load_cuda_kernels(own_library("libsfumato_cuda_kernels.so"));
  const std::string value = chosen;
  if (value == "0") return {.kernels = std::nullopt, .note = kOff + std::string(kVariable) + " is 0"};
  auto loaded = load_cuda_kernels(value);
  if (!loaded.kernels) {
    throw std::invalid_argument(std::string(kVariable) + " is '" + value +
                                "': expected 0 or a libsfumato_cuda_kernels.so (" + loaded.note + ")");
  }
  return loaded;
}

}  // namespace

CudaKernelsOrNote load_cuda_kernels(const std::filesystem::path& library) {
  const auto unusable = [&](const std::string& why) {
    return CudaKernelsOrNote{.kernels = std::nullopt, .note = kOff + library.lexically_normal().string() + " " + why};
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(library, error)) return unusable("is missing");
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: a CUDA graph may hold its kernels
  if (handle == nullptr) return unusable(std::string("cannot be loaded: ") + dlerror());
  decltype(&sfumato_cuda_interface) interface = nullptr;
  decltype(&sfumato_cuda_probe) probe = nullptr;
  if (!find(handle, "sfumato_cuda_interface", interface) || !find(handle, "sfumato_cuda_probe", probe))
    return unusable("is another library");
  if (interface() != kSfumatoCudaInterface)
    return unusable("has interface " + std::to_string(interface()) + "; expected " +
                    std::to_string(kSfumatoCudaInterface));
  const auto kernels = functions_of(handle);
  if (!kernels) return unusable("lacks a function");
  if (const int result = probe(); result != 0)
    return unusable(std::string("does not run on this device: ") + kernels->error(result));
  return {.kernels = kernels, .note = "own CUDA kernels: " + library.lexically_normal().string()};
}

const CudaKernelsOrNote& cuda_kernels() {
  static const auto loaded = load_chosen();
  return loaded;
}

}  // namespace sfumato
