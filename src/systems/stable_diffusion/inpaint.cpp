#include <stdexcept>

#include "images/mask.h"
#include "images/pixels.h"
#include "nn/circular_padding.h"
#include "systems/stable_diffusion/denoise.h"

namespace sfumato {
namespace {

/// The image at the working size.
struct Canvas {
  torch::Tensor image;   ///< [1, 3, H, W] in [-1, 1]
  torch::Tensor mask;    ///< [1, 1, H, W], 1 in the region to regenerate and 0 elsewhere
  torch::Tensor latent;  ///< the mask for latents: [1, 1, h, w]
};

/// Returns the mask at the image's size, inverted and blurred by the request: [1, 1, H, W] in [0, 1].
torch::Tensor prepared_mask(const MaskedImage& masked, const Request::Inpaint& how) {
  auto mask = resize_mask(masked.mask, masked.image.size(2), masked.image.size(3));
  if (how.invert_mask) mask = 1 - mask;
  return blur_mask(mask, how.mask_blur);
}

[[noreturn]] void refuse_empty(const Request::Inpaint& how) {
  throw std::invalid_argument("mask '" + how.mask + "'" + (how.invert_mask ? ", inverted," : "") +
                              " leaves nothing to make anew: expected an area of white at least as large as the VAE's "
                              "factor and the blur");
}

/// Returns the region of the image to process: the bounds of the mask, or the whole.
Region region_of(const torch::Tensor& image, const torch::Tensor& mask, const Request& request) {
  if (request.inpaint.only_masked)
    return masked_region(mask, request.inpaint.mask_padding, request.height, request.width);
  return {.height = image.size(2), .width = image.size(3)};
}

Canvas canvas_of(const Job& job, const torch::Tensor& image, const torch::Tensor& mask) {
  const auto& request = job.request;
  const auto height = request.height, width = request.width;
  const bool fills = request.inpaint.only_masked;
  Canvas canvas;
  canvas.image = fills ? resize_and_fill(image, height, width) : resize_lanczos(image, height, width);
  const auto resized =
      fills ? resize_and_fill(mask * 2 - 1, height, width) * 0.5 + 0.5 : resize_mask(mask, height, width);
  canvas.mask = (resized >= 0.5).to(torch::kFloat32);
  const auto factor = job.model.limits().vae_scale_factor;
  canvas.latent = canvas.mask.slice(2, 0, height, factor).slice(3, 0, width, factor);
  if (canvas.latent.max().item<float>() == 0) refuse_empty(request.inpaint);
  return canvas;
}

/// Initial values of a pass, drawn in the reference's order: the image's latents, noise, the masked image's latents.
struct Draws {
  torch::Tensor latents, noise, masked;  ///< [N, C, h, w]; latents undefined if unused
};

Draws draw(const Job& job, const Canvas& canvas, NoiseSource& noise) {
  const auto& model = job.model;
  Draws draws;
  if (!model.takes_mask() || job.request.strength < 1)
    draws.latents = encode(model, canvas.image, noise, job.attachments.vae_tiling);
  const std::vector<std::int64_t> shape = {model.vae->config().latent_channels, canvas.latent.size(2),
                                           canvas.latent.size(3)};
  draws.noise = first_noise(job.request, noise, shape).to(model.placement.device);
  // The reference encodes the masked image for every model. A model without channels for it needs only the draw, to
  // keep later draws the same.
  if (model.takes_mask())
    draws.masked = encode(model, canvas.image * (1 - canvas.mask), noise, job.attachments.vae_tiling);
  else
    noise.draw(shape);
  return draws;
}

/// Restores the known region of the image, noised to the current level.
AdjustLatents keep_known(const Draws& draws, const torch::Tensor& mask) {
  return [draws, mask](const torch::Tensor& x, const Level& level) {
    return (1 - mask) * add_noise(draws.latents, draws.noise, level) + mask * x;
  };
}

/// Generates the latents of the canvas, in generated; returns false if on_step ended it.
bool make_anew(const Job& job, const Canvas& canvas, Generated& generated) {
  const auto& request = job.request;
  const auto all = job.steps();
  const auto steps = job.begun(last_steps(all, request.steps, request.strength), request.steps);
  auto noise = noise_of(request);
  const auto draws = draw(job, canvas, noise);
  if (steps.empty()) return generated.latents = draws.latents, true;
  const auto mask = canvas.latent.to(job.model.placement.device);
  Denoising denoising{.start = request.strength < 1
                                   ? add_noise(draws.latents, draws.noise, steps.front().from)
                                   : draws.noise * initial_noise_scale(job.schedule, all, job.sampler.grid),
                      .steps = steps,
                      .all = all,
                      .noise = noise};
  if (job.model.takes_mask())
    denoising.concat = torch::cat({mask.repeat({draws.masked.size(0), 1, 1, 1}), draws.masked}, 1);
  else
    denoising.adjust = keep_known(draws, mask);
  return denoise(job, denoising, generated);
}

/// Returns the default size of a request: the model's for a region of the image, else the image's.
ImageSize open_size(const StableDiffusion& model, const Request& request, const torch::Tensor& image) {
  if (request.inpaint.only_masked) return {model.default_height(), model.default_width()};
  const auto factor = model.limits().vae_scale_factor;
  return {rounded_size(image.size(2), factor), rounded_size(image.size(3), factor)};
}

/// Composites `made`, at the request's size, over `region` of the image.
torch::Tensor laid_over(const MaskedImage& masked, const torch::Tensor& made, const Region& region, bool covers) {
  const auto fitted =
      covers ? resize_and_crop(made, region.height, region.width) : resize_lanczos(made, region.height, region.width);
  return paste(masked.image, fitted, masked.mask, region);
}

}  // namespace

Generated inpaint(const StableDiffusion& model, const Request& request, const MaskedImage& given, const OnStep& on_step,
                  const Attachments& attachments) {
  const torch::NoGradGuard no_gradients;
  const auto job = resolve(model, request, open_size(model, request, given.image), attachments, on_step);
  refuse_edits(job);
  const CircularPadding padding(job.request.tiling);
  Generated generated{.request = job.request};
  const auto& how = job.request.inpaint;
  if (!how.only_masked) note_rounding(request, given.image, model.limits().vae_scale_factor, generated);
  const MaskedImage masked{given.image, prepared_mask(given, how)};
  if (masked.mask.max().item<float>() == 0) refuse_empty(how);
  const auto region = region_of(masked.image, masked.mask, job.request);
  const auto canvas = canvas_of(job, cut_out(masked.image, region), cut_out(masked.mask, region));
  if (!make_anew(job, canvas, generated)) return generated;
  decode_result(job, generated);
  if (how.paste) generated.images = laid_over(masked, generated.images, region, how.only_masked);
  return generated;
}

}  // namespace sfumato
