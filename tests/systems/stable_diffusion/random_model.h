#pragma once

#include "core/random.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "small_unet.h"
#include "systems/stable_diffusion/generate.h"
#include "systems/stable_diffusion/vae.h"

// A small Stable Diffusion of random weights, whose images have kSide pixels a side.

namespace sfumato {

constexpr std::int64_t kSide = 64;

/// Tokenizer with one token for each letter.
class Letters : public Tokenizer {
 public:
  Tokens encode(const std::string& text) const override {
    Tokens tokens{.ids = text_ids(text), .cut = ""};
    tokens.ids.resize(static_cast<std::size_t>(max_length()), special_ids().pad);
    tokens.ids.back() = special_ids().eos;
    return tokens;
  }
  std::vector<std::int64_t> text_ids(const std::string& text) const override {
    std::vector<std::int64_t> ids;
    for (const char letter : text) ids.push_back(2 + letter % 30);
    return ids;
  }
  SpecialIds special_ids() const override { return {.bos = {}, .eos = 1, .pad = 0, .comma = {}}; }
  std::int64_t max_length() const override { return 12; }
};

template <class Impl>
std::shared_ptr<Impl> random_network(const typename Impl::Config& config) {
  auto network = std::make_shared<Impl>(config);
  initialize(*network, seeded_generator(1));
  network->eval();
  return network;
}

/// Returns a UNet with its prediction scaled to about unit std, so that it affects the image.
inline std::shared_ptr<UNet2DConditionModelImpl> random_unet() {
  const torch::NoGradGuard no_grad;
  auto unet = random_network<UNet2DConditionModelImpl>(small_unet_config());
  const auto normal = [](at::IntArrayRef shape) { return torch::randn(shape, seeded_generator(2), torch::kFloat32); };
  const auto std_dev = unet->forward(normal({4, 4, 8, 8}), 500, normal({4, 12, 16})).std();
  unet->conv_out->weight.div_(std_dev);
  unet->conv_out->bias.div_(std_dev);
  return unet;
}

inline std::shared_ptr<AutoencoderKLImpl> random_vae() {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8, 16, 16};
  config.norm_num_groups = 4;
  return random_network<AutoencoderKLImpl>(config);
}

inline ControlNet random_controlnet(std::uint64_t image_seed = 3) {
  ControlNetModelConfig config{.unet = small_unet_config()};
  config.conditioning_embedding_out_channels = {4, 4, 8, 8};
  return {random_network<ControlNetModelImpl>(config),
          torch::rand({1, 3, kSide, kSide}, seeded_generator(image_seed), torch::kFloat32) * 2 - 1};
}

inline TextEncoder random_text_encoder() {
  const T5EncoderModelConfig config{
      .vocab_size = 32, .d_model = 16, .d_kv = 8, .d_ff = 32, .num_layers = 1, .num_heads = 2};
  auto network = std::make_shared<T5EncoderModelImpl>(config);
  initialize(*network, seeded_generator(1));
  return make_text_encoder(std::make_shared<Letters>(), network);
}

/// Places a network as load_stable_diffusion does.
inline void place(torch::nn::Module& network, const Placement& placement) {
  network.to(placement.device, placement.dtype);
  if (placement.device.is_cuda()) make_channels_last(network);
}

inline StableDiffusion model_at(const Placement& placement) {
  ScheduleConfig config;
  config.clip_sample = false;
  StableDiffusion model{.text_encoders = {random_text_encoder()},
                        .unet = random_unet(),
                        .vae = random_vae(),
                        .schedule = Schedule(config),
                        .placement = placement,
                        .vae_placement = vae_placement_of(placement, /*force_upcast=*/true)};
  place(*model.text_encoders[0].module, placement);
  place(*model.unet, placement);
  place(*model.vae, model.vae_placement);
  return model;
}

}  // namespace sfumato
