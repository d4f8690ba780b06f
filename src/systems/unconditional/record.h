#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/write.h"
#include "systems/unconditional/chain.h"

namespace sfumato {

/// What the file of a sampled image holds: enough to sample it again.
struct SampleRecord {
  std::string model;  ///< as the user named it
  std::string device, dtype;
  ChainOptions chain;
  std::uint64_t seed = 0;
  std::optional<double> label = {};
  /// Of a grid or strip: the images in it, whose first has the seed, and what the user chose for all of them.
  std::int64_t count = 1;
  std::string classes = "";
  std::optional<std::uint64_t> interpolate = {};
  std::vector<std::int64_t> compare_steps = {};
};

/// The text chunks `parameters`, in AUTOMATIC1111's form, and `sfumato`, as JSON. `chain` is what `record.chain` was
/// resolved to.
TextChunks to_text_chunks(const SampleRecord& record, const Unconditional& model, const Chain& chain);

/// The text chunk `sfumato` of another program's image: {"program": PROGRAM, ...}.
TextChunks program_text_chunks(const std::string& program, const nlohmann::ordered_json& options);

}  // namespace sfumato
