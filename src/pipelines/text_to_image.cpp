#include "pipelines/denoise.h"

namespace sfumato {

Generated text_to_image(const StableDiffusion& model, const Request& asked, const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  Generated generated{.request = completed(model, asked, model.default_height(), model.default_width())};
  const auto& request = generated.request;
  const auto grid = find_sampler(request.sampler).grid;
  const auto schedule = schedule_of(model, request);
  const auto steps = make_steps(schedule, request.steps, grid);
  const auto factor = model.limits().vae_scale_factor;
  auto noise = noise_of(request);
  const auto drawn = noise.draw({model.vae->config().latent_channels, request.height / factor, request.width / factor});
  const Denoising denoising{.start = drawn * initial_noise_scale(schedule, steps, grid),
                            .steps = steps,
                            .noise = noise,
                            .beside = beside_without_mask(model, drawn)};
  if (denoise(model, denoising, generated, on_step)) generated.images = decode(model, generated.latents);
  return generated;
}

}  // namespace sfumato
