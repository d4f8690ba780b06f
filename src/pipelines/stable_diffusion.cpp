#include "pipelines/stable_diffusion.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "checkpoints/load.h"
#include "models/clip_text_model.h"
#include "models/t5_encoder_model.h"
#include "pipelines/single_file.h"

namespace sfumato {
namespace {

using Folder = std::filesystem::path;

/// Of Stable Diffusion 1, where a config names none.
constexpr std::int64_t kDefaultLatentSide = 64;

[[noreturn]] void refuse(const Folder& folder, const std::string& why) {
  throw std::runtime_error("model '" + folder.string() + "': " + why);
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : " or ") + name;
  return list;
}

Json read_index(const Folder& folder) {
  if (!std::filesystem::exists(folder)) refuse(folder, "there is no such folder");
  if (!std::filesystem::exists(folder / "model_index.json"))
    refuse(folder, "no model_index.json in it: expected a diffusers StableDiffusionPipeline folder");
  auto index = read_json(folder / "model_index.json");
  if (!index.is_object()) refuse(folder, "model_index.json holds no object");
  const auto name = value_or<std::string>(index, "_class_name", "");
  const std::vector<std::string> known = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"};
  if (std::find(known.begin(), known.end(), name) == known.end())
    refuse(folder, "its _class_name is '" + name + "', expected " + listed(known));
  return index;
}

/// The class that model_index.json names for a part, which must be there and one of `known`.
std::string class_of(const Folder& folder, const Json& index, const std::string& part,
                     const std::vector<std::string>& known) {
  const auto entry = index.find(part);
  const bool named = entry != index.end() && entry->is_array() && entry->size() == 2 && (*entry)[1].is_string();
  if (!named) refuse(folder, "model_index.json names no " + part + ", expected " + listed(known));
  const auto name = (*entry)[1].get<std::string>();
  if (std::find(known.begin(), known.end(), name) == known.end())
    refuse(folder, "its " + part + " is a '" + name + "', expected " + listed(known));
  if (!std::filesystem::is_directory(folder / part)) refuse(folder, "its folder " + part + " is missing");
  return name;
}

/// What a part's config or weights are refused for, with the folder before it.
template <class Load>
auto load_part(const Folder& folder, const std::string& part, const Load& load) {
  try {
    return load(folder / part);
  } catch (const std::invalid_argument& error) {
    refuse(folder, part + ": " + error.what());
  }
}

/// Convolutions on CUDA run fastest with weights [out, k, k, in]; set once here.
void make_channels_last(torch::nn::Module& network) {
  for (auto& parameter : network.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
}

template <class Impl>
std::shared_ptr<Impl> load_network(const Folder& folder, const std::string& part, const Placement& placement) {
  return load_part(folder, part, [&](const Folder& path) { return from_pretrained<Impl>(path, placement); });
}

/// Such a UNet asks for more than a prompt, or gives other than the VAE takes.
void check_unet(const Folder& folder, const UNet2DConditionModelConfig& unet, const AutoencoderKLConfig& vae) {
  if (unet.time_cond_proj_dim != 0) refuse(folder, "unet: time_cond_proj_dim is not supported by this pipeline");
  if (!unet.addition_embed_type.empty())
    refuse(folder, "unet: addition_embed_type '" + unet.addition_embed_type + "' is not supported by this pipeline");
  if (!unet.class_embed_type.empty() || unet.num_class_embeds != 0)
    refuse(folder, "unet: class embeddings are not supported by this pipeline");
  if (unet.in_channels != vae.latent_channels)
    refuse(folder, "unet: in_channels " + std::to_string(unet.in_channels) + ", expected the VAE's latent_channels " +
                       std::to_string(vae.latent_channels));
}

TextEncoder load_text_encoder(const Folder& folder, const std::string& class_name, const Placement& placement) {
  const auto config = read_json(folder / "text_encoder" / "config.json");
  if (value_or(config, "use_attention_mask", false))
    refuse(folder, "text_encoder: use_attention_mask true is not supported");
  if (class_name == "T5EncoderModel") {
    auto encoder = load_network<T5EncoderModelImpl>(folder, "text_encoder", placement);
    return [encoder](const torch::Tensor& ids) { return encoder->forward(ids); };
  }
  auto encoder = load_network<CLIPTextModelImpl>(folder, "text_encoder", placement);
  return [encoder](const torch::Tensor& ids) { return encoder->forward(ids).last_hidden_state; };
}

Schedule load_schedule(const Folder& folder) {
  return load_part(folder, "scheduler", [](const Folder& path) {
    auto config = ScheduleConfig::from_json(read_json(path / "scheduler_config.json"));
    // As diffusers' pipeline sets them: folders written before it did say otherwise, but not their models.
    config.steps_offset = 1;
    config.clip_sample = false;
    return Schedule(config);
  });
}

/// float16 overflows in the decoders that say force_upcast.
Placement placement_of_vae(const Folder& folder, Placement placement) {
  const auto config = read_json(folder / "vae" / "config.json");
  if (placement.dtype == torch::kFloat16 && value_or(config, "force_upcast", true)) placement.dtype = torch::kFloat32;
  return placement;
}

StableDiffusion load_folder(const Folder& folder, const Placement& placement) {
  const auto index = read_index(folder);
  class_of(folder, index, "tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast", "T5Tokenizer", "T5TokenizerFast"});
  class_of(folder, index, "unet", {"UNet2DConditionModel"});
  class_of(folder, index, "vae", {"AutoencoderKL"});
  if (!std::filesystem::is_directory(folder / "scheduler")) refuse(folder, "its folder scheduler is missing");
  const auto text_encoder = class_of(folder, index, "text_encoder", {"CLIPTextModel", "T5EncoderModel"});
  const auto vae_placement = placement_of_vae(folder, placement);
  return {.tokenizer = load_part(folder, "tokenizer", load_tokenizer),
          .text_encoder = load_text_encoder(folder, text_encoder, placement),
          .unet = load_network<UNet2DConditionModelImpl>(folder, "unet", placement),
          .vae = load_network<AutoencoderKLImpl>(folder, "vae", vae_placement),
          .schedule = load_schedule(folder),
          .things = load_part(folder, "things.json", read_known_things),
          .placement = placement,
          .vae_placement = vae_placement};
}

}  // namespace

