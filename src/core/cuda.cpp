#include "core/cuda.h"

#include <dlfcn.h>
#include <torch/torch.h>

namespace sfumato {

std::filesystem::path cuda_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so";
}

bool cuda_is_available() {
  static const bool available = [] {
    if (dlopen("libcuda.so.1", RTLD_LAZY) == nullptr) return false;
    // Global and never closed, as if linked: its initialisers register the CUDA kernels with the dispatcher.
    if (dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) return false;
    return torch::cuda::is_available();
  }();
  return available;
}

}  // namespace sfumato
