#include "pipelines/denoise.h"
#include "pipelines/hires.h"

namespace sfumato {
namespace {

/// `on_step` as it is called in a part of `all` steps, the first of which is `first`.
OnStep within(const OnStep& on_step, std::size_t first, std::size_t all) {
  if (!on_step) return {};
  return [on_step, first, all](int step, int, const torch::Tensor& x) {
    return on_step(static_cast<int>(first) + step, static_cast<int>(all), x);
  };
}

/// Latents of the request's own size; false where on_step ended it.
bool run_first_pass(const StableDiffusion& model, const std::vector<Step>& steps, Generated& generated,
                    const OnStep& on_step) {
  const auto& request = generated.request;
  const auto factor = model.limits().vae_scale_factor;
  const auto scale = initial_noise_scale(schedule_of(model, request), steps, find_sampler(request.sampler).grid);
  auto noise = noise_of(request);
  const auto drawn = first_noise(
      request, noise, {model.vae->config().latent_channels, request.height / factor, request.width / factor});
  const Denoising denoising{.start = drawn * scale,
                            .steps = steps,
                            .all = steps,
                            .noise = noise,
                            .beside = beside_without_mask(model, drawn),
                            .refines = !request.hires.is_on()};
  return denoise(model, denoising, generated, on_step);
}

}  // namespace

Generated text_to_image(const StableDiffusion& model, const Request& asked, const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  Generated generated{.request = completed(model, asked, model.default_height(), model.default_width())};
  refuse_edits(model, generated.request);
  const auto& request = generated.request;
  const Seamless seamless(model, request);
  const auto steps = make_steps(schedule_of(model, request), request.steps, find_sampler(request.sampler).grid);
  const auto second = request.hires.is_on() ? second_pass(model, request) : SecondPass();
  const auto count = steps.size() + second.steps.size();
  bool whole = run_first_pass(model, steps, generated, within(on_step, 0, count));
  if (whole && request.hires.is_on())
    whole = run_second_pass(model, second, generated, within(on_step, steps.size(), count));
  if (whole) generated.images = decode(model, generated.latents);
  return generated;
}

}  // namespace sfumato
