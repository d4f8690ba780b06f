#include "systems/stable_diffusion/single_file.h"

#include <stdexcept>

#include "checkpoints/key_mismatches.h"
#include "checkpoints/safetensors_header.h"
#include "core/error_text.h"
#include "models/original_layout.h"
#include "systems/stable_diffusion/vae.h"

namespace sfumato {
namespace {

using std::filesystem::path;

/// No key marks whether a Stable Diffusion 2 predicts v or eps. As in AUTOMATIC1111's web UI, the network is tested on
/// a latent of 0.5 everywhere at the last timestep: v gives less than -1 on average, eps about 0.5.
bool predicts_v(UNet2DConditionModelImpl& unet, const Placement& placement) {
  const torch::NoGradGuard no_gradients;
  const auto options = torch::dtype(placement.dtype).device(placement.device);
  const auto latent = torch::full({1, unet.config().in_channels, 8, 8}, 0.5, options);
  const auto states = torch::full({1, 2, unet.config().cross_attention_dim.front()}, 0.5, options);
  return unet.forward(latent, 999, states).to(torch::kFloat32).mean().item<double>() < -1;
}

bool is_version_2(const OriginalLayout& layout) {
  return !layout.is_xl() && layout.text_encoders.front().is_open_clip;
}

/// True if the prediction type must be determined by a test of the network.
bool is_asked(const OriginalLayout& layout, const CheckpointYaml& yaml) {
  return is_version_2(layout) && !layout.has_v_pred && !yaml.prediction_type;
}

TextEncoder load_text_encoder(const path& file, const OriginalTextEncoder& encoder, const Placement& placement,
                              const std::shared_ptr<Tokenizer>& tokenizer, ClipStates states) {
  if (!encoder.projects)
    return make_text_encoder(
        tokenizer, load_from_single_file<CLIPTextModelImpl>(file, encoder.config, encoder.names, placement), states);
  auto network = load_from_single_file<CLIPTextModelWithProjectionImpl>(file, encoder.config, encoder.names, placement);
  auto projection = network->named_parameters()["text_projection.weight"];
  projection.set_data(projection.t().contiguous());
  return make_text_encoder(tokenizer, network, states);
}

std::vector<TextEncoder> load_text_encoders(const path& file, const OriginalLayout& layout, const Placement& placement,
                                            const std::vector<path>& tokenizers) {
  const auto states = layout.is_xl() ? ClipStates::penultimate : ClipStates::last;
  std::vector<TextEncoder> encoders;
  for (const auto& encoder : layout.text_encoders)
    encoders.push_back(load_text_encoder(file, encoder, placement.at_rest(),
                                         load_tokenizer(shipped_tokenizer(encoder.is_open_clip, tokenizers)), states));
  return encoders;
}

/// Layout of a file, and a warning of keys that do not belong to it, or "".
struct FileLayout {
  OriginalLayout layout;
  std::string warning;
};

std::string warning_of(const path& file, const std::vector<std::string>& unknown) {
  std::vector<std::string> quoted;
  for (const auto& key : unknown) quoted.push_back(in_quotes(key));
  KeyMismatches faults;
  faults.add("left out that are no part of such a model", quoted);
  return faults.empty() ? "" : "'" + file.string() + "': keys " + faults.text();
}

/// Throws std::runtime_error naming the file.
FileLayout read_layout_of(const path& file) {
  try {
    const auto tensors = open_tensors(file);
    return {read_original_layout(*tensors), warning_of(file, unknown_keys(*tensors))};
  } catch (const std::exception& error) {
    const auto why = error_text(error);
    if (why.find(file.string()) != std::string::npos) throw;
    throw std::runtime_error("model '" + file.string() + "': " + why);
  }
}

PlacedVae load_vae_of(const path& file, const OriginalLayout& layout, const Placement& placement,
                      const VaeChoice& choice) {
  if (!choice.path.empty()) return load_vae(choice.path, layout.vae, placement);
  if (!layout.has_vae) return {};
  const auto vae_placement = vae_placement_of(placement, layout.vae.force_upcast);
  return {load_from_single_file<AutoencoderKLImpl>(file, layout.vae, layout.vae_names, vae_placement.at_rest()),
          vae_placement};
}

}  // namespace

path shipped_tokenizer(bool is_open_clip, const std::vector<path>& tokenizers) {
  const path name = is_open_clip ? "open_clip" : "clip";
  for (const auto& folder : tokenizers)
    if (std::filesystem::is_directory(folder / name)) return folder / name;
  throw std::runtime_error("a single file brings no tokenizer, and the folder tokenizer/" + name.string() +
                           " is missing");
}

Schedule schedule_of_single_file(const OriginalLayout& layout, UNet2DConditionModelImpl& unet,
                                 const Placement& placement, const CheckpointYaml& yaml) {
  const bool found_v = layout.has_v_pred || (is_asked(layout, yaml) && predicts_v(unet, placement));
  const auto prediction = yaml.prediction_type.value_or(found_v ? "v_prediction" : "epsilon");
  const bool v_prediction = prediction == "v_prediction";
  if (layout.has_edm_latents) {
    if (yaml.beta_start || yaml.beta_end || yaml.num_train_timesteps)
      throw std::runtime_error(
          "the checkpoint's .yaml states linear_start, linear_end or timesteps: expected none of them for latents with "
          "a mean (Playground 2.5), whose noise schedule has no betas");
    return Schedule(ScheduleConfig::from_json(
        {{"_class_name", "EDMDPMSolverMultistepScheduler"}, {"prediction_type", prediction}}));
  }
  ScheduleConfig config;
  config.class_name = layout.is_xl() ? "EulerDiscreteScheduler" : v_prediction ? "DDIMScheduler" : "PNDMScheduler";
  config.beta_schedule = "scaled_linear";
  config.beta_start = yaml.beta_start.value_or(0.00085);
  config.beta_end = yaml.beta_end.value_or(0.012);
  config.num_train_timesteps = yaml.num_train_timesteps.value_or(config.num_train_timesteps);
  config.steps_offset = 1;
  config.set_alpha_to_one = layout.is_xl();  // not an option of that scheduler
  config.clip_sample = false;
  config.prediction_type = prediction;
  config.rescale_betas_zero_snr = layout.has_ztsnr;
  config.timestep_spacing = layout.has_ztsnr ? "trailing" : "leading";
  return Schedule(config);
}

ScheduleConfig schedule_config_of(const OriginalLayout& layout, const NamedWeights& unet_weights,
                                  const CheckpointYaml& yaml) {
  UNet2DConditionModelImpl unet(layout.unet);
  if (is_asked(layout, yaml))
    for (auto& item : unet.named_parameters()) item.value().set_data(unet_weights.at(item.key()).to(torch::kFloat32));
  return schedule_of_single_file(layout, unet, {}, yaml).config();
}

StableDiffusion load_single_file(const path& file, const Placement& placement, const std::vector<path>& tokenizers,
                                 const VaeChoice& choice) {
  auto [layout, warning] = read_layout_of(file);
  const auto yaml = read_checkpoint_yaml(file);
  if (yaml.scaling_factor) layout.vae.scaling_factor = *yaml.scaling_factor;
  auto encoders = load_text_encoders(file, layout, placement, tokenizers);
  auto unet = load_from_single_file<UNet2DConditionModelImpl>(file, layout.unet, layout.unet_names, placement);
  auto schedule = schedule_of_single_file(layout, *unet, placement, yaml);
  auto vae = load_vae_of(file, layout, placement, choice);
  return {.text_encoders = std::move(encoders),
          .unet = unet,
          .vae = std::move(vae.network),
          .schedule = std::move(schedule),
          .placement = placement,
          .vae_placement = vae.placement,
          .zeros_without_negative_prompt = layout.is_xl() && !layout.is_refiner(),
          .requires_aesthetics_score = layout.is_refiner(),
          .warnings = warning.empty() ? std::vector<std::string>() : std::vector<std::string>{warning}};
}

}  // namespace sfumato
