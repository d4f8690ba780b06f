#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// A Stable Diffusion checkpoint taken apart, whichever layout it came in: what a diffusers folder holds.
struct PipelineFiles {
  struct Network {
    nlohmann::ordered_json config;
    /// By their names in diffusers and transformers; views of the mapped file where there are no others.
    std::map<std::string, torch::Tensor> weights;
  };
  nlohmann::ordered_json index;                             ///< model_index.json
  std::map<std::string, Network> networks;                  ///< unet, vae, text_encoder, text_encoder_2
  nlohmann::ordered_json scheduler;                         ///< scheduler_config.json
  std::map<std::string, std::filesystem::path> tokenizers;  ///< folders of tokenizer and tokenizer_2
  std::vector<std::string> notes = {};                      ///< what was left out of a folder, one line each
};

/// Reads a folder, or a single file in the original layout, to which the CLIP vocabularies of the first of `tokenizers`
/// that has them are given. Weights keep their dtype. Throws std::runtime_error naming the path.
PipelineFiles read_pipeline_files(const std::filesystem::path& path,
                                  const std::vector<std::filesystem::path>& tokenizers);

struct ConversionOptions {
  /// Of floating-point tensors; without one each keeps its own.
  std::optional<torch::Dtype> dtype;
  /// Of a folder: shards are cut before they exceed this many bytes; 0 writes one file a network.
  std::int64_t max_shard_size = 0;
  /// Asked before each network: true ends the writing, which then leaves nothing.
  std::function<bool()> stop_requested = {};
};

/// Writes a folder as save_pretrained does. It appears under its name when it is whole; one that is there is replaced.
/// False where a stop was requested before. Throws std::system_error where the disk refuses.
bool write_pipeline_folder(const PipelineFiles& files, const std::filesystem::path& folder,
                           const ConversionOptions& options);

/// Likewise, one file in the original layout. Throws std::invalid_argument where that has no place for a part, as for
/// T5.
bool write_single_file(const PipelineFiles& files, const std::filesystem::path& file, const ConversionOptions& options);

}  // namespace sfumato
