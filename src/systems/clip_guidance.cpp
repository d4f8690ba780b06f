#include "systems/clip_guidance.h"

#include <cmath>
#include <stdexcept>

#include "core/number_text.h"
#include "core/shortened.h"

namespace sfumato {
namespace {

[[noreturn]] void refuse_clip(const CLIP& clip, const std::string& why) {
  throw std::invalid_argument("clip model '" + clip.name + "': " + why);
}

std::string sides_text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

void check_clip_schedule(const CLIP& clip, const Schedule& model) {
  if (model.continuous() || clip.schedule->continuous())
    refuse_clip(clip, "a noised model guides models whose noise schedule has betas: expected one without noise");
  const auto own = clip.schedule->num_train_timesteps(), expected = model.num_train_timesteps();
  if (own != expected)
    refuse_clip(clip, "its noise schedule has " + std::to_string(own) + " timesteps, expected the model's " +
                          std::to_string(expected));
  constexpr double kSame = 1e-6;
  for (std::int64_t t = 0; t < own; ++t) {
    const auto index = static_cast<std::size_t>(t);
    const double ours = clip.schedule->alphas_cumprod()[index], theirs = model.alphas_cumprod()[index];
    if (std::abs(ours - theirs) > kSame)
      refuse_clip(clip, "its noise schedule is another than the model's: alphas_cumprod at timestep " +
                            std::to_string(t) + " is " + number_text(ours) + ", expected " + number_text(theirs));
  }
}

/// Similarity of f(x_t, t) and the text.
torch::Tensor noised_value(const CLIP& clip, const torch::Tensor& text, const torch::Tensor& x, double t) {
  const auto timestep = torch::full({1}, t, torch::dtype(torch::kFloat32).device(clip.device));
  const auto image = unit_length(clip.model->image_features(x.to(clip.device), timestep));
  return clip.model->logit_factor() * (image * text).sum(1);
}

/// Minus the squared distance of the image and the text on the sphere.
torch::Tensor image_value(const CLIP& clip, const torch::Tensor& text, const torch::Tensor& images) {
  const auto image = unit_length(clip.model->image_features(clip.prepare(images)));
  return -2 * (image - text).norm(2, 1).div(2).asin().square();
}

}  // namespace

void check_clip(const CLIP& clip, const GuidedSpace& space) {
  const auto& vision = clip.model->config().vision_config;
  if (!clip.schedule) {
    if (vision.num_channels != 3)
      refuse_clip(clip, "it takes " + std::to_string(vision.num_channels) +
                            " channels, expected 3: a model without noise guides by decoded images");
    return;
  }
  if (vision.num_channels != space.channels)
    refuse_clip(clip, "a noised model of " + std::to_string(vision.num_channels) + " channels, expected " +
                          std::to_string(space.channels) + " as the diffusion model's x");
  if (vision.image_size != space.height || vision.image_size != space.width)
    refuse_clip(clip, "a noised model of " + sides_text(vision.image_size, vision.image_size) + ", expected " +
                          sides_text(space.width, space.height) + " as the diffusion model's x");
  check_clip_schedule(clip, space.schedule);
}

GuidanceValue clip_value(const std::shared_ptr<const CLIP>& clip, const GuidedTexts& texts, const GuidedSpace& space) {
  std::vector<torch::Tensor> encoded;
  for (const auto& text : texts.distinct) encoded.push_back(clip->encode_text(text));
  return [clip, encoded, of_step = texts.of_step, decode = space.decode](
             const torch::Tensor& x, const torch::Tensor& x0, const Evaluation& evaluation) {
    const auto& text = encoded[of_step.at(evaluation.step)];
    return clip->schedule ? noised_value(*clip, text, x, evaluation.level.t) : image_value(*clip, text, decode(x0));
  };
}

std::string cut_note(const CLIP& clip, const std::string& text) {
  const auto cut = clip.tokenizer->encode(text).cut;
  if (cut.empty()) return "";
  return "the prompt is longer than the " + std::to_string(clip.tokenizer->max_length()) +
         " tokens of the clip model; left out there: " + shortened(cut, 100);
}

}  // namespace sfumato
