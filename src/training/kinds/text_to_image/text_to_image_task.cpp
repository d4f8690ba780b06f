#include "training/kinds/text_to_image/text_to_image_task.h"

#include <algorithm>

#include "training/grid.h"
#include "training/kinds/text_to_image/oversampling.h"
#include "training/loading/captioned_pack.h"
#include "training/network_parameters.h"
#include "training/sampling.h"

namespace sfumato {
namespace {

constexpr std::int64_t kHeldOutLatents = 256;
constexpr std::int64_t kLatentBatch = 64;
constexpr std::int64_t kGridColumns = 4;

LatentCache latents_for(const UNet2DConditionModelConfig& config, LatentCache cache) {
  check_latent_channels(cache.latents, "unet: 'in_channels'", config.in_channels);
  return cache;
}

}  // namespace

TextToImageTask::TextToImageTask(const TextToImageRecipe& recipe, const TaskContext& context)
    : recipe_(recipe),
      device_(context.device),
      pack_(open_pack(recipe.data, recipe.tokenizer, context)),
      objective_(recipe, context.device),
      cache_((check_vocab_size(pack_, objective_.text_encoder->config().vocab_size, "text_encoder"),
              latents_for(
                  objective_.unet->config(),
                  cache_latents(context.run, recipe.vae, latent_source(pack_, context.device), context.on_encoded)))),
      loader_(recipe, pack_, cache_.latents, context.device) {
  const torch::NoGradGuard no_grad;
  if (context.on_warning && has_no_effect(recipe.data.oversampling, pack_))
    context.on_warning("data: oversampling: no training image has one of the 'words' in its caption");
  // The model's vocabulary, for the export.
  if (const auto things = pack_.things(); !things.empty()) write_json(context.run.path() / "things.json", things);
  auto& unet = *objective_.unet;
  initialize(unet, generator_for(recipe.seed, Stream::kInitialisation, 0));
  unet.conv_out->weight.zero_();  // the first prediction is 0, the mean of the target
  unet.conv_out->bias.zero_();
  initialize(*objective_.text_encoder, generator_for(recipe.seed, Stream::kInitialisation, 1));
  objective_.place();
}

std::unique_ptr<Objective> TextToImageTask::new_objective() const {
  return placed_objective<TextToImageObjective>(recipe_, device_);
}

void TextToImageTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.unet, folder / "unet", UNet2DConditionModelImpl::rename_key);
  copy_weights(*objective_.text_encoder, folder / "text_encoder", T5EncoderModelImpl::rename_key);
}

Json TextToImageTask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  // If nothing is held out, the last images are used.
  const auto count = std::min({kHeldOutLatents, std::max(pack_.held_out(), kLatentBatch), pack_.size()});
  double sum = 0;
  for (std::int64_t first = 0; first < count; first += kLatentBatch) {
    const auto length = std::min(kLatentBatch, count - first);
    const auto start = pack_.size() - count + first;
    auto generator = generator_for(recipe_.seed, Stream::kSample, static_cast<std::uint64_t>(first));
    const auto batch = loader_.held_out(torch::arange(start, start + length), generator);
    sum += objective_.loss(batch).item<double>() * static_cast<double>(length);
  }
  return {{"held_out_loss", sum / static_cast<double>(count)}};
}

torch::Tensor TextToImageTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  auto& text_encoder = *objective_.text_encoder;
  const auto ids = pack_.probe_ids().to(device_);  // [P, L]
  const auto count = std::min(recipe_.sample.count, ids.size(0));
  const auto prompts = text_encoder.forward(ids.narrow(0, 0, count));
  const auto empty = text_encoder.forward(pack_.empty_ids().to(device_).unsqueeze(0)).expand_as(prompts);
  GuidanceTerms<Condition> terms{.positives = {{.encoder_hidden_states = prompts}}};
  if (is_guided(recipe_.sample.guidance_scale)) terms.negative = Condition{.encoder_hidden_states = empty};
  const Backbone backbone = [&](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    return objective_.unet->forward(x, evaluation.level.t, condition.encoder_hidden_states);
  };
  const auto latents = draw_samples(backbone, terms,
                                    {.schedule = objective_.schedule,
                                     .sampler = "ddim",
                                     .steps = recipe_.sample.steps,
                                     .guidance_scale = recipe_.sample.guidance_scale,
                                     .seeds = counted_seeds(recipe_.seed, count),
                                     .shape = cache_.latents.sizes().slice(1).vec(),
                                     .device = device_});
  return make_grid(cache_.vae->decode(cache_.vae->unscale(latents)), kGridColumns);
}

}  // namespace sfumato
