#pragma once

#include "training/recipe.h"

namespace sfumato {

/// Recipe of kind classifier: an ImageClassifier on the composed scenes of a pack.
struct ClassifierRecipe : Recipe {
  PackRecipe data;
  /// The ImageClassifier's config, without labels.
  Json classifier = Json::object();
  /// Number of images in a sample grid.
  std::int64_t sample_count = 16;
};

/// Reads the kind's recipe. Throws std::invalid_argument that names the key.
ClassifierRecipe parse_classifier_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument if the config has an unknown key or value.
void check_classifier_recipe(const ClassifierRecipe& recipe);

}  // namespace sfumato
