#include "training/kinds/unconditional/example_source.h"

#include <stdexcept>

#include "models/unet_2d_model.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

std::unique_ptr<ImageSet> open_images(const UnconditionalRecipe& recipe, const TaskContext& context) {
  const auto unet = UNet2DModelConfig::from_json(recipe.unet);
  return find_image_set_format(recipe.data.format)
      .open({.path = recipe.data.path,
             .image_size = recipe.data.image_size,
             .channels = recipe.vae.empty() ? unet.in_channels : 3,
             .resize = recipe.data.resize,
             .held_out = recipe.data.held_out,
             .read_image = context.read_image,
             .on_read = context.on_read});
}

torch::Tensor mirror(const torch::Tensor& images) {
  return images.flip({3});
}

}  // namespace

ExampleSource::ExampleSource(const UnconditionalRecipe& recipe, const TaskContext& context)
    : images_(open_images(recipe, context)), device_(context.device) {
  check_network_classes(recipe);
  if (!recipe.vae.empty()) encode(recipe, context);
}

void ExampleSource::check_network_classes(const UnconditionalRecipe& recipe) {
  const auto embeds = UNet2DModelConfig::from_json(recipe.unet).num_class_embeds;
  if (embeds == 0) return;
  classes_ = images_->classes();
  if (classes_ == 0)
    throw std::invalid_argument("unet: 'num_class_embeds' is " + std::to_string(embeds) + "; expected null: '" +
                                recipe.data.path + "' has no classes");
  const auto none = recipe.data.class_dropout > 0 ? 1 : 0;
  if (embeds != classes_ + none)
    refuse_misfit("unet: 'num_class_embeds'", embeds,
                  std::to_string(classes_ + none) + ", the classes of '" + recipe.data.path + "'" +
                      (none > 0 ? " and one for none (class_dropout)" : ""));
}

void ExampleSource::encode(const UnconditionalRecipe& recipe, const TaskContext& context) {
  const auto count = images_->size();
  const auto copies = recipe.data.horizontal_flip ? 2 : 1;
  const auto cache = cache_latents(
      context.run, recipe.vae,
      {.origin = {{"images", recipe.data.path},
                  {"size", std::to_string(recipe.data.image_size)},
                  {"resize", recipe.data.resize},
                  {"pictures", std::to_string(copies * count)}},
       .size = copies * count,
       .images =
           [&](const torch::Tensor& indices) {
             const auto images = images_->images(indices.remainder(count), device_);
             return torch::where((indices >= count).to(device_).view({-1, 1, 1, 1}), mirror(images), images);
           },
       .device = device_},
      context.on_encoded);
  latents_ = cache.latents;
  vae_ = cache.vae;
  const auto unet = UNet2DModelConfig::from_json(recipe.unet);
  check_latent_channels(latents_, "unet: 'in_channels'", unet.in_channels);
  expect_sample_size(unet, latents_.size(2), "the side of the latents");
}

std::vector<std::int64_t> ExampleSource::shape() const {
  return latents_.defined() ? latents_.sizes().slice(1).vec() : images_->image_shape();
}

torch::Tensor ExampleSource::x0(const torch::Tensor& indices, const torch::Tensor& mirrored) {
  torch::Tensor x;
  if (latents_.defined()) {
    x = latents_.index_select(0, indices + images_->size() * mirrored.to(torch::kInt64)).to(device_, torch::kFloat32);
  } else {
    const auto images = images_->images(indices, device_);
    x = torch::where(mirrored.to(device_).view({-1, 1, 1, 1}), mirror(images), images);
  }
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor ExampleSource::decode(const torch::Tensor& x0) {
  const auto images = latents_.defined() ? vae_->decode(vae_->unscale(x0)) : x0;
  return images.size(1) == 1 ? images.expand({-1, 3, -1, -1}) : images;
}

}  // namespace sfumato
