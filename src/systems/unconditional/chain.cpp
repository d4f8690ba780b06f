#include "systems/unconditional/chain.h"

#include "diffusion/prediction.h"

namespace sfumato {
namespace {

Denoiser denoiser_of(const Unconditional& model, const torch::Tensor& labels, const OnEvaluation& on_evaluation) {
  const Backbone backbone = [&model](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    const auto timestep = torch::full({1}, evaluation.level.t, torch::dtype(torch::kFloat32).device(x.device()));
    return model.predict(x.to(model.placement.dtype), timestep, condition.class_labels);
  };
  auto denoise = make_denoiser(backbone, {.class_labels = labels}, Prediction::of(model.schedule.config()));
  if (!on_evaluation) return denoise;
  return [denoise, on_evaluation](const torch::Tensor& x, const Evaluation& evaluation) {
    auto estimate = denoise(x, evaluation);
    on_evaluation(x, evaluation, estimate);
    return estimate;
  };
}

}  // namespace

Chain make_chain(const Unconditional& model, const ChainOptions& options) {
  const auto& unet = model.unet->config();
  return make_chain(ReverseProcess{.schedule = model.schedule,
                                   .default_sampler = model.default_sampler(),
                                   .predicts_variance = unet.out_channels == 2 * unet.in_channels},
                    options);
}

torch::Tensor run_chain(const Unconditional& model, const Chain& chain, const ChainBatch& batch,
                        const ChainObserver& observer) {
  const torch::NoGradGuard no_gradients;
  const auto device = model.placement.device;
  const auto labels = batch.labels.defined() ? batch.labels.to(device) : torch::Tensor();
  return run_chain(chain, denoiser_of(model, labels, observer.on_evaluation),
                   {.x = batch.x, .noise = batch.noise, .device = device}, observer.on_step);
}

}  // namespace sfumato
