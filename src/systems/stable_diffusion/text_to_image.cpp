#include "nn/circular_padding.h"
#include "systems/stable_diffusion/denoise.h"
#include "systems/stable_diffusion/hires.h"

namespace sfumato {
namespace {

/// Adapts `on_step` for a part of `all` steps, the first of which is `first`.
OnStep within(const OnStep& on_step, std::size_t first, std::size_t all) {
  if (!on_step) return {};
  return [on_step, first, all](int step, int, const torch::Tensor& x) {
    return on_step(static_cast<int>(first) + step, static_cast<int>(all), x);
  };
}

/// Computes latents of the request's own size, in `generated`; returns false if on_step ended it.
bool run_first_pass(const Job& job, const std::vector<Step>& steps, Generated& generated) {
  const auto& request = job.request;
  const auto factor = job.model.limits().vae_scale_factor;
  auto noise = noise_of(request);
  const auto drawn = first_noise(
      request, noise, {job.model.vae->config().latent_channels, request.height / factor, request.width / factor});
  const Denoising denoising{.start = drawn * initial_noise_scale(job.schedule, steps, job.sampler.grid),
                            .steps = steps,
                            .all = steps,
                            .noise = noise,
                            .concat = concat_without_mask(job.model, drawn),
                            .refines = !request.hires.is_on()};
  return denoise(job, denoising, generated);
}

}  // namespace

Generated text_to_image(const StableDiffusion& model, const Request& request, const OnStep& on_step,
                        const Attachments& attachments) {
  const torch::NoGradGuard no_gradients;
  auto job = resolve(model, request, {model.default_height(), model.default_width()}, attachments, on_step);
  refuse_edits(job);
  const CircularPadding padding(job.request.tiling);
  Generated generated{.request = job.request};
  const auto steps = job.steps();
  auto second = second_pass(job);
  if (second && !second->note.empty()) generated.warnings.push_back(second->note);
  const auto count = steps.size() + (second ? second->steps.size() : 0);
  job.on_step = within(on_step, 0, count);
  bool whole = run_first_pass(job, steps, generated);
  if (whole && second) {
    second->job.on_step = within(on_step, steps.size(), count);
    whole = run_second_pass(*second, generated);
  }
  if (whole) decode_result(job, generated);
  return generated;
}

}  // namespace sfumato
