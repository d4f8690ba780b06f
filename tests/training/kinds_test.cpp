#include "training/kinds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sfumato {
namespace {

TEST(TrainingKinds, HaveNamesOfTheirOwnAndNoKeyOfTheCommonPart) {
  std::set<std::string> names;
  for (const auto& kind : training_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    for (const auto& key : kind.keys) {
      const auto& common = common_recipe_keys();
      EXPECT_EQ(std::count(common.begin(), common.end(), key), 0) << kind.name << ": " << key;
    }
  }
}

TEST(TrainingKinds, AnUnknownOneIsRefusedWithTheNamesOfAll) {
  std::string message;
  try {
    parse_job({{"kind", "gan"}}, "r.json");
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  EXPECT_TRUE(message.starts_with("r.json: 'kind' is 'gan'; expected one of 'vae', 'text_to_image'")) << message;
}

TEST(TrainableSet, OwnsForTheOptimizerOnlyWhatRequiresGradients) {
  const auto trained = torch::zeros({2}).requires_grad_(true), frozen = torch::zeros({3});
  const auto set = trainable_set({{"a", trained}, {"b", frozen}});
  ASSERT_EQ(set.optimized.size(), 1U);
  EXPECT_EQ(set.optimized[0].first, "a");
  EXPECT_EQ(set.checkpointed.size(), 2U);
  EXPECT_EQ(set.averaged.size(), 2U);
}

}  // namespace
}  // namespace sfumato
