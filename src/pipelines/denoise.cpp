#include "pipelines/denoise.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/cuda.h"
#include "core/number_text.h"
#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/self_attention_guidance.h"
#include "nn/identity_attention.h"
#include "pipelines/conditioning.h"
#include "pipelines/refiner.h"

namespace sfumato {
namespace {

/// The prompts, and where on the way they are told.
struct Telling {
  StepwiseConditioning conditioning;
  const Course& course;

  const Conditioning& now() const { return conditioning.at(course.step()); }
};

UNet2DConditionInput input_of(const StableDiffusion& model, const Conditioning& told, const torch::Tensor& x,
                              const Level& level) {
  UNet2DConditionInput input;
  input.sample = x.to(model.placement.dtype);
  input.timestep = torch::full({1}, level.t, torch::dtype(torch::kFloat32).device(x.device()));
  input.encoder_hidden_states = told.states;
  input.timestep_cond = told.timestep_cond;
  input.text_embeds = told.text_embeds;
  input.time_ids = told.time_ids;
  return input;
}

/// The UNet's layers that guidance changes, and that it watches.
struct GuidanceLayers {
  std::set<const AttentionImpl*> perturbed = {};
  AttentionWatch watched = {};
};

/// The UNet, told of the prompts and by the ControlNets: takes as many rows as `telling` has, or the last of them
/// alone, or these once more, then with the identity for an attention map in the perturbed layers. From here on nothing
/// depends on a value that the device computes: with x and the timestep in memory that stays, a CUDA graph can replay
/// it.
Network network_of(const StableDiffusion& model, const Telling& telling, const Control& control,
                   const GuidanceLayers& layers) {
  return [&model, &telling, &control, layers](const torch::Tensor& x, const Level& level) {
    auto input = input_of(model, for_rows(telling.now(), x.size(0)), x, level);
    input.identity = {.layers = layers.perturbed, .rows = x.size(0) - telling.now().states.size(0)};
    input.watch = layers.watched;
    control.add_residuals(input);
    return model.unet->forward(input);  // [N, 2N or (1 + K) N, C, h, w]
  };
}

/// The same for the first rows of `telling` alone, as many as it is given.
Network network_of_first(const StableDiffusion& model, const Telling& telling, const Control& control) {
  return [&model, &telling, &control](const torch::Tensor& x, const Level& level) {
    auto input = input_of(model, first_rows(telling.now(), x.size(0)), x, level);
    control.add_residuals(input);
    return model.unet->forward(input);
  };
}

/// `network` with `beside` [N, E, h, w] after the latents' own channels, for each N of the batch's rows.
Network with_channels(const Network& network, const torch::Tensor& beside) {
  return [network, beside](const torch::Tensor& x, const Level& level) {
    return network(torch::cat({x, beside.repeat({x.size(0) / beside.size(0), 1, 1, 1})}, 1), level);
  };
}

/// `network` of a model that edits pictures: `picture` [N, C, h, w] after the latents' own channels, zeros in place of
/// it for the first N rows of several.
Network with_picture(const Network& network, const torch::Tensor& picture) {
  return [network, picture](const torch::Tensor& x, const Level& level) {
    const auto count = picture.size(0);
    auto beside = picture.repeat({x.size(0) / count, 1, 1, 1});
    if (x.size(0) > count) beside.narrow(0, 0, count).zero_();
    return network(torch::cat({x, beside}, 1), level);
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

/// Of the last evaluation's first rows, what the UNet's middle attends to, as diffusers' pipeline asks it.
AttentionWatch watch_middle(const StableDiffusion& model, const Request& request) {
  const auto* layer = find_self_attention(*model.unet, "mid_block.attentions.0.transformer_blocks.0.attn1");
  if (layer == nullptr)
    throw std::invalid_argument(
        "sag scale: expected 0 with this model, whose UNet has no self-attention in its middle");
  return {.layer = layer, .rows = request.batch_count, .received = std::make_shared<torch::Tensor>()};
}

/// The UNet as guidance asks it.
struct Networks {
  Network all;                 ///< as network_of has it
  Network first;               ///< as network_of_first has it
  ReceivedAttention received;  ///< of the first rows when `all` ran last
};

/// With what stands beside the latents; the request's perturbed attention is in what the UNet is told.
Networks conditioned_networks(const StableDiffusion& model, const Request& request, const Telling& telling,
                              const Control& control, const torch::Tensor& beside) {
  GuidanceLayers layers;
  if (request.pag_scale > 0) layers.perturbed = self_attention_layers(*model.unet, request.pag_layers);
  if (request.sag_scale > 0) layers.watched = watch_middle(model, request);
  Networks networks{.all = network_of(model, telling, control, layers),
                    .first = network_of_first(model, telling, control),
                    .received = [received = layers.watched.received] { return *received; }};
  if (!beside.defined()) return networks;
  const auto extended = edits_pictures(model) ? with_picture : with_channels;
  for (auto* network : {&networks.all, &networks.first})
    *network = extended(*network, beside.to(model.placement.device));
  return networks;
}

/// What `networks` and the request's kinds of guidance make of x; the prompts alone where guidance is not to act.
Denoiser guided_denoiser(const StableDiffusion& model, const Request& request, const Telling& telling,
                         const Networks& networks) {
  const auto prediction = prediction_of(model, request);
  const auto& weights = telling.conditioning.weights;
  const bool composed = telling.conditioning.is_composed(), guided = is_guided(model, request);
  const auto alone = composed ? composed_guidance(networks.all, weights, {.scale = 1}) : networks.all;
  auto inner = networks.all;
  if (request.sag_scale > 0)
    inner = self_attention_guidance(
        inner, networks.first, networks.received,
        {.scale = request.sag_scale, .pictures = request.batch_count, .prediction = prediction.type});
  if (request.pag_scale > 0)
    inner = perturbed_attention_guidance(
        inner, {.scale = request.pag_scale, .adaptive_scale = request.pag_adaptive_scale}, request.batch_count);
  const GuidanceOptions options{.scale = guided ? request.guidance_scale : 1, .rescale = request.guidance_rescale};
  const bool cfg_pp = request.guidance == "cfg++";
  if (composed && edits_pictures(model))
    throw std::invalid_argument("prompts that AND joins: expected one prompt with a model that edits pictures");
  if (cfg_pp && composed) throw std::invalid_argument("guidance 'cfg++': expected cfg with prompts that AND joins");
  if (edits_pictures(model) && guided)
    inner = text_and_image_guidance(inner, options, request.image_guidance_scale);
  else if (composed)
    inner = composed_guidance(inner, weights, options);
  else if (guided && !cfg_pp)
    inner = classifier_free_guidance(inner, options);
  const auto denoiser = cfg_pp ? cfg_plus_plus(inner, options, prediction) : make_denoiser(inner, prediction);
  return guided_within(denoiser, make_denoiser(alone, prediction), telling.course, request.guidance_start,
                       request.guidance_end);
}

/// A model that is told of a request, step by step. What it computes with refers to its members.
class ToldModel {
 public:
  ToldModel(const StableDiffusion& model, const Request& request, const Denoising& denoising, const Course& course,
            std::vector<std::string>& warnings)
      : telling_{condition(model, request, denoising.steps, warnings), course},
        control_(model, request, course),
        denoise_(guided_denoiser(model, request, telling_,
                                 conditioned_networks(model, request, telling_, control_, denoising.beside))) {}
  ToldModel(const ToldModel&) = delete;

  Estimate operator()(const torch::Tensor& x, const Level& level) const { return denoise_(x, level); }

 private:
  Telling telling_;
  Control control_;
  Denoiser denoise_;
};

/// The model's refiner, told of the same, where the request has one. ControlNets and what stands beside the latents are
/// the base's.
std::unique_ptr<ToldModel> told_refiner(const StableDiffusion& model, Request request, const Denoising& denoising,
                                        const Course& course) {
  if (!request.refiner.is_on() || !denoising.refines) return nullptr;
  if (!model.refiner)
    throw std::invalid_argument("refiner '" + request.refiner.model + "': expected a model that it was loaded for");
  request.controls.clear();
  const Denoising own{
      .start = denoising.start, .steps = denoising.steps, .all = denoising.all, .noise = denoising.noise};
  std::vector<std::string> same_warnings;
  return std::make_unique<ToldModel>(*model.refiner, request, own, course, same_warnings);
}

SamplerOptions sampler_options(const StableDiffusion& model, const Request& request, const Denoising& denoising) {
  const auto& config = model.schedule.config();
  SamplerOptions options{.eta = request.eta,
                         .variance_type = config.variance_type,
                         .prediction_type = config.prediction_type,
                         .solver = config.solver,
                         .timestep_scaling = config.timestep_scaling};
  if (request.noise == "brownian") options.brownian = ratio_span(denoising.all);
  return options;
}

}  // namespace

Request completed(const StableDiffusion& model, Request request, std::int64_t height, std::int64_t width) {
  if (request.height == 0) request.height = height;
  if (request.width == 0) request.width = width;
  if (request.sampler.empty()) request.sampler = model.default_sampler();
  if (request.eta == Request::kOwnEta) request.eta = request.sampler == "tcd" ? ScheduleConfig().gamma : 0;
  if (request.schedule.empty()) {
    const bool by_sigma = goes_by_sigma(find_sampler(request.sampler).grid);
    request.schedule = by_sigma ? model.schedule.config().sigma_schedule : "discrete";
  }
  // Where there is nothing to choose a picture's record says nothing.
  if (const auto& noise = find_sampler(request.sampler).noise; request.noise.empty() && noise.size() > 1)
    request.noise = noise.front();
  if (request.prompt_syntax.empty()) request.prompt_syntax = model.default_prompt_syntax();
  validate(request, model.limits());
  return request;
}

std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor) {
  return std::max(pixels - pixels % factor, factor);
}

Schedule schedule_of(const StableDiffusion& model, const Request& request) {
  auto config = model.schedule.config();
  config.sigma_schedule = request.schedule;
  if (request.eta != Request::kOwnEta) config.gamma = request.eta;
  if (model.is_xl() && request.schedule == "align_your_steps") config.sigma_schedule = "align_your_steps_xl";
  return Schedule(config);
}

bool denoise(const StableDiffusion& model, const Denoising& denoising, Generated& generated, const OnStep& on_step) {
  const auto& request = generated.request;
  const auto& sampler = find_sampler(request.sampler);
  if (request.eta > 0 && sampler.name != "ddim" && sampler.name != "tcd")
    generated.warnings.push_back("eta " + std::to_string(request.eta) + " has no effect with the sampler " +
                                 sampler.name + ": ddim and tcd have one");
  Course course(denoising.steps, sampler.order);
  const ToldModel base(model, request, denoising, course, generated.warnings);
  const auto refiner = told_refiner(model, request, denoising, course);
  const auto refined = steps_of_refiner(denoising.steps, request.refiner, model.schedule.num_train_timesteps());
  const Denoiser denoiser = [&](const torch::Tensor& x, const Level& level) {
    auto estimate = refiner && refined.at(course.step()) ? (*refiner)(x, level) : base(x, level);
    if (model.on_estimate) model.on_estimate(estimate.x0);
    return estimate;
  };
  bool ended = false;
  StepPacer pacer(model.placement.device);
  const OnStep report = [&](int step, int count, const torch::Tensor& x) {
    pacer.step_queued();
    ended = on_step && !on_step(step, count, x);
    return !ended;
  };
  generated.latents = sampler.sample({.denoise = counted(denoiser, course),
                                      .x = to_device(denoising.start, model.placement.device),
                                      .steps = denoising.steps,
                                      .noise = denoising.noise,
                                      .options = sampler_options(model, request, denoising),
                                      .on_step = report,
                                      .adjust = denoising.adjust,
                                      .skipped = denoising.all.size() - denoising.steps.size()});
  return !ended;
}

torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise) {
  const auto posterior = model.vae->encode(image.to(model.vae_placement.device, model.vae_placement.dtype));
  // As diffusers does, nothing is drawn for an encoder without a distribution.
  if (posterior.is_point()) return model.vae->scale(posterior.mean).to(torch::kFloat32);
  const auto drawn = noise.draw(posterior.mean.sizes().slice(1)).to(posterior.mean);
  return model.vae->scale(posterior.sample(drawn)).to(torch::kFloat32);
}

torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents) {
  std::vector<torch::Tensor> images;
  for (const auto& latent : model.vae->unscale(latents.to(model.vae_placement.dtype)).split(1))
    images.push_back(model.vae->decode(latent).to(torch::kCPU, torch::kFloat32));
  return torch::cat(images);  // [N, 3, H, W]
}