ModelLimits StableDiffusion::limits() const {
  return {.num_train_timesteps = schedule.num_train_timesteps(), .vae_scale_factor = vae->config().downscale_factor()};
}

std::string StableDiffusion::default_sampler() const {
  static const std::map<std::string, std::string> samplers = {{"DDPMScheduler", "ddpm"},
                                                              {"DEISMultistepScheduler", "deis"},
                                                              {"DPMSolverMultistepScheduler", "dpm++2m"},
                                                              {"DPMSolverSDEScheduler", "dpm++sde"},
                                                              {"DPMSolverSinglestepScheduler", "dpm++2m"},
                                                              {"EulerAncestralDiscreteScheduler", "euler_a"},
                                                              {"EulerDiscreteScheduler", "euler"},
                                                              {"HeunDiscreteScheduler", "heun"},
                                                              {"KDPM2AncestralDiscreteScheduler", "dpm2_a"},
                                                              {"KDPM2DiscreteScheduler", "dpm2"},
                                                              {"LCMScheduler", "lcm"},
                                                              {"LMSDiscreteScheduler", "lms"},
                                                              {"PNDMScheduler", "pndm"},
                                                              {"TCDScheduler", "tcd"},
                                                              {"UniPCMultistepScheduler", "unipc"}};
  if (schedule.config().algorithm_type == "sde-dpmsolver++") return "dpm++2m_sde";
  const auto found = samplers.find(schedule.config().class_name);
  return found == samplers.end() ? "ddim" : found->second;
}

std::int64_t StableDiffusion::default_height() const {
  const auto& size = unet->config().sample_size;
  return (size.empty() ? kDefaultLatentSide : size.front()) * vae->config().downscale_factor();
}

std::int64_t StableDiffusion::default_width() const {
  const auto& size = unet->config().sample_size;
  return (size.empty() ? kDefaultLatentSide : size.back()) * vae->config().downscale_factor();
}

StableDiffusion load_stable_diffusion(const Folder& path, const Placement& placement,
                                      const std::vector<Folder>& tokenizers) {
  auto model = std::filesystem::is_regular_file(path) ? load_single_file(path, placement, tokenizers)
                                                      : load_folder(path, placement);
  check_unet(path, model.unet->config(), model.vae->config());
  if (placement.device.is_cuda()) {
    make_channels_last(*model.unet);
    make_channels_last(*model.vae);
  }
  return model;
}

}  // namespace sfumato
