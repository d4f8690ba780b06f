#include "core/cuda.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <utility>

namespace sfumato {
namespace {

void set_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuDNN(allowed);
  at::globalContext().setAllowTF32CuBLAS(allowed);
}

}  // namespace

std::filesystem::path cuda_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so";
}

bool load_cuda_half() {
  // Global and never closed, as if linked: its initialisers register the CUDA kernels with the dispatcher.
  if (dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) return false;
  // LibTorch looks for the CUDA half's registrations once, at its first convolution (also on the CPU). If that came
  // before loading, it reports no CUDA from then on.
  TORCH_CHECK(at::detail::getCUDAHooks().hasCUDART(),
              "LibTorch has looked for CUDA before it was loaded, as a convolution or torch::manual_seed makes it do: "
              "call cuda_is_available() (parse_device) before the first of these");
  return true;
}

bool cuda_is_available() {
  static const bool available = [] {
    set_tf32(false);
    return dlopen("libcuda.so.1", RTLD_LAZY) != nullptr && load_cuda_half() && torch::cuda::is_available();
  }();
  return available;
}

void allow_tf32(bool allowed) {
  cuda_is_available();  // turns it off at the first call
  set_tf32(allowed);
}

torch::Tensor to_device(const torch::Tensor& tensor, torch::Device device) {
  if (!device.is_cuda() || !tensor.is_cpu()) return tensor.to(device);
  return tensor.pin_memory().to(device, tensor.scalar_type(), /*non_blocking=*/true);
}

void StepPacer::step_queued() {
  if (device_.is_cpu() || device_.is_meta()) return;
  const auto before = std::exchange(newest_, std::nullopt);
  newest_.emplace(device_.type());
  newest_->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  if (before) before->synchronize();
}

}  // namespace sfumato
