#include "systems/unconditional/model.h"

#include "diffusion/scheduler_classes.h"

namespace sfumato {
namespace {

/// Refuses models that diffusers' pipelines cannot sample from, or that would fail after the first evaluation.
void check_unet(const std::filesystem::path& folder, const UNet2DModelConfig& config, const FirstStage& first_stage) {
  const auto refuse = [&](const std::string& what, const std::string& expected) {
    refuse_model(folder, "unet: " + what + ", expected " + expected);
  };
  if (config.sample_size.empty()) refuse("sample_size is null", "a number of pixels");
  if (config.class_embed_type == "identity") refuse("class_embed_type is \"identity\"", "null or \"timestep\"");
  const auto in = config.in_channels, out = config.out_channels;
  if (first_stage.is_pixels() && in != 1 && in != 3) refuse("in_channels is " + std::to_string(in), "1 or 3");
  if (out != in && out != 2 * in)
    refuse("out_channels is " + std::to_string(out), "in_channels, " + std::to_string(in) + ", or twice that");
}

std::optional<std::int64_t> none_class_of(const std::filesystem::path& folder, const UNet2DModelConfig& config) {
  const auto none = value_or<std::int64_t>(read_json(folder / "unet" / "config.json"), "_none_class", -1);
  if (none < 0) return std::nullopt;
  if (none >= config.num_class_embeds)
    refuse_model(folder, "unet: _none_class is " + std::to_string(none) + ", expected less than num_class_embeds, " +
                             std::to_string(config.num_class_embeds));
  return none;
}

}  // namespace

std::vector<std::int64_t> Unconditional::shape() const {
  const auto& size = unet->config().sample_size;
  return {unet->config().in_channels, size.front(), size.back()};
}

std::int64_t Unconditional::height() const {
  return unet->config().sample_size.front() * first_stage.downscale_factor();
}

std::int64_t Unconditional::width() const {
  return unet->config().sample_size.back() * first_stage.downscale_factor();
}

torch::Tensor Unconditional::predict(const torch::Tensor& x, const torch::Tensor& timestep,
                                     const torch::Tensor& labels) const {
  return replayed_unet ? (*replayed_unet)({x, timestep, labels}) : unet->forward(x, timestep, labels);
}

bool Unconditional::is_class_conditional() const {
  return unet->config().num_class_embeds > 0 || !unet->config().class_embed_type.empty();
}

std::string Unconditional::default_sampler() const {
  return pipeline_class == "DDIMPipeline" ? "ddim" : sfumato::default_sampler(schedule.config());
}

Unconditional load_unconditional(const std::filesystem::path& folder, const Placement& placement) {
  const ModelIndex index(folder);
  index.require_system(System::unconditional);
  const auto& name = index.pipeline_class().name;
  index.class_of("unet", {"UNet2DModel"});
  auto unet = load_network<UNet2DModelImpl>(folder, "unet", placement);
  auto first_stage = load_first_stage(index, placement, unet->config().in_channels);
  if (name == "LDMPipeline" && first_stage.is_pixels())
    refuse_model(folder, "model_index.json names no vqvae, expected VQModel or AutoencoderKL");
  check_unet(folder, unet->config(), first_stage);
  const auto none_class = load_part(folder, "unet", [&](const auto&) { return none_class_of(folder, unet->config()); });
  auto replayed_unet = replayed(unet, placement.device);
  return {.unet = std::move(unet),
          .first_stage = std::move(first_stage),
          .schedule = load_schedule(index),
          .placement = placement,
          .none_class = none_class,
          .pipeline_class = name,
          .replayed_unet = std::move(replayed_unet)};
}

}  // namespace sfumato
