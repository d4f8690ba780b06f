#include <stdexcept>

#include "core/number_text.h"
#include "images/pixels.h"
#include "pipelines/conditioning.h"
#include "pipelines/denoise.h"

namespace sfumato {
namespace {

/// What the guidance by a text and a picture has no place for.
void check_edit(const Request& request) {
  const auto refuse = [](const std::string& what, const std::string& expected) {
    throw std::invalid_argument(what + ": expected " + expected + " with a model that edits pictures");
  };
  if (request.guidance != "cfg") refuse("guidance '" + request.guidance + "'", "cfg");
  if (request.sag_scale > 0) refuse("sag scale " + number_text(request.sag_scale), "0");
  if (request.refiner.is_on()) refuse("refiner '" + request.refiner.model + "'", "none");
  if (!request.controls.empty()) refuse("a ControlNet", "none");
}

/// Instruct-pix2pix (Brooks et al. 2023): from noise, with the picture's latents beside, which are not scaled. As in
/// diffusers' StableDiffusionInstructPix2PixPipeline.
void edit_picture(const StableDiffusion& model, const torch::Tensor& image, Generated& generated,
                  const OnStep& on_step) {
  const auto& request = generated.request;
  check_edit(request);
  if (request.strength != Request().strength)
    generated.warnings.push_back("strength " + number_text(request.strength) +
                                 " has no effect with a model that edits pictures: --image-guidance has");
  const auto schedule = schedule_of(model, request);
  const auto grid = find_sampler(request.sampler).grid;
  const auto steps = make_steps(schedule, request.steps, grid);
  const auto& placement = model.vae_placement;
  const auto picture = model.vae->encode(image.to(placement.device, placement.dtype)).mean.to(torch::kFloat32);
  auto noise = noise_of(request);
  const auto drawn = noise.draw(picture.sizes().slice(1));  // [N, C, h, w]
  const Denoising denoising{.start = drawn * initial_noise_scale(schedule, steps, grid),
                            .steps = steps,
                            .all = steps,
                            .noise = noise,
                            .beside = picture.repeat({drawn.size(0), 1, 1, 1})};
  if (denoise(model, denoising, generated, on_step)) generated.images = decode(model, generated.latents);
}

}  // namespace

Generated image_to_image(const StableDiffusion& model, const Request& asked, const torch::Tensor& image,
                         const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  const auto factor = model.limits().vae_scale_factor;
  Generated generated{
      .request = completed(model, asked, rounded_size(image.size(2), factor), rounded_size(image.size(3), factor))};
  const auto& request = generated.request;
  const auto resized = resize_lanczos(image, request.height, request.width);
  if (edits_pictures(model)) {
    edit_picture(model, resized, generated, on_step);
    return generated;
  }
  refuse_edits(model, request);
  const auto all = make_steps(schedule_of(model, request), request.steps, find_sampler(request.sampler).grid);
  const auto steps = last_steps(all, request.steps, request.strength);
  const Seamless seamless(model, request);
  auto noise = noise_of(request);
  const auto latents = encode(model, resized, noise);
  if (steps.empty()) return {.request = request, .latents = latents, .images = decode(model, latents)};
  const Denoising denoising{.start = add_noise(latents, first_noise_like(latents, request, noise), steps.front().from),
                            .steps = steps,
                            .all = all,
                            .noise = noise,
                            .beside = beside_without_mask(model, latents)};
  if (denoise(model, denoising, generated, on_step)) generated.images = decode(model, generated.latents);
  return generated;
}

}  // namespace sfumato
