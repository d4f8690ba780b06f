#include "systems/clip.h"

#include <stdexcept>

#include "checkpoints/load.h"
#include "core/json.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBilinear = 2, kBicubic = 3;  // Pillow's numbers

CLIPImageProcessor read_image_processor(const fs::path& file) {
  CLIPImageProcessor processor;
  if (!fs::exists(file)) return processor;
  const auto json = read_json(file);
  processor.image_mean = value_or(json, "image_mean", processor.image_mean);
  processor.image_std = value_or(json, "image_std", processor.image_std);
  const auto resample = value_or(json, "resample", kBicubic);
  if (resample != kBicubic && resample != kBilinear)
    throw std::invalid_argument("preprocessor_config.json: 'resample' is " + std::to_string(resample) +
                                "; expected 3 (bicubic) or 2 (bilinear)");
  if (processor.image_mean.size() != 3 || processor.image_std.size() != 3)
    throw std::invalid_argument("preprocessor_config.json: expected 3 numbers in 'image_mean' and 'image_std'");
  processor.bicubic = resample == kBicubic;
  return processor;
}

void check_clip_text(const CLIPModelConfig& config, const Tokenizer& tokenizer) {
  const auto positions = config.text_config.max_position_embeddings;
  if (tokenizer.max_length() > positions)
    throw std::invalid_argument("tokenizer: model_max_length is " + std::to_string(tokenizer.max_length()) +
                                ", but the text model has positions for " + std::to_string(positions));
}

std::optional<Schedule> read_clip_schedule(const fs::path& folder, const CLIPModelConfig& config) {
  const auto file = folder / "scheduler_config.json";
  if (!config.vision_config.time_embedding) return std::nullopt;
  if (!fs::exists(file))
    throw std::invalid_argument("a noised model (time_embedding) without scheduler_config.json, its noise schedule");
  return Schedule(ScheduleConfig::from_json(read_json(file)));
}

std::shared_ptr<const CLIP> read_clip(const fs::path& folder, torch::Device device) {
  if (!fs::exists(folder / "config.json"))
    throw std::invalid_argument("no CLIPModel: it has no config.json; expected a folder of transformers' CLIPModel");
  auto clip = std::make_shared<CLIP>();
  clip->name = folder.string();
  clip->device = device;
  clip->model = from_pretrained<CLIPModelImpl>(folder, {device, torch::kFloat32});
  for (auto& parameter : clip->model->parameters()) parameter.requires_grad_(false);
  const auto tokenizer = folder / "tokenizer";
  clip->tokenizer = load_tokenizer(fs::is_directory(tokenizer) ? tokenizer : folder);
  check_clip_text(clip->model->config(), *clip->tokenizer);
  clip->image_processor = read_image_processor(folder / "preprocessor_config.json");
  clip->schedule = read_clip_schedule(folder, clip->model->config());
  return clip;
}

}  // namespace

torch::Tensor CLIP::encode_text(const std::string& text) const {
  const torch::NoGradGuard no_gradients;
  const auto ids = torch::tensor(tokenizer->encode(text).ids, torch::kInt64).unsqueeze(0).to(device);  // [1, L]
  return unit_length(model->text_features(ids));
}

torch::Tensor CLIP::encode_images(const torch::Tensor& images) const {
  const torch::NoGradGuard no_gradients;
  if (const auto channels = model->config().vision_config.num_channels; channels != 3)
    throw std::invalid_argument("clip model '" + name + "' takes " + std::to_string(channels) +
                                " channels, expected 3: a model of latents has no features of images");
  const auto timestep = schedule ? torch::zeros({1}, torch::dtype(torch::kFloat32).device(device)) : torch::Tensor();
  return unit_length(model->image_features(prepare(images), timestep));
}

torch::Tensor CLIP::prepare(const torch::Tensor& images) const {
  const auto side = model->config().vision_config.image_size;
  auto pixels = (images.to(device, torch::kFloat32) / 2 + 0.5).clamp(0, 1);
  const auto height = pixels.size(2), width = pixels.size(3), shorter = std::min(height, width);
  if (shorter != side) {
    const std::vector<std::int64_t> size = {side * height / shorter, side * width / shorter};
    pixels = image_processor.bicubic ? at::_upsample_bicubic2d_aa(pixels, size, /*align_corners=*/false)
                                     : at::_upsample_bilinear2d_aa(pixels, size, /*align_corners=*/false);
  }
  pixels = pixels.narrow(2, (pixels.size(2) - side) / 2, side).narrow(3, (pixels.size(3) - side) / 2, side);
  const auto channels = [&](const std::vector<double>& values) {
    return torch::tensor(values, pixels.options()).view({1, 3, 1, 1});
  };
  return (pixels - channels(image_processor.image_mean)) / channels(image_processor.image_std);
}

bool is_noised_clip(const fs::path& folder) {
  if (!fs::exists(folder / "config.json")) return false;
  const auto config = read_json(folder / "config.json");
  const auto vision = config.is_object() ? config.value("vision_config", Json()) : Json();
  return vision.is_object() && value_or(vision, "time_embedding", false);
}

std::shared_ptr<const CLIP> load_clip(const fs::path& folder, torch::Device device) {
  try {
    return read_clip(folder, device);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error("clip model '" + folder.string() + "': " + error.what());
  }
}

}  // namespace sfumato