bool takes_mask(const StableDiffusion& model) {
  return model.unet->config().in_channels == 2 * model.vae->config().latent_channels + 1;
}

void refuse_edits(const StableDiffusion& model, const Request& request) {
  if (edits_pictures(model))
    throw std::invalid_argument("the model edits pictures by instructions (its UNet has " +
                                std::to_string(model.unet->config().in_channels) + " in_channels): expected img2img");
  if (request.image_guidance_scale != Request().image_guidance_scale)
    throw std::invalid_argument("image guidance scale " + number_text(request.image_guidance_scale) +
                                ": expected a model that edits pictures (instruct-pix2pix)");
}

torch::Tensor beside_without_mask(const StableDiffusion& model, const torch::Tensor& latents) {
  if (!takes_mask(model)) return {};
  const auto count = latents.size(0), height = latents.size(2), width = latents.size(3);
  const auto factor = model.vae->config().downscale_factor();
  const auto grey = torch::zeros({1, 3, height * factor, width * factor},
                                 torch::dtype(model.vae_placement.dtype).device(model.vae_placement.device));
  const auto of_grey = model.vae->scale(model.vae->encode(grey).mean).to(torch::kFloat32);  // [1, C, h, w]
  return torch::cat({torch::ones({1, 1, height, width}, of_grey.options()), of_grey}, 1).repeat({count, 1, 1, 1});
}

}  // namespace sfumato
