#include "systems/stable_diffusion/hires.h"

#include <algorithm>
#include <stdexcept>

#include "systems/stable_diffusion/upscalers.h"

namespace sfumato {
namespace {

/// Returns the second pass's sides, in whole pixels if they follow from a scale.
ImageSize second_size(const Request& first) {
  const auto& hires = first.hires;
  const auto height = static_cast<double>(first.height), width = static_cast<double>(first.width);
  double scale = hires.scale;
  if (hires.width > 0 && hires.height > 0) return {hires.height, hires.width};
  if (hires.width > 0) scale = static_cast<double>(hires.width) / width;
  if (hires.height > 0) scale = static_cast<double>(hires.height) / height;
  const auto side = [&](std::int64_t asked, double own) {
    return asked > 0 ? asked : static_cast<std::int64_t>(own * scale + 1e-6);
  };
  return {side(hires.height, height), side(hires.width, width)};
}

/// Enlarges to cover the size with the aspect ratio unchanged, then crops around the centre.
torch::Tensor covering(const torch::Tensor& values, const Upscaler& upscaler, std::int64_t height, std::int64_t width) {
  const auto own_height = values.size(2), own_width = values.size(3);
  const bool wider = own_width * height > width * own_height;
  const auto outer_height = wider ? height : own_height * width / own_width;
  const auto outer_width = wider ? own_width * height / own_height : width;
  const auto outer = upscaler.resize(values, outer_height, outer_width);
  return outer.narrow(2, (outer_height - height) / 2, height).narrow(3, (outer_width - width) / 2, width);
}

/// Returns latents at the second pass's size; random values come from `noise`.
torch::Tensor enlarged(const Job& job, const torch::Tensor& latents, NoiseSource& noise) {
  const auto& upscaler = find_upscaler(job.request.hires.upscaler);
  const auto height = job.request.height, width = job.request.width, factor = job.model.limits().vae_scale_factor;
  if (upscaler.of_latents) return covering(latents, upscaler, height / factor, width / factor);
  const auto& tiling = job.attachments.vae_tiling;
  return encode(job.model, covering(decode(job.model, latents, tiling), upscaler, height, width), noise, tiling);
}

/// Sets the steps of the pass: the last `count` of as many as make them begin at `strength` (the web UI's
/// setup_img2img_steps).
void set_steps(SecondPass& pass, std::int64_t count) {
  constexpr double kLargestStrength = 0.999;
  const double strength = std::min(pass.job.request.hires.strength, kLargestStrength);
  if (strength == 0) return;
  const auto total = std::min(static_cast<std::int64_t>(static_cast<double>(count) / strength),
                              pass.job.schedule.num_train_timesteps());
  pass.all = pass.job.steps(total);
  pass.steps = pass.job.begun(without_first(pass.all, total - count), total);
}

}  // namespace

std::optional<SecondPass> second_pass(const Job& first) {
  const auto& hires = first.request.hires;
  if (!hires.is_on()) return std::nullopt;
  const auto factor = first.model.limits().vae_scale_factor;
  const auto size = second_size(first.request);
  const ImageSize rounded{rounded_size(size.height, factor), rounded_size(size.width, factor)};
  SecondPass pass{
      .job = resized(first, rounded), .steps = {}, .note = rounding_note("the second pass", size, rounded, factor)};
  set_steps(pass, hires.steps > 0 ? hires.steps : first.request.steps);
  return pass;
}

bool run_second_pass(const SecondPass& pass, Generated& generated) {
  const auto& job = pass.job;
  auto noise = noise_of(job.request);
  const auto latents = enlarged(job, generated.latents, noise);
  if (pass.steps.empty()) return generated.latents = latents, true;
  const Denoising denoising{
      .start = add_noise(latents, first_noise_like(latents, job.request, noise), pass.steps.front().from),
      .steps = pass.steps,
      .all = pass.all,
      .noise = noise,
      .concat = concat_without_mask(job.model, latents)};
  Generated second{.request = job.request};  // its warnings would repeat those of the first pass
  const bool whole = denoise(job, denoising, second);
  generated.latents = second.latents;
  return whole;
}

}  // namespace sfumato
