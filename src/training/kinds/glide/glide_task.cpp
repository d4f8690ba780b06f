#include "training/kinds/glide/glide_task.h"

#include "checkpoints/load.h"
#include "training/grid.h"
#include "training/held_out_loss.h"
#include "training/kinds/glide/glide_export.h"
#include "training/kinds/glide/low_resolution.h"
#include "training/loading/captioned_pack.h"
#include "training/network_parameters.h"
#include "training/sampling.h"

namespace sfumato {
namespace {

constexpr std::int64_t kHeldOutImages = 256, kGridColumns = 4;

/// Returns the folder of the tokenizer; an upsampler has that of its base model.
std::string tokenizer_of(const GLIDERecipe& recipe) {
  if (!recipe.is_upsampler()) return recipe.tokenizer;
  return recipe.base.empty() ? "" : (std::filesystem::path(recipe.base) / "tokenizer").string();
}

/// Returns the pack's images at an upsampler's low resolution.
LatentSource low_res_source(const GLIDERecipe& recipe, Pack& pack, torch::Device device) {
  auto source = latent_source(pack, device);
  source.origin["low_res_size"] = std::to_string(recipe.low_res_size);
  source.images = [&pack, device, side = recipe.low_res_size](const torch::Tensor& indices) {
    return at_low_resolution(pack.images(indices, device), side);
  };
  return source;
}

void check_latents(const GLIDERecipe& recipe, const GLIDELatents& latents) {
  const auto unet = UNet2DConditionModelConfig::from_json(recipe.unet);
  check_latent_channels(latents.images, "unet: 'out_channels'", unet.out_channels, /*and_variance=*/true);
  check_latent_side(latents.images, "unet: 'sample_size'", unet.sample_size.front());
}

GLIDELatentCache glide_latents(const GLIDERecipe& recipe, const TaskContext& context, Pack& pack) {
  check_shared_vae(recipe);
  if (recipe.vae.empty()) return {};
  const auto source = latent_source(pack, context.device);
  GLIDELatentCache result;
  if (recipe.is_upsampler()) {
    // Latents as the base model has them: their mean and scale are part of its export.
    const auto images = cache_latents_as_given(context.run, "latents", recipe.vae, source, context.on_encoded);
    const auto small = cache_latents_as_given(context.run, "low_res_latents", recipe.vae,
                                              low_res_source(recipe, pack, context.device), context.on_encoded);
    result = {{images.latents, small.latents}, images.vae};
  } else {
    const auto cache = cache_latents(context.run, recipe.vae, source, context.on_encoded);
    result = {{cache.latents, {}}, cache.vae};
  }
  check_latents(recipe, result.latents);
  return result;
}

void check_pack(const GLIDERecipe& recipe, const Pack& pack) {
  const auto text = GLIDETextModelConfig::from_json(recipe.text_encoder);
  check_vocab_size(pack, text.vocab_size, "text_encoder");
  check_positions(pack, text.max_position_embeddings, "text_encoder");
  if (recipe.vae.empty() || recipe.is_upsampler()) check_image_size(pack, recipe.data.image_size);
}

/// The UNet of a folder, its conv_in widened with zeros to the input channels of `unet`.
void copy_widened(UNet2DConditionModelImpl& unet, const std::filesystem::path& folder) {
  auto config = UNet2DConditionModelConfig::from_json(read_json(folder / "config.json"));
  const auto wider = unet.config().in_channels - config.in_channels;
  if (wider <= 0) return copy_weights(unet, folder, UNet2DConditionModelImpl::rename_key);
  auto given = unet.config();
  given.in_channels = config.in_channels;
  UNet2DConditionModel narrow(given);
  load_weights(*narrow, folder, {}, UNet2DConditionModelImpl::rename_key);
  const torch::NoGradGuard no_grad;
  const auto parameters = unet.named_parameters();
  for (const auto& item : narrow->named_parameters()) {
    auto value = item.value();
    if (item.key() == "conv_in.weight") value = torch::constant_pad_nd(value, {0, 0, 0, 0, 0, wider});
    parameters[item.key()].copy_(value);
  }
}

}  // namespace

GLIDETask::GLIDETask(const GLIDERecipe& recipe, const TaskContext& context)
    : recipe_(recipe),
      device_(context.device),
      pack_(open_pack(recipe.data, tokenizer_of(recipe), context)),
      objective_((check_pack(recipe, pack_), recipe), context.device),
      cache_(glide_latents(recipe, context, pack_)),
      loader_(recipe, pack_, cache_.latents, context.device) {
  const torch::NoGradGuard no_grad;
  // For the export: the words that the model has seen.
  if (const auto things = pack_.things(); !things.empty()) write_json(context.run.path() / "things.json", things);
  auto& unet = *objective_.unet;
  initialize(unet, generator_for(recipe.seed, Stream::kInitialisation, 0));
  unet.conv_out->weight.zero_();  // the first prediction is 0, the mean of eps
  unet.conv_out->bias.zero_();
  initialize(*objective_.text_encoder, generator_for(recipe.seed, Stream::kInitialisation, 1));
  objective_.place();
}

std::unique_ptr<Objective> GLIDETask::new_objective() const {
  return placed_objective<GLIDEObjective>(recipe_, device_);
}

void GLIDETask::init_from(const std::filesystem::path& folder) {
  const bool upsampler = recipe_.is_upsampler();
  copy_widened(*objective_.unet, folder / (upsampler ? "upscale_unet" : "text_unet"));
  copy_weights(*objective_.text_encoder, folder / (upsampler ? "upscale_text_encoder" : "text_encoder"),
               GLIDETextModelImpl::rename_key);
}

torch::Tensor GLIDETask::held_out(std::int64_t most) const {
  return held_out_indices(pack_.size(), pack_.held_out(), most);
}

Json GLIDETask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  const auto loss = [&](const torch::Tensor& indices, at::Generator& generator) {
    return objective_.simple_loss(loader_.held_out(indices, generator));
  };
  return {{"held_out_loss", mean_held_out_loss(held_out(kHeldOutImages), recipe_.seed, loss)}};
}

