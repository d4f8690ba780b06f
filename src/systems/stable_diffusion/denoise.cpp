#include "systems/stable_diffusion/denoise.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "core/cuda.h"
#include "diffusion/guided_denoiser.h"
#include "systems/stable_diffusion/clip_guidance.h"
#include "systems/stable_diffusion/conditioning.h"
#include "systems/stable_diffusion/idle_settings.h"
#include "systems/stable_diffusion/refiner.h"
#include "systems/stable_diffusion/unet_backbone.h"

namespace sfumato {
namespace {

/// Guided denoiser of one model of the job, with the objects that its functions refer to.
class JobDenoiser {
 public:
  JobDenoiser(Job job, const std::vector<Step>& steps, const torch::Tensor& concat, std::vector<std::string>& warnings)
      : job_(std::move(job)),
        evaluations_(evaluation_count(steps, job_.sampler.order)),
        control_(job_, evaluations_),
        denoise_(unet_backbone(job_, control_), conditions_of(job_, steps, concat, warnings), job_.guidance,
                 job_.prediction, evaluations_) {}
  JobDenoiser(const JobDenoiser&) = delete;

  const GuidedDenoiser& denoise() const { return denoise_; }

 private:
  Job job_;
  std::size_t evaluations_;
  Control control_;
  GuidedDenoiser denoise_;
};

/// Returns the denoiser of the job's refiner, if there is one. ControlNets and concatenated channels are the base's.
std::unique_ptr<JobDenoiser> refiner_denoiser(const Job& job, const Denoising& denoising) {
  if (!job.request.refiner.is_on() || !denoising.refines) return nullptr;
  if (!job.attachments.refiner)
    throw std::invalid_argument("refiner '" + job.request.refiner.model + "': expected one loaded for the request");
  std::vector<std::string> same_warnings;
  return std::make_unique<JobDenoiser>(job_of_refiner(job), denoising.steps, torch::Tensor(), same_warnings);
}

SamplerOptions sampler_options(const Job& job, const Denoising& denoising) {
  const auto& config = job.schedule.config();
  SamplerOptions options{.eta = job.request.eta,
                         .variance_type = config.variance_type,
                         .prediction_type = config.prediction_type,
                         .solver = config.solver,
                         .timestep_scaling = config.timestep_scaling};
  if (job.request.multistep_start == "diffusers")
    for (std::size_t i = 0; i + denoising.steps.size() < denoising.all.size(); ++i)
      options.skipped_levels.push_back(denoising.all[i].from);
  if (job.request.noise == "brownian") options.brownian = ratio_span(denoising.all);
  return options;
}

/// Wraps `denoise` to report each estimate.
Denoiser watched(Denoiser denoise, const Attachments& attachments) {
  return [denoise = std::move(denoise), on_estimate = attachments.on_estimate](const torch::Tensor& x,
                                                                               const Evaluation& evaluation) {
    auto estimate = denoise(x, evaluation);
    on_estimate(x, estimate.x0);
    return estimate;
  };
}

}  // namespace

std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor) {
  return std::max(pixels - pixels % factor, factor);
}

std::string rounding_note(const std::string& what, ImageSize size, ImageSize rounded, std::int64_t factor) {
  if (size.height == rounded.height && size.width == rounded.width) return "";
  const auto text = [](ImageSize sides) { return std::to_string(sides.width) + "x" + std::to_string(sides.height); };
  return what + "'s size " + text(size) + " is rounded to " + text(rounded) + ": the VAE takes multiples of " +
         std::to_string(factor);
}

void note_rounding(const Request& request, const torch::Tensor& image, std::int64_t factor, Generated& generated) {
  const ImageSize size{request.height > 0 ? request.height : image.size(2),
                       request.width > 0 ? request.width : image.size(3)};
  const ImageSize rounded{generated.request.height, generated.request.width};
  auto note = rounding_note("the image", size, rounded, factor);
  if (!note.empty()) generated.warnings.push_back(std::move(note));
}

