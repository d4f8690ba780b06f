#include "systems/glide/generate.h"

#include <stdexcept>
#include <utility>

#include "core/random.h"
#include "images/pixels.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

/// Inputs of inpainting for each stage.
struct Known {
  GLIDEInputs base, upsample;
};

std::vector<std::uint64_t> seeds_of(const GLIDERequest& request) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < request.batch_count; ++k) seeds.push_back(request.seed + static_cast<std::uint64_t>(k));
  return seeds;
}

GLIDEImages run(const GLIDE& model, const GLIDEJob& job, const Known& known, const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  NoiseSource noise(seeds_of(job.request));
  const auto x = sample_base(model, job, known.base, noise, on_step);
  if (!x.defined()) return {};
  if (!job.upsample) return {.base = model.first_stage.decode(x)};
  auto inputs = known.upsample;
  inputs.low_res = x;
  const auto larger = sample_upsampler(model, job, inputs, noise, on_step);
  if (!larger.defined()) return {};
  return {.base = model.first_stage.decode(x), .upsampled = model.first_stage.decode(larger)};
}

/// Returns the image and its mask at a stage's size.
GLIDEInputs known_at(const GLIDE& model, const GLIDEStage& stage, const torch::Tensor& image,
                     const torch::Tensor& base_mask) {
  const auto side = model.pixels(stage);
  return {.low_res = {},
          .known = model.first_stage.encode(resize_lanczos(image, side, side)),
          .mask = torch::upsample_nearest2d(base_mask, {stage.side(), stage.side()}).to(model.placement.device)};
}

Known known_of(const GLIDE& model, const GLIDEMaskedImage& masked) {
  const torch::NoGradGuard no_gradients;
  const auto side = model.base.side();
  const auto anew = torch::adaptive_max_pool2d((masked.mask > 0).to(torch::kFloat32), {side, side});
  const auto mask = 1 - std::get<0>(anew);  // [1, 1, h, w], 1 in the known region
  Known known{.base = known_at(model, model.base, masked.image, mask), .upsample = {}};
  if (model.upsampler) known.upsample = known_at(model, *model.upsampler, masked.image, mask);
  return known;
}

std::string size_text(const torch::Tensor& image) {
  return std::to_string(image.size(3)) + "x" + std::to_string(image.size(2));
}

}  // namespace

GLIDEImages generate(const GLIDE& model, const GLIDEJob& job, const OnStep& on_step) {
  if (model.inpaints())
    throw std::invalid_argument("the model is one of GLIDE for inpainting: use inpaint, with an image and a mask");
  return run(model, job, {}, on_step);
}

GLIDEImages inpaint(const GLIDE& model, const GLIDEJob& job, const GLIDEMaskedImage& masked, const OnStep& on_step) {
  if (!model.inpaints())
    throw std::invalid_argument("the model's UNet has " + std::to_string(model.base.unet->config().in_channels) +
                                " input channels, expected " + std::to_string(2 * model.base.channels() + 1) +
                                " for inpainting: the image, the masked image and the mask");
  if (size_text(masked.image) != size_text(masked.mask))
    throw std::invalid_argument("the mask is " + size_text(masked.mask) + ", expected the image's size, " +
                                size_text(masked.image));
  if (masked.image.size(2) != masked.image.size(3))
    throw std::invalid_argument("the image is " + size_text(masked.image) + ", expected a square: the model makes " +
                                std::to_string(model.pixels(model.upsampler ? *model.upsampler : model.base)) +
                                " pixels a side");
  if (!masked.mask.gt(0).any().item<bool>())
    throw std::invalid_argument("the mask is black everywhere, expected white where the image is made anew");
  return run(model, job, known_of(model, masked), on_step);
}

}  // namespace sfumato
