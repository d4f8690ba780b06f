#include "systems/pipeline_classes.h"

#include <algorithm>
#include <map>

namespace sfumato {
namespace {

constexpr const char* kControlNet = "its ControlNet works where --control names the folder controlnet in it";
constexpr const char* kPag = "its perturbed-attention guidance works with --pag-scale (3 there)";
constexpr const char* kPagControlNet =
    "its ControlNet works where --control names the folder controlnet in it, its guidance with --pag-scale (3 there)";
constexpr const char* kSag = "its self-attention guidance works with --sag-scale (0.75 there)";
constexpr const char* kPlain = "it runs as a plain pipeline: what this class adds is not supported";

}  // namespace

const std::vector<PipelineClass>& pipeline_classes() {
  static const std::vector<PipelineClass> classes = {
      {"StableDiffusionPipeline"},
      {"StableDiffusionImg2ImgPipeline"},
      {"StableDiffusionInpaintPipeline"},
      {"StableDiffusionInpaintPipelineLegacy"},
      {"StableDiffusionInstructPix2PixPipeline"},
      {"LatentConsistencyModelPipeline"},
      {"LatentConsistencyModelImg2ImgPipeline"},
      {"StableDiffusionControlNetPipeline", false, kControlNet},
      {"StableDiffusionControlNetImg2ImgPipeline", false, kControlNet},
      {"StableDiffusionControlNetInpaintPipeline", false, kControlNet},
      {"StableDiffusionPAGPipeline", false, kPag},
      {"StableDiffusionPAGImg2ImgPipeline", false, kPag},
      {"StableDiffusionPAGInpaintPipeline", false, kPag},
      {"StableDiffusionControlNetPAGPipeline", false, kPagControlNet},
      {"StableDiffusionControlNetPAGInpaintPipeline", false, kPagControlNet},
      {"StableDiffusionSAGPipeline", false, kSag},
      {"StableDiffusionKDiffusionPipeline"},
      {"StableDiffusionAdapterPipeline", false, kPlain},
      {"StableDiffusionAttendAndExcitePipeline", false, kPlain},
      {"StableDiffusionDiffEditPipeline", false, kPlain},
      {"StableDiffusionModelEditingPipeline", false, kPlain},
      {"StableDiffusionPanoramaPipeline", false, kPlain},
      {"StableDiffusionParadigmsPipeline", false, kPlain},
      {"StableDiffusionPix2PixZeroPipeline", false, kPlain},
      {"StableDiffusionPipelineSafe", false, kPlain},
      {"SemanticStableDiffusionPipeline", false, kPlain},
      {"CycleDiffusionPipeline", false, kPlain},
      {"StableDiffusionXLPipeline", true},
      {"StableDiffusionXLImg2ImgPipeline", true},
      {"StableDiffusionXLInpaintPipeline", true},
      {"StableDiffusionXLInstructPix2PixPipeline", true},
      {"StableDiffusionXLControlNetPipeline", true, kControlNet},
      {"StableDiffusionXLControlNetImg2ImgPipeline", true, kControlNet},
      {"StableDiffusionXLControlNetInpaintPipeline", true, kControlNet},
      {"StableDiffusionXLControlNetUnionPipeline", true, kPlain},
      {"StableDiffusionXLControlNetUnionImg2ImgPipeline", true, kPlain},
      {"StableDiffusionXLControlNetUnionInpaintPipeline", true, kPlain},
      {"StableDiffusionXLPAGPipeline", true, kPag},
      {"StableDiffusionXLPAGImg2ImgPipeline", true, kPag},
      {"StableDiffusionXLPAGInpaintPipeline", true, kPag},
      {"StableDiffusionXLControlNetPAGPipeline", true, kPagControlNet},
      {"StableDiffusionXLControlNetPAGImg2ImgPipeline", true, kPagControlNet},
      {"StableDiffusionXLKDiffusionPipeline", true},
      {"StableDiffusionXLAdapterPipeline", true, kPlain},
      {"DDPMPipeline", false, "", System::unconditional},
      {"DDIMPipeline", false, "", System::unconditional},
      {"LDMPipeline", false, "", System::unconditional},
      {"GLIDEPipeline", false, "", System::glide},  // defined here; diffusers 0.0.4 had one of the same parts
  };
  return classes;
}

const PipelineClass* find_pipeline_class(const std::string& name) {
  const auto& classes = pipeline_classes();
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const auto& row) { return row.name == name; });
  return found == classes.end() ? nullptr : &*found;
}

std::string programs_and_classes() {
  std::map<System, std::string> names;
  std::size_t stable_diffusion = 0;
  for (const auto& row : pipeline_classes()) {
    auto& list = names[row.system];
    list += (list.empty() ? "" : ", ") + row.name;
    if (row.system == System::stable_diffusion) ++stable_diffusion;
  }
  return "txt2img, img2img and inpaint run StableDiffusionPipeline, StableDiffusionXLPipeline and " +
         std::to_string(stable_diffusion - 2) + " classes of their kind; txt2img and inpaint run " +
         names[System::glide] + "; sample runs " + names[System::unconditional];
}

}  // namespace sfumato
