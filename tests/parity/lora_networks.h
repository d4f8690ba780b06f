#pragma once

#include <map>
#include <memory>
#include <string>

#include "adapters/lora_names.h"
#include "checkpoints/load.h"
#include "models/clip_text_model.h"
#include "parity/compare.h"

namespace sfumato {

/// The networks of a small pipeline, sd1 or sdxl, as lora_reference.py makes them, and what LoRAs may change of them.
struct LoraNetworks {
  explicit LoraNetworks(const std::string& kind)
      : unet(from_pretrained<UNet2DConditionModelImpl>(parity_folder() / kind / "unet", {})),
        text_encoder(from_pretrained<CLIPTextModelImpl>(parity_folder() / kind / "text_encoder", {})) {
    add_lora_weights(*unet, weights);
    add_lora_weights(*text_encoder, 1, weights);
    if (kind != "sdxl") return;
    const auto folder = parity_folder() / kind / "text_encoder_2";
    text_encoder_2 = from_pretrained<CLIPTextModelWithProjectionImpl>(folder, {});
    add_lora_weights(*text_encoder_2, 2, weights);
  }

  std::shared_ptr<UNet2DConditionModelImpl> unet;
  std::shared_ptr<CLIPTextModelImpl> text_encoder;
  /// Of sdxl alone.
  std::shared_ptr<CLIPTextModelWithProjectionImpl> text_encoder_2;
  LoraWeights weights;
};

}  // namespace sfumato
