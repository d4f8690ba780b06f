#pragma once

#include "training/recipe.h"

namespace sfumato {

/// Throws std::invalid_argument where a recipe's networks, scheduler and pictures do not fit one another, or a config
/// has a key that its class does not know, with the nearest one. What a network's own config refuses it refuses too.
/// Reads no file: the folder of a trained autoencoder is looked at when its latents are made.
void check_networks(const Recipe& recipe);

}  // namespace sfumato