bool denoise(const Job& job, const Denoising& denoising, Generated& generated) {
  const auto& request = job.request;
  const auto& steps = denoising.steps;
  check_start(job.sampler, steps);
  for (auto& warning : idle_settings(job)) generated.warnings.push_back(std::move(warning));
  const JobDenoiser base(job, steps,
                         denoising.concat.defined() ? denoising.concat.to(job.model.placement.device) : torch::Tensor(),
                         generated.warnings);
  const auto refiner = refiner_denoiser(job, denoising);
  Denoiser denoiser = std::cref(base.denoise());
  if (refiner)
    denoiser = [&, refined = steps_of_refiner(steps, request.refiner, job.schedule.num_train_timesteps())](
                   const torch::Tensor& x, const Evaluation& evaluation) {
      return (refined.at(evaluation.step) ? refiner->denoise() : base.denoise())(x, evaluation);
    };
  if (request.clip_guidance.is_on())
    denoiser = guided_by_gradient(std::move(denoiser), clip_guidance(job, denoising, generated.warnings));
  if (job.attachments.on_estimate) denoiser = watched(denoiser, job.attachments);
  bool ended = false;
  StepPacer pacer(job.model.placement.device);
  const OnStep report = [&](int step, int count, const torch::Tensor& x) {
    pacer.step_queued();
    ended = job.on_step && !job.on_step(step, count, x);
    return !ended;
  };
  generated.latents = job.sampler.sample({.denoise = denoiser,
                                          .x = to_device(denoising.start, job.model.placement.device),
                                          .steps = steps,
                                          .noise = denoising.noise,
                                          .options = sampler_options(job, denoising),
                                          .on_step = report,
                                          .adjust = denoising.adjust,
                                          .skipped = denoising.all.size() - steps.size()});
  if (const auto& replayed = job.model.replayed_unet) {
    if (!replayed->warning().empty()) generated.warnings.push_back(replayed->warning());
    if (job.model.placement.offload) replayed->clear();  // the VAE needs the memory
  }
  return !ended;
}

torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise,
                     const std::optional<VaeTiling>& tiling) {
  const auto& vae = model.vae;
  const auto posterior = vae->encode(image.to(model.vae_placement.device, model.vae_placement.dtype), tiling);
  // As in diffusers, an encoder without a distribution draws no noise.
  if (posterior.is_point()) return vae->scale(posterior.mean).to(torch::kFloat32);
  const auto drawn = noise.draw(posterior.mean.sizes().slice(1)).to(posterior.mean);
  return vae->scale(posterior.sample(drawn)).to(torch::kFloat32);
}

torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents,
                     const std::optional<VaeTiling>& tiling) {
  std::vector<torch::Tensor> images;
  for (const auto& latent : model.vae->unscale(latents.to(model.vae_placement.dtype)).split(1))
    images.push_back(model.vae->decode(latent, tiling).to(torch::kCPU, torch::kFloat32));
  return torch::cat(images);  // [N, 3, H, W]
}

void decode_result(const Job& job, Generated& generated) {
  generated.images = decode(job.model, generated.latents, job.attachments.vae_tiling);
  const auto is_finite = [](const torch::Tensor& values) { return values.isfinite().all().item<bool>(); };
  if (is_finite(generated.images)) return;
  generated.warnings.push_back(
      is_finite(generated.latents)
          ? "the VAE's output has values that are not finite, which become black: --dtype float32 may help"
          : "the latents have values that are not finite, which become black: smaller weights of words or LoRA files, "
            "less guidance or --dtype float32 may help");
}

void refuse_edits(const Job& job) {
  if (job.model.edits_images())
    throw std::invalid_argument("the model edits pictures by instructions (its UNet has " +
                                std::to_string(job.model.unet->config().in_channels) +
                                " in_channels): expected img2img");
}

torch::Tensor concat_without_mask(const StableDiffusion& model, const torch::Tensor& latents) {
  if (!model.takes_mask()) return {};
  const auto count = latents.size(0), height = latents.size(2), width = latents.size(3);
  const auto factor = model.vae->config().downscale_factor();
  const auto grey = torch::zeros({1, 3, height * factor, width * factor},
                                 torch::dtype(model.vae_placement.dtype).device(model.vae_placement.device));
  const auto of_grey = model.vae->scale(model.vae->encode(grey).mean).to(torch::kFloat32);  // [1, C, h, w]
  return torch::cat({torch::ones({1, 1, height, width}, of_grey.options()), of_grey}, 1).repeat({count, 1, 1, 1});
}

}  // namespace sfumato
