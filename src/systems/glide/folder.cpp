#include "systems/glide/folder.h"

#include <stdexcept>
#include <string>

#include "checkpoints/save.h"
#include "core/files.h"
#include "core/json.h"
#include "core/whole_folder.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

[[noreturn]] void refuse_file(const fs::path& path, const std::string& why) {
  throw std::runtime_error(path.string() + ": " + why);
}

GLIDEOriginal read_glide_network(const fs::path& path) {
  const auto file = open_tensors(path);
  if (!is_glide_original(*file)) refuse_file(path, "no network of GLIDE (transformer_proj.weight) in it");
  try {
    return read_glide_original(*file);
  } catch (const std::exception& error) {
    refuse_file(path, error.what());
  }
}

GLIDEOriginal read_stage(const fs::path& path, bool is_upsampler) {
  auto stage = read_glide_network(path);
  if (stage.is_upsampler() != is_upsampler)
    refuse_file(path, "its UNet has " + std::to_string(stage.unet.in_channels) + " input channels: it is " +
                          (is_upsampler ? "no upsampler" : "an upsampler, expected a base model"));
  return stage;
}

OrderedJson base_scheduler() {
  return {{"_class_name", "DDPMScheduler"}, {"beta_schedule", "squaredcos_cap_v2"}, {"clip_sample", true},
          {"num_train_timesteps", 1000},    {"prediction_type", "epsilon"},         {"variance_type", "learned_range"}};
}

OrderedJson upsample_scheduler() {
  return {{"_class_name", "DDIMScheduler"}, {"beta_end", 0.02},        {"beta_schedule", "linear"},
          {"beta_start", 0.0001},           {"clip_sample", true},     {"num_train_timesteps", 1000},
          {"prediction_type", "epsilon"},   {"set_alpha_to_one", true}};
}

OrderedJson model_index(const GLIDEFiles& files) {
  const OrderedJson unet = {"diffusers", "UNet2DConditionModel"}, text = {"sfumato", "GLIDETextModel"};
  OrderedJson index = {{"_class_name", "GLIDEPipeline"},
                       {"text_encoder", text},
                       {"text_noise_scheduler", {"diffusers", "DDPMScheduler"}},
                       {"text_unet", unet},
                       {"tokenizer", {"transformers", "GPT2Tokenizer"}}};
  if (!files.upsampler) return index;
  index["upscale_low_res_size"] = files.base.unet.sample_size.front();
  index["upscale_noise_scheduler"] = {"diffusers", "DDIMScheduler"};
  index["upscale_text_encoder"] = text;
  index["upscale_unet"] = unet;
  return index;
}

void write_part(const fs::path& folder, const OrderedJson& config, const NamedWeights& weights,
                const std::string& basename, const GLIDEFolderOptions& options) {
  save_weights(weights, folder,
               {.dtype = options.dtype, .max_shard_size = options.max_shard_size, .basename = basename});
  write_json(folder / "config.json", config);
}

/// Renames weights to the names of diffusers 0.0.4's text transformer.
NamedWeights with_text_model_level(const NamedWeights& weights) {
  NamedWeights named;
  for (const auto& [name, tensor] : weights) named["text_model." + name] = tensor;
  return named;
}

void write_stage(const GLIDEOriginal& stage, const fs::path& unet, const fs::path& text_encoder,
                 const GLIDEFolderOptions& options) {
  write_part(unet, stage.unet.to_json(), stage.unet_weights, "diffusion_pytorch_model", options);
  write_part(text_encoder, stage.text.to_json(), with_text_model_level(stage.text_weights), "model", options);
}

/// Writes vocab.json and merges.txt from the names in GPT-2's and GLIDE's releases, with that code's settings: texts
/// in lower case, padded with <|endoftext|>.
void write_released_tokenizer(const fs::path& from, const fs::path& to, std::int64_t length) {
  fs::create_directories(to);
  copy_whole_file(from / "encoder.json", to / "vocab.json");
  copy_whole_file(from / "vocab.bpe", to / "merges.txt");
  write_json(to / "tokenizer_config.json", OrderedJson{{"do_lower_case", true},
                                                       {"model_max_length", length},
                                                       {"pad_token", "<|endoftext|>"},
                                                       {"tokenizer_class", "GPT2Tokenizer"}});
}

void write_tokenizer(const GLIDEFiles& files, const fs::path& to) {
  if (fs::exists(files.tokenizer / "encoder.json"))
    write_released_tokenizer(files.tokenizer, to, files.base.text.max_position_embeddings);
  else
    copy_tokenizer_files(files.tokenizer, to);
}

}  // namespace

GLIDEFiles read_glide_files(const fs::path& base, const fs::path& upsampler, const fs::path& tokenizer) {
  GLIDEFiles files{.base = read_stage(base, false), .upsampler = std::nullopt, .tokenizer = tokenizer};
  if (!fs::exists(tokenizer / "vocab.bpe") && !fs::exists(tokenizer / "tokenizer_config.json"))
    throw std::runtime_error(tokenizer.string() +
                             ": no tokenizer here; expected encoder.json and vocab.bpe as released" +
                             " with GLIDE, or a tokenizer's folder with tokenizer_config.json");
  if (upsampler.empty()) return files;
  files.upsampler = read_stage(upsampler, true);
  if (files.upsampler->is_inpainting() != files.base.is_inpainting())
    refuse_file(upsampler,
                "its UNet has " + std::to_string(files.upsampler->unet.in_channels) + " input channels, expected " +
                    (files.base.is_inpainting() ? "those of an inpainting model, as " : "none for a mask, as ") +
                    base.string() + " has");
  return files;
}

bool write_glide_folder(const GLIDEFiles& files, const fs::path& folder, const GLIDEFolderOptions& options) {
  const auto stopped = [&] { return options.stop_requested && options.stop_requested(); };
  return write_whole_folder(folder, [&](const fs::path& written) {
    if (stopped()) return false;
    write_stage(files.base, written / "text_unet", written / "text_encoder", options);
    write_json(written / "text_noise_scheduler" / "scheduler_config.json", base_scheduler());
    if (stopped()) return false;
    if (files.upsampler) {
      write_stage(*files.upsampler, written / "upscale_unet", written / "upscale_text_encoder", options);
      write_json(written / "upscale_noise_scheduler" / "scheduler_config.json", upsample_scheduler());
    }
    write_tokenizer(files, written / "tokenizer");
    write_json(written / "model_index.json", model_index(files));
    return true;
  });
}

}  // namespace sfumato
