#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "models/clip_model.h"

namespace sfumato {

/// Properties of a small random CLIP.
struct SmallClip {
  std::int64_t image_size = 8, num_channels = 3;
  Json scheduler = {};  ///< of a noised one; null without noise
};

/// Writes a CLIPModel of random weights for a tokenizer of 257 ids, the last of which ends and pads a text, up to 8 of
/// them. The tokenizer's files must be written separately.
inline void write_small_clip(const std::filesystem::path& folder, const SmallClip& clip) {
  const Json tower = {
      {"hidden_size", 16}, {"intermediate_size", 32}, {"num_hidden_layers", 2}, {"num_attention_heads", 2}};
  Json text = tower, vision = tower;
  text.update({{"vocab_size", 257}, {"max_position_embeddings", 8}, {"eos_token_id", 256}});
  vision.update({{"image_size", clip.image_size},
                 {"patch_size", 4},
                 {"num_channels", clip.num_channels},
                 {"time_embedding", !clip.scheduler.is_null()}});
  const auto config = CLIPModelConfig::from_json(
      Json{{"model_type", "clip"}, {"projection_dim", 8}, {"text_config", text}, {"vision_config", vision}});
  CLIPModel model(config);
  model->initialize(seeded_generator(4));
  const torch::NoGradGuard no_gradients;
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : model->named_parameters()) {
    if (item.key().find("time_embedding.linear_2.weight") != std::string::npos)
      item.value().normal_(0, 0.2, seeded_generator(5));
    tensors.emplace(item.key(), item.value());
  }
  save_weights(tensors, folder, {.basename = "model"});
  write_json(folder / "config.json", config.to_json());
  if (!clip.scheduler.is_null()) write_json(folder / "scheduler_config.json", clip.scheduler);
}

}  // namespace sfumato
