#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "training/adamw.h"

namespace sfumato {

/// Part of a recipe that is common to all kinds. A kind's own recipe derives from it (kinds/).
struct Recipe {
  std::string kind;
  std::uint64_t seed = 0;
  std::int64_t steps = 1000;
  /// Rows of a batch, and number of batches whose gradients are averaged for one update.
  std::int64_t batch_size = 16, gradient_accumulation_steps = 1;
  AdamWOptions optimizer;
  std::int64_t warmup_steps = 100;
  double final_lr = 0.0;
  double clip_grad_norm = 1.0;
  double ema_decay = 0.999;
  /// fp32, bf16 (autocast; weights and optimizer state stay in float32) or auto (autocast.h).
  std::string precision = "fp32";
  std::int64_t log_every = 10;
  std::int64_t sample_every = 500;
  std::int64_t checkpoint_every = 500;
};

/// Keys of the common part, except "kind".
const std::vector<std::string>& common_recipe_keys();

/// Reads the common part. Throws std::invalid_argument naming a value out of range; `where` names the file.
void read_common_recipe(const Json& json, const std::string& where, Recipe& recipe);

/// A recipe's "data" for kinds that train on packed training files (data/pack.h).
struct PackRecipe {
  /// Packed files, and folders of them, which are read as one pack. Empty if `folder` is set.
  std::vector<std::filesystem::path> packs;
  /// Folder of captioned images that is packed at the start of the run; "" for none. Kinds with captions only.
  std::string folder;
  /// Side of composed images in pixels.
  std::int64_t image_size = 128;
};

/// Reads the keys "pack" or "folder", and "image_size". A kind without captions refuses "folder" as unknown before.
void read_pack_recipe(const Json& json, const std::string& where, PackRecipe& data);

/// The parts of RunIdentity::places and RunIdentity::fixed that a recipe's "data" defines.
Json pack_places(const PackRecipe& data);
Json fixed_data(const PackRecipe& data);

/// Reads a recipe's "sample" for kinds in which "count" is its only key.
std::int64_t read_sample_count(const Json& json, const std::string& where);

/// Sets the value at a dotted path ("optimizer.lr=1e-4"): JSON if it parses as such, else a string.
/// Throws std::invalid_argument if there is no '=' or the path leads through a value that is no object.
void apply_setting(Json& recipe, const std::string& setting);

}  // namespace sfumato
