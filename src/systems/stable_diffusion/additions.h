#pragma once

#include <filesystem>
#include <vector>

#include "adapters/lora.h"
#include "core/json.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// What a user adds to a model: LoRA files, and embeddings (textual inversions).
struct Additions {
  std::vector<Lora> loras{};
  std::vector<std::filesystem::path> embeddings{};

  bool empty() const { return loras.empty() && embeddings.empty(); }
};

/// Merges the LoRA files into the model's networks, and adds the vectors of embeddings, also of those that LoRA files
/// bring along, to its text encoders and their words to its tokenizers. What is left out of a file is added to the
/// model's warnings. Throws std::runtime_error naming the file that does not fit the model.
void add_to(StableDiffusion& model, const Additions& additions);

/// "FILE", "FILE:WEIGHT" or "FILE:TEXT_ENCODERS:UNET" (numbers after the last colons; none is 1) as the command line
/// has it. Throws std::invalid_argument where no file is named or a weight is not finite.
Lora parse_lora(const std::string& text);

/// {"loras": [{"path", "weight", "text_encoder_weight", "dyn", "partial"}], "embeddings": [path]}: lists that are
/// empty, and what has its default, are left out.
nlohmann::ordered_json to_json(const Additions& additions);
/// Throws std::invalid_argument for values of another type.
Additions additions_from_json(const Json& json);

}  // namespace sfumato
