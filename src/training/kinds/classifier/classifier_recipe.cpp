#include "training/kinds/classifier/classifier_recipe.h"

#include "models/image_classifier.h"
#include "training/recipe_values.h"

namespace sfumato {

ClassifierRecipe parse_classifier_recipe(const Json& json, const std::string& where) {
  ClassifierRecipe recipe;
  read_common_recipe(json, where, recipe);
  const auto data = object_at(json, "data");
  refuse_unknown_keys(data, {"pack", "image_size"}, where + ": data");
  read_pack_recipe(data, where + ": data", recipe.data);
  recipe.classifier = object_at(json, "classifier");
  expect(recipe.classifier.is_object(), where, "'classifier' must be a config", recipe.classifier);
  recipe.sample_count = read_sample_count(object_at(json, "sample"), where + ": sample");
  return recipe;
}

void check_classifier_recipe(const ClassifierRecipe& recipe) {
  require_size(recipe.classifier, "block_out_channels", "classifier");
  refuse_other_keys(recipe.classifier, ImageClassifierConfig::from_json(recipe.classifier).to_json(), {}, "classifier");
}

}  // namespace sfumato
