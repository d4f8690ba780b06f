#include "systems/glide/model.h"

#include "diffusion/scheduler_classes.h"
#include "systems/model_index.h"

namespace sfumato {
namespace {

/// Name of a part and of its network, for errors.
struct StageParts {
  std::string unet, text_encoder, scheduler;
};

const StageParts kBaseParts{"text_unet", "text_encoder", "text_noise_scheduler"};
const StageParts kUpsamplerParts{"upscale_unet", "upscale_text_encoder", "upscale_noise_scheduler"};

GLIDEStage load_stage(const ModelIndex& index, const StageParts& parts, const Placement& placement) {
  index.class_of(parts.unet, {"UNet2DConditionModel"});
  index.class_of(parts.text_encoder, {"GLIDETextModel"});
  const auto& folder = index.folder();
  auto unet = load_network<UNet2DConditionModelImpl>(folder, parts.unet, placement);
  return {.text_encoder = load_network<GLIDETextModelImpl>(folder, parts.text_encoder, placement),
          .unet = unet,
          .schedule = load_schedule(index, parts.scheduler),
          .replayed_unet = replayed(unet, placement.device)};
}

/// Returns the number of channels of a masked image and its mask.
std::int64_t known_channels(const GLIDEStage& stage) {
  return stage.channels() + 1;
}

bool receives_known(const GLIDEStage& stage, bool is_upsampler) {
  const auto plain = stage.channels() * (is_upsampler ? 2 : 1);
  return stage.unet->config().in_channels == plain + known_channels(stage);
}

/// Refuses a UNet that does not match its text transformer or its place in the cascade.
class StageCheck {
 public:
  StageCheck(const std::filesystem::path& folder, const StageParts& parts) : folder_(folder), parts_(parts) {}

  void operator()(const GLIDEStage& stage, bool is_upsampler) const {
    const auto& unet = stage.unet->config();
    const auto width = stage.text_encoder->config().hidden_size;
    expect("class_embed_type", unet.class_embed_type == "simple_projection", "simple_projection");
    expect("projection_class_embeddings_input_dim", unet.projection_class_embeddings_input_dim == width,
           "the width of " + parts_.text_encoder + ", " + std::to_string(width));
    expect("cross_attention_dim", unet.states_width() == width,
           "the width of " + parts_.text_encoder + ", " + std::to_string(width));
    expect("sample_size", unet.sample_size.size() == 1, "one number");
    expect("out_channels", unet.out_channels % 2 == 0, "an even number, eps and variance");
    const auto plain = stage.channels() * (is_upsampler ? 2 : 1);
    expect("in_channels", unet.in_channels == plain || receives_known(stage, is_upsampler),
           std::to_string(plain) + ", or " + std::to_string(plain + known_channels(stage)) + " for inpainting");
  }

  void expect(const std::string& key, bool holds, const std::string& expected) const {
    if (!holds) refuse_model(folder_, parts_.unet + ": unexpected '" + key + "': expected " + expected);
  }

 private:
  std::filesystem::path folder_;
  StageParts parts_;
};

void check_text(const std::filesystem::path& folder, const GLIDEStage& stage, const Tokenizer& tokenizer,
                const std::string& part) {
  const auto& text = stage.text_encoder->config();
  if (tokenizer.max_length() > text.max_position_embeddings)
    refuse_model(folder, "tokenizer: model_max_length is " + std::to_string(tokenizer.max_length()) + ", but " + part +
                             " has positions for " + std::to_string(text.max_position_embeddings));
  if (tokenizer.special_ids().pad >= text.vocab_size)
    refuse_model(folder, "tokenizer: the padding has the id " + std::to_string(tokenizer.special_ids().pad) + ", but " +
                             part + " has a vocabulary of " + std::to_string(text.vocab_size));
}

void check_cascade(const GLIDE& model, const std::filesystem::path& folder) {
  const StageCheck check(folder, kUpsamplerParts);
  const auto &base = model.base, &upsampler = *model.upsampler;
  check.expect("out_channels", upsampler.channels() == base.channels(),
               std::to_string(2 * base.channels()) + " as those of text_unet");
  check.expect("sample_size", upsampler.side() > base.side() && upsampler.side() % base.side() == 0,
               "a multiple of the base model's, " + std::to_string(base.side()));
  check.expect("in_channels", receives_known(upsampler, true) == model.inpaints(),
               model.inpaints() ? "an upsampler for inpainting, as the base model is" : "no inpainting model");
}

/// Checks the size of the images that the upsampler was trained to enlarge, if the folder contains it.
void check_low_res(const ModelIndex& index, const GLIDE& model) {
  const auto side = model.pixels(model.base), trained = index.number("upscale_low_res_size", side);
  if (trained != side)
    refuse_model(index.folder(), "its upsampler enlarges images of " + std::to_string(trained) +
                                     " pixels a side, but the base model makes " + std::to_string(side));
}

}  // namespace

torch::Tensor GLIDEStage::predict(const UNet2DConditionInput& input) const {
  return replayed_unet ? replayed_unet->forward(input) : unet->forward(input);
}

ReverseProcess GLIDEStage::process() const {
  return {.schedule = schedule, .default_sampler = default_sampler(schedule.config()), .predicts_variance = true};
}

bool GLIDE::inpaints() const {
  return receives_known(base, false);
}

GLIDE load_glide(const std::filesystem::path& folder, const Placement& placement) {
  const ModelIndex index(folder);
  index.require_system(System::glide);
  auto base = load_stage(index, kBaseParts, placement);
  StageCheck(folder, kBaseParts)(base, false);
  GLIDE model{.tokenizer = load_part(folder, "tokenizer", load_tokenizer),
              .base = std::move(base),
              .upsampler = std::nullopt,
              .first_stage = load_first_stage(index, placement),
              .placement = placement};
  check_text(folder, model.base, *model.tokenizer, kBaseParts.text_encoder);
  if (model.first_stage.channels() != model.base.channels())
    refuse_model(folder, "text_unet denoises " + std::to_string(model.base.channels()) + " channels, expected " +
                             std::to_string(model.first_stage.channels()) +
                             (model.first_stage.is_pixels() ? " of pixels" : " of the vae's latents"));
  if (!index.names(kUpsamplerParts.unet)) return model;
  model.upsampler = load_stage(index, kUpsamplerParts, placement);
  StageCheck(folder, kUpsamplerParts)(*model.upsampler, true);
  check_text(folder, *model.upsampler, *model.tokenizer, kUpsamplerParts.text_encoder);
  check_cascade(model, folder);
  check_low_res(index, model);
  return model;
}

}  // namespace sfumato
