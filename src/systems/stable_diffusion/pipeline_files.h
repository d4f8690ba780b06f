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
  /// Of a single file: folders that hold the vocabularies that its readers take for granted.
  std::vector<std::filesystem::path> tokenizers = {};
  /// Takes what the output does not say without that it changes a picture.
  std::function<void(const std::string&)> warn = {};
};

/// Writes a folder as save_pretrained does. It appears under its name when it is whole; one that is there is replaced.
/// False where a stop was requested before. Throws std::system_error where the disk refuses.
bool write_pipeline_folder(const PipelineFiles& files, const std::filesystem::path& folder,
                           const ConversionOptions& options);

/// Likewise, one file in the original layout, checked before it is written: read back, it has to make the same
/// pictures. Throws std::invalid_argument that names what the layout has no place for, as T5 or norm_num_groups of 16.
bool write_single_file(const PipelineFiles& files, const std::filesystem::path& file, const ConversionOptions& options);

}  // namespace sfumato
