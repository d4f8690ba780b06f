#pragma once

#include "adapters/lora.h"
#include "models/unet_2d_condition_model.h"

namespace sfumato {

/// Adds a UNet's layers, weights and biases, under the names that LoRA files use: kohya's `lora_unet_` and the module
/// with underscores, in diffusers' layout or in the original one (as for SDXL), LyCORIS' `lycoris_` likewise, ComfyUI's
/// `diffusion_model.` and the module, and diffusers' `unet.` (or nothing) and the module, or the name in an attention
/// processor (`attn1.processor.to_q`).
void add_lora_weights(UNet2DConditionModelImpl& unet, LoraWeights& weights);

/// Adds those of the pipeline's text encoder `number` 1 or 2: kohya's `lora_te_`, `lora_te1_` or `lora_te2_`,
/// diffusers' `text_encoder.` or `text_encoder_2.`, and for the first also LyCORIS' `lycoris_`; with `text_model`,
/// which the module's own names may lack.
void add_lora_weights(const torch::nn::Module& text_encoder, int number, LoraWeights& weights);

}  // namespace sfumato
