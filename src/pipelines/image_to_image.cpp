#include "images/pixels.h"
#include "pipelines/denoise.h"

namespace sfumato {

Generated image_to_image(const StableDiffusion& model, const Request& asked, const torch::Tensor& image,
                         const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  const auto factor = model.limits().vae_scale_factor;
  Generated generated{
      .request = completed(model, asked, rounded_size(image.size(2), factor), rounded_size(image.size(3), factor))};
  const auto& request = generated.request;
  const auto all = make_steps(schedule_of(model, request), request.steps, find_sampler(request.sampler).grid);
  const auto steps = last_steps(all, request.steps, request.strength);
  const Seamless seamless(model, request);
  auto noise = noise_of(request);
  const auto latents = encode(model, resize_lanczos(image, request.height, request.width), noise);
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
