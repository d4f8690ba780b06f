#include "pipelines/single_file.h"

#include <stdexcept>

#include "models/original_layout.h"

namespace sfumato {
namespace {

using std::filesystem::path;

std::unique_ptr<Tokenizer> shipped_tokenizer(const OriginalLayout& layout, const std::vector<path>& tokenizers) {
  const path name = layout.is_open_clip ? "open_clip" : "clip";
  for (const auto& folder : tokenizers)
    if (std::filesystem::is_directory(folder / name)) return load_tokenizer(folder / name);
  throw std::runtime_error("it brings no tokenizer, and the folder tokenizer/" + name.string() + " is missing");
}

template <class Impl>
std::shared_ptr<Impl> load_network(const path& file, const typename Impl::Config& config, const KeyNames& names,
                                   const Placement& placement) {
  auto network = std::make_shared<Impl>(config);
  load_weights(*network, file, placement, names);
  network->eval();
  return network;
}

/// No key tells whether a Stable Diffusion 2 predicts v or eps. AUTOMATIC1111's web UI asks the network: to a latent of
/// 0.5 all over, at the last timestep, the one answers with less than -1 on average, the other with about 0.5.
bool predicts_v(UNet2DConditionModelImpl& unet, const Placement& placement) {
  const torch::NoGradGuard no_gradients;
  const auto options = torch::dtype(placement.dtype).device(placement.device);
  const auto latent = torch::full({1, unet.config().in_channels, 8, 8}, 0.5, options);
  const auto states = torch::full({1, 2, unet.config().cross_attention_dim.front()}, 0.5, options);
  return unet.forward(latent, 999, states).to(torch::kFloat32).mean().item<double>() < -1;
}

/// As the folders of Stable Diffusion 1.5 and 2.1 have it.
Schedule schedule_of(bool v_prediction) {
  ScheduleConfig config;
  config.class_name = v_prediction ? "DDIMScheduler" : "PNDMScheduler";
  config.beta_schedule = "scaled_linear";
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  config.steps_offset = 1;
  config.set_alpha_to_one = false;
  config.clip_sample = false;
  config.prediction_type = v_prediction ? "v_prediction" : "epsilon";
  return Schedule(config);
}

OriginalLayout read_layout(const path& file) {
  try {
    return read_original_layout(SafetensorsFile(file));
  } catch (const std::exception& error) {
    const std::string why = error.what();
    if (why.find(file.string()) != std::string::npos) throw;
    throw std::runtime_error("model '" + file.string() + "': " + why);
  }
}

}  // namespace

StableDiffusion load_single_file(const path& file, const Placement& placement, const std::vector<path>& tokenizers) {
  const auto layout = read_layout(file);
  auto vae_placement = placement;
  if (placement.dtype == torch::kFloat16 && layout.vae.force_upcast) vae_placement.dtype = torch::kFloat32;
  auto encoder = load_network<CLIPTextModelImpl>(file, layout.text_encoder, layout.text_encoder_names, placement);
  auto unet = load_network<UNet2DConditionModelImpl>(file, layout.unet, layout.unet_names, placement);
  const bool v_prediction = layout.is_open_clip && predicts_v(*unet, placement);
  return {.tokenizer = shipped_tokenizer(layout, tokenizers),
          .text_encoder = [encoder](const torch::Tensor& ids) { return encoder->forward(ids).last_hidden_state; },
          .unet = unet,
          .vae = load_network<AutoencoderKLImpl>(file, layout.vae, layout.vae_names, vae_placement),
          .schedule = schedule_of(v_prediction),
          .things = {},
          .placement = placement,
          .vae_placement = vae_placement};
}

}  // namespace sfumato
