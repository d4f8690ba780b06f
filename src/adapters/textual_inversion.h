#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// Vectors that replace a word in a prompt (Gal et al. 2022).
struct TextualInversion {
  /// Words that the vectors replace: the file's name without its extension, and the word stored in the file.
  std::vector<std::string> words;
  /// One for each text encoder, [n, D] in float32, all of the same n: two if the file is for Stable Diffusion XL.
  std::vector<torch::Tensor> embeddings;
};

/// Reads safetensors or a file of torch.save: `emb_params`; `clip_l` and `clip_g` (Stable Diffusion XL);
/// `string_to_param` with a `name` (AUTOMATIC1111's web UI); or one tensor, named by its word (diffusers). Throws
/// std::runtime_error naming the file if it holds anything else.
TextualInversion read_textual_inversion(const std::filesystem::path& path);

/// True for a key of an embedding bundled with a LoRA file: bundle_emb.WORD.emb_params, and so on.
bool is_bundled_inversion(const std::string& key);

/// Reads the embeddings bundled with a LoRA file, each named by its word. Throws std::runtime_error naming the file
/// for an invalid one.
std::vector<TextualInversion> read_bundled_inversions(const std::filesystem::path& path);

/// Builds the embedding of these tensors; its first word is `word`. Throws std::invalid_argument if they hold none.
TextualInversion textual_inversion_of(const std::string& word, const std::map<std::string, torch::Tensor>& tensors,
                                      const std::string& own_name = "");

}  // namespace sfumato
