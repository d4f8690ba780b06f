#pragma once

#include "nn/circular_padding.h"
#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// While it lives, UNets, ControlNets and VAE of a model pad with the opposite edge, where the request's `tiling` asks
/// for it. The VAE is not to work in tiles meanwhile, whose edges are not the image's.
class Seamless {
 public:
  Seamless(const StableDiffusion& model, const Request& request);

 private:
  CircularPadding padding_;
};

}  // namespace sfumato
