#include "pipelines/generate.h"

#include <algorithm>

#include "core/random.h"
#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"
#include "images/pixels.h"
#include "nn/identity_attention.h"
#include "pipelines/conditioning.h"

namespace sfumato {
namespace {

/// The request with the model's sampler and `height` x `width` where it leaves them open, validated.
Request completed(const StableDiffusion& model, Request request, std::int64_t height, std::int64_t width) {
  if (request.height == 0) request.height = height;
  if (request.width == 0) request.width = width;
  if (request.sampler.empty()) request.sampler = model.default_sampler();
  if (request.schedule.empty()) {
    const bool karras = model.schedule.config().use_karras_sigmas && goes_by_sigma(find_sampler(request.sampler).grid);
    request.schedule = karras ? "karras" : "discrete";
  }
  validate(request, model.limits());
  return request;
}

NoiseSource noise_of(const Request& request) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < request.batch_count; ++k) seeds.push_back(request.seed + static_cast<std::uint64_t>(k));
  return NoiseSource(seeds, parse_rng(request.rng));
}

/// The size of the image's own pixels, rounded down to what the VAE takes, as diffusers' VaeImageProcessor does; one
/// latent pixel where that would leave nothing.
std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor) {
  return std::max(pixels - pixels % factor, factor);
}

/// The model's own, but for what the request has to say.
Schedule schedule_of(const StableDiffusion& model, const Request& request) {
  auto config = model.schedule.config();
  config.use_karras_sigmas = request.schedule == "karras";
  return Schedule(config);
}

/// The UNet, told of the prompts: takes as many rows as `all` has, or the last of them alone, or these once more, then
/// with the identity for an attention map in `layers`.
Network network_of(const StableDiffusion& model, const Conditioning& all, std::set<const AttentionImpl*> layers) {
  return [&model, all, layers = std::move(layers)](const torch::Tensor& x, const Level& level) {
    const auto told = for_rows(all, x.size(0));
    UNet2DConditionInput input;
    input.sample = x.to(model.placement.dtype);
    input.timestep = torch::full({1}, level.t, torch::dtype(torch::kFloat32).device(x.device()));
    input.encoder_hidden_states = told.states;
    input.timestep_cond = told.timestep_cond;
    input.text_embeds = told.text_embeds;
    input.time_ids = told.time_ids;
    input.identity = {.layers = layers, .rows = x.size(0) - all.states.size(0)};
    return model.unet->forward(input);  // [N or 2N, C, h, w]
  };
}

Prediction prediction_of(const StableDiffusion& model, const Request& request) {
  auto prediction = Prediction::of(model.schedule.config());
  if (request.dynamic_threshold > 0) {
    prediction.threshold.dynamic_ratio = request.dynamic_threshold;
    prediction.threshold.dynamic_max = request.dynamic_threshold_max;
  }
  return prediction;
}

/// What the network and the request's kinds of guidance make of x; the prompt alone where guidance is not to act.
Denoiser guided_denoiser(const StableDiffusion& model, const Request& request, const Conditioning& told,
                         const std::vector<Step>& steps) {
  std::set<const AttentionImpl*> perturbed;
  if (request.pag_scale > 0) perturbed = self_attention_layers(*model.unet, request.pag_layers);
  const auto prediction = prediction_of(model, request);
  const auto network = network_of(model, told, perturbed);
  const auto prompt_alone = make_denoiser(network, prediction);
  auto guided = network;
  if (request.pag_scale > 0)
    guided = perturbed_attention_guidance(
        guided, {.scale = request.pag_scale, .adaptive_scale = request.pag_adaptive_scale}, request.batch_count);
  const GuidanceOptions options{.scale = request.guidance_scale, .rescale = request.guidance_rescale};
  const bool cfg_pp = request.guidance == "cfg++";
  if (is_guided(model, request) && !cfg_pp) guided = classifier_free_guidance(guided, options);
  const auto denoise = cfg_pp ? cfg_plus_plus(guided, options, prediction) : make_denoiser(guided, prediction);
  return guided_within(denoise, prompt_alone, steps, request.guidance_start, request.guidance_end);
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
  const auto denoise = guided_denoiser(model, request, condition(model, request, generated.warnings), steps);
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
  auto noise = noise_of(request);
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
  auto noise = noise_of(request);
  const auto latents = encode(model, resize_lanczos(image, request.height, request.width), noise);
  if (steps.empty()) return {.request = request, .latents = latents, .images = decode(model, latents)};
  return run(model, request, add_noise(latents, noise.draw_like(latents), steps.front().from), steps, noise, on_step);
}

}  // namespace sfumato
