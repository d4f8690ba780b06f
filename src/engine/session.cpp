#include "engine/session.h"

#include <algorithm>
#include <stdexcept>

#include "core/shipped_folders.h"
#include "engine/find_model.h"
#include "nn/packing.h"
#include "systems/clip.h"
#include "systems/stable_diffusion/job.h"
#include "systems/stable_diffusion/refiner.h"

namespace sfumato {
namespace {

/// Not part of the request: tiles are used if memory requires them, whatever the content. Seamless images are not
/// tiled: the edges of tiles are not those of the image.
std::optional<VaeTiling> vae_tiling_of(const std::string& tiling, bool seamless) {
  constexpr std::int64_t kLargeSide = 1024;
  if (tiling != "auto" && tiling != "on" && tiling != "off")
    throw std::invalid_argument("vae tiling '" + tiling + "': expected auto, on or off");
  if (seamless && tiling == "on") throw std::invalid_argument("vae tiling 'on': expected auto or off with --tiling");
  if (seamless || tiling == "off") return std::nullopt;
  return VaeTiling{.above_pixels = tiling == "on" ? 0 : kLargeSide * kLargeSide};
}

std::shared_ptr<const StableDiffusion> refiner_of(const PlannedBatch& first, const StableDiffusion& base,
                                                  const std::filesystem::path& source) {
  const auto& refiner = first.request.refiner;
  if (!refiner.is_on()) return nullptr;
  const auto path = find_model(refiner.model, model_roots(source));
  return load_refiner(path, base, shipped_folders("tokenizer", source), first.adapters);
}

/// True if each image's steps save more time than packing takes: about ten evaluations' gain on a Zen 5. Packed weights
/// round differently, so the number of images does not count: one of them made again must be the same.
bool packing_pays(const std::vector<PlannedBatch>& batches) {
  constexpr std::int64_t kWorthwhileSteps = 12;
  return std::all_of(batches.begin(), batches.end(),
                     [](const PlannedBatch& batch) { return batch.request.steps >= kWorthwhileSteps; });
}

/// Packs the weights of all networks that a run evaluates, where the processor reads them faster (pack_weights).
void pack(const StableDiffusion& model, const Attachments& attachments) {
  if (packs_weights(model.vae_placement)) pack_weights(*model.vae);
  if (!packs_weights(model.placement)) return;
  pack_weights(*model.unet);
  for (const auto& controlnet : attachments.controlnets) pack_weights(*controlnet.network);
  if (attachments.refiner) pack_weights(*attachments.refiner->unet);
}

/// Checks guidance by CLIP from the CLIP's config, before any network is loaded.
void check_clip_guidance(const std::vector<PlannedBatch>& batches, const std::filesystem::path& source) {
  const auto& clip = batches.front().request.clip_guidance;
  const bool noised = clip.is_on() && is_noised_clip(find_model(clip.model, model_roots(source)));
  for (const auto& batch : batches) validate_clip_guidance(batch.request, noised);
}

std::shared_ptr<const CLIP> clip_of(const Request::ClipGuidance& clip, torch::Device device,
                                    const std::filesystem::path& source) {
  return clip.is_on() ? load_clip(find_model(clip.model, model_roots(source)), device) : nullptr;
}

}  // namespace

Session::Session(const ModelChoice& choice, const std::vector<PlannedBatch>& batches,
                 const std::filesystem::path& source)
    : choice_(choice) {
  placement_ = choose_placement(choice.device, choice.dtype, choice.tf32, warnings_);
  placement_.offload = choice.offload && placement_.device.is_cuda();
  if (placement_.offload && batches.front().request.clip_guidance.is_on())
    throw std::invalid_argument("--offload with --clip-guidance, which decodes at every step: expected one of them");
  check_clip_guidance(batches, source);
  if (choice.offload && !placement_.offload) warn({"--offload has no effect on " + placement_.device.str()});
  path_ = find_model(choice.name, model_roots(source));
  if (choice.dtype == "auto" && prefers_bfloat16(path_, placement_.device)) placement_.dtype = torch::kBFloat16;
  model_ = std::make_unique<StableDiffusion>(
      load_stable_diffusion(path_, placement_, shipped_folders("tokenizer", source), {.path = choice.vae}));
  if (!choice.prediction.empty()) use_prediction(*model_, choice.prediction);
  add_adapters(batches);
  const auto& first = batches.front();
  attachments_ = {.controlnets = load_controlnets(first.request.controls, *model_),
                  .refiner = refiner_of(first, *model_, source),
                  .clip = clip_of(first.request.clip_guidance, placement_.device, source),
                  .vae_tiling = vae_tiling_of(choice.vae_tiling, first.request.tiling)};
  // Packed weights cannot change, and have no gradients.
  if (!loras_ && !first.request.clip_guidance.is_on() && packing_pays(batches)) pack(*model_, attachments_);
  warn(model_->warnings);
  for (const auto& batch : batches) validate(batch.request, limits_of(*model_, attachments_));
}

void Session::warn(const std::vector<std::string>& warnings) {
  warnings_.insert(warnings_.end(), warnings.begin(), warnings.end());
}

std::vector<std::string> Session::take_warnings() {
  return std::exchange(warnings_, {});
}

/// Adds the adapters of all batches: checks every LoRA file, and merges those of the first batch.
void Session::add_adapters(const std::vector<PlannedBatch>& batches) {
  const auto& first = batches.front().adapters;
  add_embeddings(*model_, first.embeddings);  // first: removing LoRAs removes all later rows
  loras_.emplace(*model_);
  std::vector<std::vector<Lora>> checked = {first.loras};
  for (const auto& batch : batches) {
    if (std::find(checked.begin(), checked.end(), batch.adapters.loras) != checked.end()) continue;
    loras_->check(batch.adapters.loras);
    checked.push_back(batch.adapters.loras);
  }
  use_loras(first);
  if (checked.size() == 1) loras_.reset();  // frees the saved original weights
}

/// Replaces the LoRAs of the previous batch by those of this one.
void Session::use_loras(const Adapters& adapters) {
  warn(loras_->set(adapters.loras));
  adapters_ = adapters;
  hashes_ = hasher_.hashes_of(adapters);
}

void Session::watch_estimates(std::function<void(const torch::Tensor& x, const torch::Tensor& x0)> on_estimate) {
  attachments_.on_estimate = std::move(on_estimate);
}

Generated Session::generate(const Pipeline& pipeline, const PlannedBatch& batch, const OnStep& on_step) {
  if (loras_ && adapters_ != batch.adapters) use_loras(batch.adapters);
  auto generated = pipeline(*model_, batch.request, on_step, attachments_);
  warn(generated.warnings);
  return generated;
}

ImageRecord Session::record(const Request& request) const {
  auto model = choice_;
  if (model.name.empty()) model.name = kDefaultModel;
  model.device = placement_.device.str();
  model.dtype = dtype_name(placement_.dtype);
  model.tf32 = choice_.tf32 && placement_.device.is_cuda();
  return {.request = request, .model = model, .adapters = adapters_, .hashes = hashes_};
}

}  // namespace sfumato
