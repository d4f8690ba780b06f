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

/// Parts of a Stable Diffusion checkpoint of either layout, in the form of a diffusers folder.
struct PipelineFiles {
  struct Network {
    nlohmann::ordered_json config;
    /// Named as in diffusers and transformers; views of the mapped file if possible.
    std::map<std::string, torch::Tensor> weights;
  };
  nlohmann::ordered_json index;                             ///< model_index.json
  std::map<std::string, Network> networks;                  ///< unet, vae, text_encoder, text_encoder_2
  nlohmann::ordered_json scheduler;                         ///< scheduler_config.json
  std::map<std::string, std::filesystem::path> tokenizers;  ///< folders of tokenizer and tokenizer_2
  std::vector<std::string> notes = {};                      ///< omitted parts of a folder, one line each
};

/// Reads a folder, or a single file in the original layout. A file gets the CLIP vocabularies of the first of
/// `tokenizers` that has them. Weights keep their dtype. Throws std::runtime_error naming the path.
PipelineFiles read_pipeline_files(const std::filesystem::path& path,
                                  const std::vector<std::filesystem::path>& tokenizers);

struct ConversionOptions {
  /// Dtype of floating-point tensors; by default each keeps its own.
  std::optional<torch::Dtype> dtype;
  /// Folders only: largest size of a shard in bytes; 0 writes one file for each network.
  std::int64_t max_shard_size = 0;
  /// Called before each network; true cancels the writing and leaves no files.
  std::function<bool()> stop_requested = {};
  /// Single files only: folders with the vocabularies that readers of the file assume.
  std::vector<std::filesystem::path> tokenizers = {};
  /// Receives properties that the output cannot store and that do not change an image.
  std::function<void(const std::string&)> warn = {};
};

/// Writes a folder as save_pretrained does. It gets its name when it is complete and replaces an existing folder.
/// Returns false if a stop was requested before. Throws std::system_error for an error of the disk.
bool write_pipeline_folder(const PipelineFiles& files, const std::filesystem::path& folder,
                           const ConversionOptions& options);

/// Writes one file in the original layout. Checks before writing that it produces the same images when read back.
/// Throws std::invalid_argument naming values that the layout cannot store, such as T5 or norm_num_groups of 16.
bool write_single_file(const PipelineFiles& files, const std::filesystem::path& file, const ConversionOptions& options);

}  // namespace sfumato
