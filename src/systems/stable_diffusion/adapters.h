#pragma once

#include <filesystem>
#include <vector>

#include "adapters/lora.h"
#include "core/json.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Adapters and embeddings that a user adds to a model: LoRA files and textual inversions.
struct Adapters {
  std::vector<Lora> loras{};
  std::vector<std::filesystem::path> embeddings{};

  bool empty() const { return loras.empty() && embeddings.empty(); }
  bool operator==(const Adapters&) const = default;
};

/// Merges the LoRA files into the model's networks. Adds the vectors of embeddings, including those bundled in LoRA
/// files, to its text encoders and their words to its tokenizers. Adds a warning to the model for unused parts of a
/// file. Throws std::runtime_error naming a file that does not match the model.
void add_to(StableDiffusion& model, const Adapters& adapters);

/// Adds the vectors of embeddings to the text encoders and their words to the tokenizers. Throws as add_to does.
void add_embeddings(StableDiffusion& model, const std::vector<std::filesystem::path>& embeddings);

/// Adds the embeddings that are bundled in LoRA files. Throws as add_to does.
void add_bundled_embeddings(StableDiffusion& model, const std::vector<Lora>& loras);

/// LoRA files of a model, which can change between jobs without loading the model again.
class LoraSlot {
 public:
  /// `model` must outlive it. No job may run while the files change.
  explicit LoraSlot(StableDiffusion& model);

  /// Throws std::runtime_error naming a file that does not match the model; changes nothing.
  void check(const std::vector<Lora>& loras) const;
  /// Replaces the current files and their bundled embeddings by these. An empty list restores the model to the state
  /// before the first call, bit for bit. Returns one line for each file with unused
  /// parts. Throws as check does.
  std::vector<std::string> set(const std::vector<Lora>& loras);

 private:
  void remove();

  StableDiffusion& model_;
  LoraWeights weights_;
  std::vector<Lora> loras_;
  MergedLoras merge_;
  /// Words added with the files, and for each text encoder its number of embeddings without them.
  std::vector<std::string> words_;
  std::vector<std::int64_t> embeddings_;
};

/// Parses "FILE", "FILE:WEIGHT" or "FILE:TEXT_ENCODERS:UNET" of the command line (numbers after the last colons; 1 by
/// default). Throws std::invalid_argument for a missing file name or a weight beyond kLargestLoraWeight.
Lora parse_lora(const std::string& text);

/// Writes {"loras": [{"path", "weight", "text_encoder_weight", "dyn", "partial"}], "embeddings": [path]}, without empty
/// lists and default values.
nlohmann::ordered_json to_json(const Adapters& adapters);
/// Throws std::invalid_argument for values of another type.
Adapters adapters_from_json(const Json& json);

}  // namespace sfumato
