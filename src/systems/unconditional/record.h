#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/write.h"
#include "systems/unconditional/chain.h"

namespace sfumato {

/// Record in the file of a sampled image, complete enough to sample it again.
struct SampleRecord {
  std::string model;  ///< as on the command line
  std::string device, dtype;
  ChainOptions chain;
  std::uint64_t seed = 0;
  std::optional<double> label = {};
  /// For a grid or strip: the number of its images, the first of which has the seed. The user chose the rest for all.
  std::int64_t count = 1;
  std::string classes = "";
  std::optional<std::uint64_t> interpolate = {};
  std::vector<std::int64_t> compare_steps = {};
};

/// Returns the text chunks `parameters`, in AUTOMATIC1111's form, and `sfumato`, as JSON. `chain` is the resolved
/// `record.chain`.
TextChunks to_text_chunks(const SampleRecord& record, const Unconditional& model, const Chain& chain);

/// Returns the text chunk `sfumato` of another program's image: {"program": PROGRAM, ...}.
TextChunks program_text_chunks(const std::string& program, const nlohmann::ordered_json& options);

}  // namespace sfumato
