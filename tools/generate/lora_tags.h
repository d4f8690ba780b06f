#pragma once

#include <filesystem>

#include "generate/options.h"

namespace sfumato {

/// Removes <lora:NAME:WEIGHT>, <lora:NAME:TEXT_ENCODERS:UNET:DYN> and the like (tokenizer/prompt_parts.h) from the
/// prompts, as AUTOMATIC1111's web UI does, and adds NAME.safetensors (or .pt, .ckpt, .bin) of `folder` or a folder
/// below it to the model. Other tags <KIND:...> are removed, too, with a warning. Prompts in plain syntax and tags in a
/// comment are left unchanged. Throws std::invalid_argument for a name with no file there or with several, and
/// for prompts with different tags: the LoRAs are merged into one model that is shared by all prompts.
void take_lora_tags(GenerateOptions& options, const std::filesystem::path& folder);

}  // namespace sfumato
