#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/schedule.h"
#include "models/clip_model.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// Preparation of images for CLIP: the keys of transformers' CLIPImageProcessor, with its defaults.
struct CLIPImageProcessor {
  std::vector<double> image_mean = {0.48145466, 0.4578275, 0.40821073};
  std::vector<double> image_std = {0.26862954, 0.26130258, 0.27577711};
  bool bicubic = true;  ///< resample 3; else 2, bilinear
};

/// A CLIPModel with its tokenizer. Immutable once loaded; its parameters need no gradients.
struct CLIP {
  std::shared_ptr<CLIPModelImpl> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<Schedule> schedule;  ///< of a noised one; empty without noise
  CLIPImageProcessor image_processor;
  torch::Device device = torch::kCPU;
  std::string name;  ///< for messages

  /// Returns the features of a text at unit length, [1, D].
  torch::Tensor encode_text(const std::string& text) const;
  /// Returns the features of images [N, 3, H, W] in [-1, 1] at unit length, [N, D]; of a noised model at timestep 0.
  /// Throws std::invalid_argument for a model of latents.
  torch::Tensor encode_images(const torch::Tensor& images) const;
  /// Returns the images [N, 3, H, W] in [-1, 1] at the model's size, normalised, differentiable: the shorter side is
  /// resized with antialiasing, and the centre is cut out.
  torch::Tensor prepare(const torch::Tensor& images) const;
};

/// True if the CLIPModel of a folder is noised: its config has a time embedding. Reads config.json alone. False for a
/// folder without that file.
bool is_noised_clip(const std::filesystem::path& folder);

/// Loads a folder of transformers' CLIPModel: config.json, weights, the tokenizer's files (also in its subfolder
/// tokenizer) and preprocessor_config.json; a noised one (docs/glide.md) has a scheduler_config.json. Computes in
/// float32. Throws std::runtime_error naming the folder if it holds no CLIPModel or a part is missing or damaged.
std::shared_ptr<const CLIP> load_clip(const std::filesystem::path& folder, torch::Device device);

}  // namespace sfumato
