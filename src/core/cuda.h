#pragma once

#include <c10/core/Event.h>
#include <torch/torch.h>

#include <filesystem>
#include <optional>

namespace sfumato {

/// Whether this machine has a CUDA device that LibTorch can compute on. The programs are linked with the CPU half of
/// LibTorch alone: the CUDA half holds 250 MB and 0.2 s of every start, so that it is loaded by the first call of this,
/// and only where there is a driver. TF32 is off from then on. To be asked before anything is computed: throws as
/// load_cuda_half does.
bool cuda_is_available();

/// The CUDA half, libtorch_cuda, beside the CPU half in use; without a CUDA build of LibTorch there is no such file.
std::filesystem::path cuda_library();

/// Loads the CUDA half, driver or not; false where there is none. Throws c10::Error where LibTorch has convolved, or
/// seeded all generators, before: it then takes no notice of what is loaded.
bool load_cuda_half();

/// Whether matrix products and convolutions of float32 on CUDA may round their factors to the 10 bits of TF32, which is
/// several times as fast. LibTorch by itself rounds those of convolutions.
void allow_tf32(bool allowed);

/// A tensor on `device`. To CUDA it goes through pinned memory, so that the host does not wait until the device has
/// done all that is queued, as it does for a plain copy.
torch::Tensor to_device(const torch::Tensor& tensor, torch::Device device);

/// Keeps the host no more than a step ahead of a device: work is queued, not waited for, so that a loop left to itself
/// would tell of its last step while the device computes the first. On the CPU, and on `meta`, which computes nothing,
/// it does nothing.
class StepPacer {
 public:
  explicit StepPacer(torch::Device device) : device_(device) {}

  /// After a step has been queued on the device's current stream: waits for the step before it, never for this one. The
  /// device so always has work, and whoever is told of a step then, or ends the loop, is at most two steps late.
  void step_queued();

 private:
  torch::Device device_;
  std::optional<c10::Event> newest_;
};

}  // namespace sfumato
