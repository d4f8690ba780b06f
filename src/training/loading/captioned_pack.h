#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "data/pack.h"
#include "training/kinds.h"
#include "training/recipe.h"

// Parts that the kinds of training on a pack's captioned images share.

namespace sfumato {

/// Opens the packs of a recipe. A folder of captioned images is packed first, with the folder `tokenizer`, to
/// pack.safetensors of the run's folder; a resumed run reads that file. Throws std::runtime_error in a build that
/// cannot pack.
Pack open_pack(const PackRecipe& data, const std::string& tokenizer, const TaskContext& context);

/// Throws std::invalid_argument if `vocab_size`, at `where` in the recipe, does not exceed the pack's token ids.
void check_vocab_size(const Pack& pack, std::int64_t vocab_size, const std::string& where);

/// Throws std::invalid_argument if `max_position_embeddings`, at `where` in the recipe, is not the length of the pack's
/// captions.
void check_positions(const Pack& pack, std::int64_t max_position_embeddings, const std::string& where);

/// Throws std::invalid_argument if the recipe's `image_size` is not the side of the pack's images.
void check_image_size(const Pack& pack, std::int64_t image_size);

/// Returns images of the pack [N, 3, H, W], or rows of their `latents` [M, C, h, w] if these are defined: float32 on
/// the device, channels-last.
torch::Tensor x0_of(Pack& pack, const torch::Tensor& latents, const torch::Tensor& indices, torch::Device device);

/// Returns the indices of the last held-out images, at most `most`. If fewer than `fewest` are held out, the last
/// `fewest` of all images are used.
torch::Tensor last_indices(const Pack& pack, std::int64_t most, std::int64_t fewest);

}  // namespace sfumato
