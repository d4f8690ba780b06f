#pragma once

#include <optional>
#include <string>
#include <vector>

#include "images/png.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// How an image was made by another program, as far as a request here can hold it.
struct ForeignRecord {
  /// Its name.
  std::string program{};
  /// LoRAs stand in the prompt as tags. Its paths are empty: other programs do not record where an image lies.
  Request request{};
  /// As that program names it; "" for none.
  std::string model{};
  /// What could not be taken over, one a line.
  std::vector<std::string> notes{};
};

/// The record that AUTOMATIC1111's web UI, Forge, ComfyUI, InvokeAI, Fooocus or NovelAI left in the texts of an image;
/// nothing where there is none of theirs. Throws std::runtime_error for one that is damaged or that leads to no prompt.
std::optional<ForeignRecord> read_foreign_record(const TextChunks& texts);

}  // namespace sfumato
