#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "diffusion/course.h"
#include "models/controlnet_model.h"
#include "pipelines/control_unit.h"

namespace sfumato {

struct StableDiffusion;
struct Request;

/// A ControlNet and the picture it is shown.
struct ControlNet {
  std::shared_ptr<ControlNetModelImpl> network;
  /// As it was read, before its preprocessing: [1, 3, H, W] in [-1, 1].
  torch::Tensor image;
};

/// A request's ControlNets for StableDiffusion::controlnets, in its order, at the model's placement. Each is a
/// diffusers ControlNetModel folder (config.json and safetensors), a safetensors file beside such a config.json, or one
/// by itself in diffusers' names or in the original layout. The UNet's weights are added to a file that holds the
/// differences from them (its key `difference`). Throws std::runtime_error that names the ControlNet or
/// picture where it cannot be read or does not fit the model's UNet, std::invalid_argument for a unit that does not
/// validate.
std::vector<ControlNet> load_controlnets(const std::vector<ControlUnit>& units, const StableDiffusion& model);

/// What the ControlNets add to the UNet's features in the course of one picture: diffusers'
/// StableDiffusionControlNetPipeline with MultiControlNetModel. Pictures are resized to the request's size and shown in
/// [0, 1].
class Control {
 public:
  /// `course` tells which of them take part at each evaluation, and must live as long. Throws std::invalid_argument
  /// where the request does not have one unit for each of the model's ControlNets.
  Control(const StableDiffusion& model, const Request& request, const Course& course);

  /// Sets the residuals of `input`, which has everything else. Its rows are with guidance first the negative
  /// prompt's, one a picture.
  void add_residuals(UNet2DConditionInput& input) const;

 private:
  struct Shown {
    std::shared_ptr<ControlNetModelImpl> network;
    torch::Tensor embedding;  ///< [1, C, h, w]
    ControlUnit unit;
  };
  bool takes_part(const ControlUnit& unit) const;

  std::vector<Shown> shown_;
  const Course& course_;
  std::int64_t count_;  // pictures
  bool guess_mode_ = false;
};

}  // namespace sfumato
