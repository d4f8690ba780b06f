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
  bool operator==(const Additions&) const = default;
};

/// Merges the LoRA files into the model's networks, and adds the vectors of embeddings, also of those that LoRA files
/// bring along, to its text encoders and their words to its tokenizers. What is left out of a file is added to the
/// model's warnings. Throws std::runtime_error naming the file that does not fit the model.
void add_to(StableDiffusion& model, const Additions& additions);

/// Adds the vectors of embeddings to the text encoders and their words to the tokenizers. Throws as add_to does.
void add_embeddings(StableDiffusion& model, const std::vector<std::filesystem::path>& embeddings);

/// Adds the embeddings that LoRA files bring along. Throws as add_to does.
void add_bundled_embeddings(StableDiffusion& model, const std::vector<Lora>& loras);

/// The LoRA files of a model, which change from job to job without loading the model again.
class LoraSlot {
 public:
  /// `model` must outlive it, and no job may run while the files change.
  explicit LoraSlot(StableDiffusion& model);

  /// Throws std::runtime_error naming a file that does not fit the model, and changes nothing.
  void check(const std::vector<Lora>& loras) const;
  /// Merges these files, and adds the embeddings that they bring along, in place of those that are there now. With an
  /// empty list the model is as it was before the first, to the bit. What is left out of a file is returned, one line
  /// a file. Throws as check does.
  std::vector<std::string> set(const std::vector<Lora>& loras);

 private:
  void remove();

  StableDiffusion& model_;
  LoraWeights weights_;
  std::vector<Lora> loras_;
  MergedLoras merge_;
  /// Words that came with the files, and for each text encoder its number of embeddings without them.
  std::vector<std::string> words_;
  std::vector<std::int64_t> embeddings_;
};

/// "FILE", "FILE:WEIGHT" or "FILE:TEXT_ENCODERS:UNET" (numbers after the last colons; none is 1) as the command line
/// has it. Throws std::invalid_argument where no file is named or a weight is not finite.
Lora parse_lora(const std::string& text);

/// {"loras": [{"path", "weight", "text_encoder_weight", "dyn", "partial"}], "embeddings": [path]}: lists that are
/// empty, and what has its default, are left out.
nlohmann::ordered_json to_json(const Additions& additions);
/// Throws std::invalid_argument for values of another type.
Additions additions_from_json(const Json& json);

}  // namespace sfumato
