#include "pipelines/seamless.h"

namespace sfumato {

Seamless::Seamless(const StableDiffusion& model, const Request& request) {
  if (!request.tiling) return;
  padding_.add(*model.unet);
  padding_.add(*model.vae);
  for (const auto& controlnet : model.controlnets) padding_.add(*controlnet.network);
  if (model.refiner) padding_.add(*model.refiner->unet);
}

}  // namespace sfumato
