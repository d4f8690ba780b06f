#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "diffusion/condition.h"
#include "models/controlnet_model.h"
#include "systems/stable_diffusion/control_unit.h"

namespace sfumato {

struct Job;
struct StableDiffusion;

/// A ControlNet and the picture it is shown.
struct ControlNet {
  std::shared_ptr<ControlNetModelImpl> network;
  /// As it was read, before its preprocessing: [1, 3, H, W] in [-1, 1].
  torch::Tensor image;
};

/// Loads a request's ControlNets, in its order, at the model's placement. Each is a
/// diffusers ControlNetModel folder (config.json and safetensors), a safetensors file beside such a config.json, or one
/// by itself in diffusers' names or in the original layout. The UNet's weights are added to a file that holds the
/// differences from them (its key `difference`). Throws std::runtime_error that names the ControlNet or
/// picture where it cannot be read or does not fit the model's UNet, std::invalid_argument for a unit that does not
/// validate.
std::vector<ControlNet> load_controlnets(const std::vector<ControlUnit>& units, const StableDiffusion& model);

/// True where ControlNets act on the prompt's rows alone (guess mode). As in diffusers, the first ControlNet decides
/// for all.
bool controls_prompt_alone(const Job& job);

/// Residuals that a job's ControlNets add to the UNet's features: diffusers' StableDiffusionControlNetPipeline with
/// MultiControlNetModel. Images are resized to the request's size and embedded in [0, 1].
class Control {
 public:
  /// `evaluations` is their number in the run, of which each ControlNet takes part in an interval. Throws
  /// std::invalid_argument where the job does not have one ControlNet for each unit of its request.
  Control(const Job& job, std::size_t evaluations);

  /// Sets the residuals of `input`, which has everything else. Rows that the condition marks as uncontrolled come first
  /// and get none.
  void add_residuals(UNet2DConditionInput& input, const Evaluation& evaluation, const Condition& condition) const;

 private:
  struct Shown {
    std::shared_ptr<ControlNetModelImpl> network;
    torch::Tensor embedding;  ///< [1, C, h, w]
    ControlUnit unit;
  };
  bool takes_part(const ControlUnit& unit, std::size_t index) const;

  std::vector<Shown> shown_;
  std::size_t evaluations_;
  bool guess_mode_;
};

}  // namespace sfumato
