#include "systems/glide/generate.h"

#include <stdexcept>
#include <utility>

#include "core/random.h"
#include "images/pixels.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

/// What inpainting gives each stage.
struct Known {
  GLIDEInputs base, upsample;
};

std::vector<std::uint64_t> seeds_of(const GLIDERequest& request) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < request.batch_count; ++k) seeds.push_back(request.seed + static_cast<std::uint64_t>(k));
  return seeds;
}

/// x0 as an image file would hold it: the upsampler was trained on 8 bits.
torch::Tensor rounded(const torch::Tensor& x0) {
  return ((x0 + 1) * 127.5).round() / 127.5 - 1;
}

GLIDEImages run(const GLIDE& model, const GLIDEJob& job, const Known& known, const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  const auto device = model.placement.device;
  NoiseSource noise(seeds_of(job.request));

  const auto denoise = glide_denoiser(model, model.base, known.base, job.request, job.base.steps.size());
  const auto start = noise.draw(model.base.shape()) * job.base.noise_scale;  // [N, C, h, w]
  const auto all = static_cast<int>(job.steps()), done = static_cast<int>(job.base.steps.size());
  const auto x = run_chain(job.base, denoise, {.x = start, .noise = noise, .device = device},
                           [&](int step, int, const torch::Tensor& x) { return !on_step || on_step(step, all, x); });
  if (!x.defined() || !job.upsample) return {.base = x.defined() ? model.first_stage.decode(x) : x};

  const auto& upsampler = *model.upsampler;
  auto inputs = known.upsample;
  inputs.low_res = model.first_stage.is_pixels() ? rounded(x) : x;
  const auto refine = glide_denoiser(model, upsampler, inputs, job.request, job.upsample->steps.size());
  const auto scale = job.upsample->noise_scale * job.request.upsample_temp;
  const auto larger =
      run_chain(*job.upsample, refine, {.x = noise.draw(upsampler.shape()) * scale, .noise = noise, .device = device},
                [&](int step, int, const torch::Tensor& x) { return !on_step || on_step(done + step, all, x); });
  if (!larger.defined()) return {};
  return {.base = model.first_stage.decode(x), .upsampled = model.first_stage.decode(larger)};
}

/// The image and its mask at a stage's size.
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
  const auto mask = 1 - std::get<0>(anew);  // [1, 1, h, w], 1 where the image is known
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
  return run(model, job, known_of(model, masked), on_step);
}

}  // namespace sfumato
