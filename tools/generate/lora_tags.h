#pragma once

#include <filesystem>

#include "generate/options.h"

namespace sfumato {

/// Takes <lora:NAME:WEIGHT>, <lora:NAME:TEXT_ENCODERS:UNET:DYN> and the like (tokenizer/prompt_parts.h) out of the
/// prompts, as AUTOMATIC1111's web UI does, and adds NAME.safetensors (or .pt, .ckpt, .bin) of `folder` or a folder
/// below it to the model. Other tags <KIND:...> are taken out, too, with a warning; prompts in plain syntax are left
/// alone, and so are tags in a comment. Throws std::invalid_argument for a name that has no file there or several, and
/// where prompts have different tags: they are merged into the one model that all are made with.
void take_lora_tags(GenerateOptions& options, const std::filesystem::path& folder);

}  // namespace sfumato
