#include "pipelines/generate.h"

#include <algorithm>

#include "core/random.h"
#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"
#include "images/pixels.h"
#include "pipelines/prompts.h"

namespace sfumato {
namespace {

/// The request with the model's sampler and `height` x `width` where it leaves them open, validated.
Request completed(const StableDiffusion& model, Request request, std::int64_t height, std::int64_t width) {
  if (request.height == 0) request.height = height;
  if (request.width == 0) request.width = width;
  if (request.sampler.empty()) request.sampler = model.default_sampler();
  if (request.schedule.empty()) {
    const bool by_sigma = goes_by_sigma(find_sampler(request.sampler).grid);
    request.schedule = by_sigma ? model.schedule.config().sigma_schedule : "discrete";
  }
  validate(request, model.limits());
  return request;
}

std::vector<std::uint64_t> seeds(const Request& request) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < request.batch_count; ++k) seeds.push_back(request.seed + static_cast<std::uint64_t>(k));
  return seeds;
}

/// The size of the image's own pixels, rounded down to what the VAE takes, as diffusers' VaeImageProcessor does; one
/// latent pixel where that would leave nothing.
std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor) {
  return std::max(pixels - pixels % factor, factor);
}

/// The model's own, but for what the request has to say.
Schedule schedule_of(const StableDiffusion& model, const Request& request) {
  auto config = model.schedule.config();
  config.sigma_schedule = request.schedule;
  return Schedule(config);
}

Denoiser guided_denoiser(const StableDiffusion& model, const Request& request, const torch::Tensor& states) {
  const Network network = [&model, states](const torch::Tensor& x, const Level& level) {
    return model.unet->forward(x.to(model.placement.dtype), level.t, states);  // [N, C, h, w]
  };
  const GuidanceOptions guidance{.scale = request.guidance_scale, .rescale = request.guidance_rescale};
  return make_denoiser(classifier_free_guidance(network, guidance), Prediction::of(model.schedule.config()));
}

/// From scaled latents [N, C, h, w], one image at a time: the decoder's memory is the largest of all.
torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents) {
  std::vector<torch::Tensor> images;
  for (const auto& latent : model.vae->unscale(latents.to(model.vae_placement.dtype)).split(1))
    images.push_back(model.vae->decode(latent).to(torch::kCPU, torch::kFloat32));
  return torch::cat(images);  // [N, 3, H, W]
}

/// Latents of the image, drawn from the VAE's posterior by each picture's generator: [N, C, h, w] float32.
torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise) {
  const auto posterior = model.vae->encode(image.to(model.vae_placement.device, model.vae_placement.dtype));
  const auto drawn = noise.draw(posterior.mean.sizes().slice(1)).to(posterior.mean);
  return model.vae->scale(posterior.sample(drawn)).to(torch::kFloat32);
}

/// Runs `steps` from `start` and decodes what comes out, unless on_step ends it before.
Generated run(const StableDiffusion& model, const Request& request, const torch::Tensor& start,
              const std::vector<Step>& steps, NoiseSource& noise, const OnStep& on_step) {
  Generated generated{.request = request};
  const auto states = encode_prompts(model, request, generated.warnings);
  const auto denoise = guided_denoiser(model, request, states);
  bool ended = false;
  const OnStep report = [&](int step, int count, const torch::Tensor& x) {
    ended = on_step && !on_step(step, count, x);
    return !ended;
  };
  generated.latents =
      find_sampler(request.sampler)
          .sample({.denoise = denoise,
                   .x = start.to(model.placement.device),
                   .steps = steps,
                   .noise = noise,
                   .options = {.eta = request.eta, .variance_type = model.schedule.config().variance_type},
                   .on_step = report});
  if (!ended) generated.images = decode(model, generated.latents);
  return generated;
}

}  // namespace

Generated text_to_image(const StableDiffusion& model, const Request& asked, const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  const auto request = completed(model, asked, model.default_height(), model.default_width());
  const auto grid = find_sampler(request.sampler).grid;
  const auto schedule = schedule_of(model, request);
  const auto steps = make_steps(schedule, request.steps, grid);
  const auto factor = model.limits().vae_scale_factor;
  NoiseSource noise(seeds(request));
  const auto start = noise.draw({model.unet->config().in_channels, request.height / factor, request.width / factor});
  return run(model, request, start * initial_noise_scale(schedule, steps, grid), steps, noise, on_step);
}

Generated image_to_image(const StableDiffusion& model, const Request& asked, const torch::Tensor& image,
                         const OnStep& on_step) {
  const torch::NoGradGuard no_gradients;
  const auto factor = model.limits().vae_scale_factor;
  const auto request =
      completed(model, asked, rounded_size(image.size(2), factor), rounded_size(image.size(3), factor));
  const auto steps =
      last_steps(make_steps(schedule_of(model, request), request.steps, find_sampler(request.sampler).grid),
                 request.steps, request.strength);
  NoiseSource noise(seeds(request));
  const auto latents = encode(model, resize_lanczos(image, request.height, request.width), noise);
  if (steps.empty()) return {.request = request, .latents = latents, .images = decode(model, latents)};
  return run(model, request, add_noise(latents, noise.draw_like(latents), steps.front().from), steps, noise, on_step);
}

}  // namespace sfumato
