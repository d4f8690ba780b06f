#include "systems/stable_diffusion/ddim_map.h"

#include <stdexcept>
#include <utility>
#include <vector>

#include "core/number_text.h"
#include "diffusion/subsequences.h"
#include "images/pixels.h"
#include "systems/stable_diffusion/conditioning.h"
#include "systems/stable_diffusion/denoise.h"
#include "systems/stable_diffusion/generate.h"

namespace sfumato {
namespace {

class TextDdimMap : public DdimMap {
 public:
  TextDdimMap(StableDiffusion model, DdimMapOptions options) : model_(std::move(model)), options_(std::move(options)) {
    if (options_.label || options_.edit_label)
      throw std::invalid_argument("a class: expected none with this model, which takes a prompt");
    if (model_.edits_images())
      throw std::invalid_argument("the model edits images by instructions: expected one that makes them from text");
    if (options_.guidance_scale != 1 && options_.prompt.empty() && options_.edit_prompt.value_or("").empty())
      throw std::invalid_argument("guidance " + number_text(options_.guidance_scale) +
                                  " without a prompt: expected both");
    check_side("width", options_.width);
    check_side("height", options_.height);
  }

  torch::Tensor fit(const torch::Tensor& image) const override {
    const auto factor = model_.limits().vae_scale_factor;
    const ImageSize size{options_.height > 0 ? options_.height : image.size(2),
                         options_.width > 0 ? options_.width : image.size(3)};
    const ImageSize rounded{rounded_size(size.height, factor), rounded_size(size.width, factor)};
    const auto note = rounding_note("the image", size, rounded, factor);
    if (!note.empty() && options_.on_warning) options_.on_warning(note);
    return resize_lanczos(image, rounded.height, rounded.width);
  }

  torch::Tensor to_noise(const torch::Tensor& image, std::int64_t steps, const OnStep& on_step) const override {
    const torch::NoGradGuard no_gradients;
    const auto& placement = model_.vae_placement;
    const auto posterior = model_.vae->encode(image.to(placement.device, placement.dtype));
    auto wanted = request(steps, options_.prompt, 1);
    wanted.guidance_scale = 1;
    return run(wanted, model_.vae->scale(posterior.mode()).to(torch::kFloat32), true, on_step).latents;
  }

  torch::Tensor to_images(const torch::Tensor& noise, std::int64_t steps, const OnStep& on_step) const override {
    const torch::NoGradGuard no_gradients;
    auto wanted = request(steps, options_.edit_prompt.value_or(options_.prompt), noise.size(0));
    wanted.guidance_scale = options_.guidance_scale;
    const auto generated = run(wanted, noise, false, on_step);
    return generated.latents.defined() ? decode(model_, generated.latents) : torch::Tensor();
  }

  bool is_pixels() const override { return false; }

 private:
  void check_side(const std::string& name, std::int64_t pixels) const {
    const auto factor = model_.limits().vae_scale_factor;
    if (pixels < 0 || pixels % factor != 0)
      throw std::invalid_argument(name + " " + std::to_string(pixels) + ": expected a multiple of " +
                                  std::to_string(factor) + " (the VAE's factor)");
  }

  static Request request(std::int64_t steps, const std::string& prompt, std::int64_t count) {
    Request request;
    request.prompt = prompt;
    request.sampler = "ddim";
    request.steps = steps;
    request.batch_count = count;
    request.eta = 0;
    return request;
  }

  Generated run(const Request& requested, const torch::Tensor& start, bool inverse, const OnStep& on_step) const {
    const auto factor = model_.limits().vae_scale_factor;
    const auto job = resolve(model_, requested, {start.size(2) * factor, start.size(3) * factor}, {}, on_step);
    Generated generated{.request = job.request};
    const auto forward = job.steps();
    const auto steps = inverse ? inverse_steps(forward) : forward;
    // Sampling at eta 0 draws no noise.
    NoiseSource noise(std::vector<std::uint64_t>(static_cast<std::size_t>(start.size(0)), 0));
    const Denoising denoising{
        .start = start, .steps = steps, .all = steps, .noise = noise, .concat = concat_without_mask(model_, start)};
    if (!denoise(job, denoising, generated)) generated.latents = torch::Tensor();
    if (options_.on_warning)
      for (const auto& warning : generated.warnings) options_.on_warning(warning);
    return generated;
  }

  StableDiffusion model_;
  DdimMapOptions options_;
};

}  // namespace

std::unique_ptr<DdimMap> make_ddim_map(StableDiffusion model, const DdimMapOptions& options) {
  return std::make_unique<TextDdimMap>(std::move(model), options);
}

}  // namespace sfumato
