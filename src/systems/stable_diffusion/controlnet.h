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

/// A ControlNet and its input image.
struct ControlNet {
  std::shared_ptr<ControlNetModelImpl> network;
  /// The image before preprocessing: [1, 3, H, W] in [-1, 1].
  torch::Tensor image;
};

/// Loads a request's ControlNets, in order, at the model's placement. Each is a
/// diffusers ControlNetModel folder (config.json and safetensors), a safetensors file beside such a config.json, or one
/// by itself in diffusers' names or in the original layout. The UNet's weights are added to a file that contains
/// differences from them (its key `difference`). Throws std::runtime_error naming a ControlNet or
/// image that cannot be read or does not match the model's UNet, and std::invalid_argument for an invalid
/// unit.
std::vector<ControlNet> load_controlnets(const std::vector<ControlUnit>& units, const StableDiffusion& model);

/// True if ControlNets affect only the prompt's rows (guess mode). As in diffusers, the first ControlNet decides
/// for all of them.
bool controls_prompt_alone(const Job& job);

/// Residuals that a job's ControlNets add to the UNet's features: diffusers' StableDiffusionControlNetPipeline with
/// MultiControlNetModel. Images are resized to the request's size and embedded in [0, 1].
class Control {
 public:
  /// `evaluations` is the number of evaluations in the run; each ControlNet is active in an interval of them. Throws
  /// std::invalid_argument if the job does not have one ControlNet for each unit of its request.
  Control(const Job& job, std::size_t evaluations);

  /// Sets the residuals of `input`, whose other members are set. Rows that the condition marks as uncontrolled precede
  /// the others and get none.
  void add_residuals(UNet2DConditionInput& input, const Evaluation& evaluation, const Condition& condition) const;

 private:
  struct Shown {
    std::shared_ptr<ControlNetModelImpl> network;
    torch::Tensor embedding;  ///< [1, C, h, w]
    ControlUnit unit;
  };
  bool takes_part(const ControlUnit& unit, std::size_t index) const;

  std::vector<Shown> shown_;
  std::size_t unet_text_layers_, evaluations_;
  bool guess_mode_;
};

}  // namespace sfumato
