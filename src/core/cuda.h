#pragma once

#include <c10/core/Event.h>
#include <torch/torch.h>

#include <filesystem>
#include <optional>

namespace sfumato {

/// True if this machine has a CUDA device that LibTorch can compute on. The programs are linked with the CPU half of
/// LibTorch only. The CUDA half costs 250 MB and 0.2 s at every start, so the first call of this function loads it, and
/// only if there is a driver. TF32 is off from then on. Must be called before anything is computed: throws as
/// load_cuda_half does.
bool cuda_is_available();

/// Path of the CUDA half, libtorch_cuda, beside the CPU half in use. A CPU build of LibTorch has no such file.
std::filesystem::path cuda_library();

/// Loads the CUDA half, with or without a driver; returns false if there is no CUDA half. Throws c10::Error if LibTorch
/// has already run a convolution or seeded all generators: it then ignores the CUDA half.
bool load_cuda_half();

/// Allows float32 matrix products and convolutions on CUDA to round their factors to the 10 bits of TF32, which is
/// several times as fast. LibTorch's default rounds those of convolutions.
void allow_tf32(bool allowed);

/// Copies a tensor to `device`. A copy to CUDA goes through pinned memory, so that the host does not wait for the
/// device's queued work, as it does for a plain copy.
torch::Tensor to_device(const torch::Tensor& tensor, torch::Device device);

/// Keeps the host at most a step ahead of a device. Work on a device is only queued: without a pacer, a loop would
/// report its last step while the device computes the first. Has no effect on the CPU and on `meta`, which computes
/// nothing.
class StepPacer {
 public:
  explicit StepPacer(torch::Device device) : device_(device) {}

  /// Waits for the step before the one just queued on the device's current stream, never for that one. So the device
  /// always has work, and reports of a step, or a stop of the loop, are at most two steps late.
  void step_queued();

 private:
  torch::Device device_;
  std::optional<c10::Event> newest_;
};

}  // namespace sfumato
