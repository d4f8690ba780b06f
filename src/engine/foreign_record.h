#pragma once

#include <optional>
#include <string>
#include <vector>

#include "images/png.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Settings of an image made by another program, as far as a request can represent them.
struct ForeignRecord {
  /// Name of the program.
  std::string program{};
  /// LoRAs are tags in the prompt. Paths of images are empty, because other programs do not record them.
  Request request{};
  /// Name of the model in that program; "" for none.
  std::string model{};
  /// Settings that are not supported, one a line.
  std::vector<std::string> notes{};
};

/// Reads the record of AUTOMATIC1111's web UI, Forge, ComfyUI, InvokeAI, Fooocus or NovelAI in the texts of an image;
/// nothing if there is no such record. Throws std::runtime_error if it is damaged or leads to no prompt.
std::optional<ForeignRecord> read_foreign_record(const TextChunks& texts);

}  // namespace sfumato
