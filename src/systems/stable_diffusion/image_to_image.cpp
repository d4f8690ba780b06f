#include <stdexcept>

#include "core/number_text.h"
#include "images/pixels.h"
#include "nn/circular_padding.h"
#include "systems/stable_diffusion/denoise.h"

namespace sfumato {
namespace {

/// Refuses settings that guidance by a text and an image does not support.
void check_edit(const Request& request) {
  const auto refuse = [](const std::string& what, const std::string& expected) {
    throw std::invalid_argument(what + ": expected " + expected + " with a model that edits pictures");
  };
  if (request.guidance != "cfg") refuse("guidance '" + request.guidance + "'", "cfg");
  if (request.sag_scale > 0) refuse("sag scale " + number_text(request.sag_scale), "0");
  if (request.refiner.is_on()) refuse("refiner '" + request.refiner.model + "'", "none");
  if (!request.controls.empty()) refuse("a ControlNet", "none");
}

/// Instruct-pix2pix (Brooks et al. 2023): from noise, with the unscaled latents of the image concatenated. As in
/// diffusers' StableDiffusionInstructPix2PixPipeline.
bool edit_image(const Job& job, const torch::Tensor& image, Generated& generated) {
  const auto& request = job.request;
  check_edit(request);
  const auto steps = job.steps();
  const auto& placement = job.model.vae_placement;
  const auto encoded = job.model.vae->encode(image.to(placement.device, placement.dtype), job.attachments.vae_tiling);
  const auto of_image = encoded.mean.to(torch::kFloat32);  // [1, C, h, w]
  auto noise = noise_of(request);
  const auto drawn = noise.draw(of_image.sizes().slice(1));  // [N, C, h, w]
  const Denoising denoising{.start = drawn * initial_noise_scale(job.schedule, steps, job.sampler.grid),
                            .steps = steps,
                            .all = steps,
                            .noise = noise,
                            .concat = of_image.repeat({drawn.size(0), 1, 1, 1})};
  return denoise(job, denoising, generated);
}

/// SDEdit (Meng et al. 2022): starts from the image's latents, noised to the level at which `strength` begins.
bool vary_image(const Job& job, const torch::Tensor& image, Generated& generated) {
  const auto& request = job.request;
  refuse_edits(job);
  const auto all = job.steps();
  const auto steps = job.begun(last_steps(all, request.steps, request.strength), request.steps);
  auto noise = noise_of(request);
  const auto latents = encode(job.model, image, noise, job.attachments.vae_tiling);
  if (steps.empty()) return generated.latents = latents, true;
  const Denoising denoising{.start = add_noise(latents, first_noise_like(latents, request, noise), steps.front().from),
                            .steps = steps,
                            .all = all,
                            .noise = noise,
                            .concat = concat_without_mask(job.model, latents)};
  return denoise(job, denoising, generated);
}

}  // namespace

Generated image_to_image(const StableDiffusion& model, const Request& request, const torch::Tensor& image,
                         const OnStep& on_step, const Attachments& attachments) {
  const torch::NoGradGuard no_gradients;
  const auto factor = model.limits().vae_scale_factor;
  const auto job = resolve(model, request, {rounded_size(image.size(2), factor), rounded_size(image.size(3), factor)},
                           attachments, on_step);
  const CircularPadding padding(job.request.tiling);
  const auto resized = resize_lanczos(image, job.request.height, job.request.width);
  Generated generated{.request = job.request};
  note_rounding(request, image, factor, generated);
  const auto make = model.edits_images() ? edit_image : vary_image;
  if (make(job, resized, generated)) decode_result(job, generated);
  return generated;
}

}  // namespace sfumato
