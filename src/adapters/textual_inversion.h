#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// Vectors that take the place of a word in a prompt (Gal et al. 2022).
struct TextualInversion {
  /// Any of these stands for the vectors: the file's name without its ending, and the word that the file gives.
  std::vector<std::string> words;
  /// One a text encoder, [n, D] each in float32, all of the same n: two where the file is for Stable Diffusion XL.
  std::vector<torch::Tensor> embeddings;
};

/// Reads safetensors or a file of torch.save: `emb_params`; `clip_l` and `clip_g` (Stable Diffusion XL);
/// `string_to_param` with a `name` (AUTOMATIC1111's web UI); or one tensor, named by its word (diffusers). Throws
/// std::runtime_error naming the file where it holds something else.
TextualInversion read_textual_inversion(const std::filesystem::path& path);

/// True for a key of an embedding that a LoRA file brings along: bundle_emb.WORD.emb_params, and so on.
bool is_bundled_inversion(const std::string& key);

/// The embeddings that a LoRA file brings along, each named by its word. Throws std::runtime_error naming the file
/// where one of them is none.
std::vector<TextualInversion> read_bundled_inversions(const std::filesystem::path& path);

/// The embedding of these tensors, `word` first among its words. Throws std::invalid_argument where they are none.
TextualInversion textual_inversion_of(const std::string& word, const std::map<std::string, torch::Tensor>& tensors,
                                      const std::string& own_name = "");

}  // namespace sfumato
