#pragma once

#include <torch/torch.h>

#include <filesystem>
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

}  // namespace sfumato
