#include "systems/pipeline_classes.h"

#include <gtest/gtest.h>

#include <set>

namespace sfumato {
namespace {

TEST(PipelineClasses, StandOnceAndXlByItsName) {
  std::set<std::string> names;
  for (const auto& row : pipeline_classes()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.is_xl, row.name.starts_with("StableDiffusionXL")) << row.name;
    EXPECT_EQ(find_pipeline_class(row.name), &row);
  }
  for (const auto* other : {"StableDiffusion3Pipeline", "FluxPipeline", "StableDiffusionUpscalePipeline", ""})
    EXPECT_EQ(find_pipeline_class(other), nullptr) << other;
  EXPECT_TRUE(programs_and_classes().ends_with(
      "; txt2img and inpaint run GLIDEPipeline; sample runs DDPMPipeline, DDIMPipeline, LDMPipeline"));
}

TEST(PipelineClasses, NameTheSystemOfEach) {
  EXPECT_EQ(find_pipeline_class("StableDiffusionXLPipeline")->system, System::stable_diffusion);
  for (const auto* name : {"DDPMPipeline", "DDIMPipeline", "LDMPipeline"})
    EXPECT_EQ(find_pipeline_class(name)->system, System::unconditional) << name;
  EXPECT_EQ(find_pipeline_class("GLIDEPipeline")->system, System::glide);
}

}  // namespace
}  // namespace sfumato