torch::Tensor GLIDETask::decode(const torch::Tensor& x0) {
  return recipe_.vae.empty() ? x0 : cache_.vae->decode(cache_.vae->unscale(x0));
}

torch::Tensor GLIDETask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  auto generator = generator_for(recipe_.seed, Stream::kSample, 0);
  const bool needs_images = recipe_.inpaint || recipe_.is_upsampler();
  auto batch = needs_images ? loader_.held_out(held_out(recipe_.sample.count), generator) : Batch{};
  if (!needs_images) batch["ids"] = pack_.probe_ids().slice(0, 0, recipe_.sample.count).to(device_);  // [P, L]
  const auto& ids = batch.at("ids");
  const auto states_of = [&](const torch::Tensor& text) {
    return objective_.text_encoder->forward(text, loader_.mask_of(text));
  };
  const auto empty = pack_.empty_ids().to(device_).expand_as(ids);
  const auto concat = needs_images ? batch.at("concat") : torch::Tensor();
  GuidanceTerms<Condition> terms{.positives = {{.encoder_hidden_states = states_of(ids), .concat = concat}}};
  const auto scale = recipe_.sample.guidance_scale;
  if (is_guided(scale)) terms.negative = Condition{.encoder_hidden_states = states_of(empty), .concat = concat};
  const Backbone backbone = [&](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    const auto t = torch::full({1}, evaluation.level.t, x.options());
    return objective_.raw_output(x, t, condition.encoder_hidden_states, condition.concat);
  };
  const auto x0 = draw_samples(backbone, terms,
                               {.schedule = objective_.schedule,
                                .sampler = "ddpm",
                                .steps = recipe_.sample.steps,
                                .guidance_scale = scale,
                                .seeds = counted_seeds(recipe_.seed, ids.size(0)),
                                .shape = loader_.shape(),
                                .device = device_});
  return make_grid(decode(x0), kGridColumns);
}

}  // namespace sfumato
