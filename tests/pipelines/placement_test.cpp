#include "core/random.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "pipelines/generate.h"
#include "pipelines/vae.h"
#include "placements.h"
#include "small_unet.h"

namespace sfumato {
namespace {

constexpr std::int64_t kSide = 64;

/// A letter a token.
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

/// Its prediction scaled to about unit deviation, so that it takes part in the picture.
std::shared_ptr<UNet2DConditionModelImpl> random_unet() {
  const torch::NoGradGuard no_grad;
  auto unet = random_network<UNet2DConditionModelImpl>(small_unet_config());
  const auto normal = [](at::IntArrayRef shape) { return torch::randn(shape, seeded_generator(2), torch::kFloat32); };
  const auto deviation = unet->forward(normal({4, 4, 8, 8}), 500, normal({4, 12, 16})).std();
  unet->conv_out->weight.div_(deviation);
  unet->conv_out->bias.div_(deviation);
  return unet;
}

std::shared_ptr<AutoencoderKLImpl> random_vae() {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8, 16, 16};
  config.norm_num_groups = 4;
  return random_network<AutoencoderKLImpl>(config);
}

ControlNet random_controlnet() {
  ControlNetModelConfig config{.unet = small_unet_config()};
  config.conditioning_embedding_out_channels = {4, 4, 8, 8};
  return {random_network<ControlNetModelImpl>(config),
          torch::rand({1, 3, kSide, kSide}, seeded_generator(3), torch::kFloat32) * 2 - 1};
}

TextEncoder random_text_encoder() {
  const T5EncoderModelConfig config{
      .vocab_size = 32, .d_model = 16, .d_kv = 8, .d_ff = 32, .num_layers = 1, .num_heads = 2};
  auto network = std::make_shared<T5EncoderModelImpl>(config);
  initialize(*network, seeded_generator(1));
  return make_text_encoder(std::make_shared<Letters>(), network);
}

/// As load_stable_diffusion places it.
void place(torch::nn::Module& network, const Placement& placement) {
  network.to(placement.device, placement.dtype);
  if (placement.device.is_cuda()) make_channels_last(network);
}

StableDiffusion model_at(const Placement& placement) {
  ScheduleConfig config;
  config.clip_sample = false;
  StableDiffusion model{.text_encoders = {random_text_encoder()},
                        .unet = random_unet(),
                        .vae = random_vae(),
                        .schedule = Schedule(config),
                        .placement = placement,
                        .vae_placement = vae_placement_of(placement, /*force_upcast=*/true)};
  model.controlnets = {random_controlnet()};
  place(*model.text_encoders[0].module, placement);
  place(*model.unet, placement);
  place(*model.controlnets[0].network, placement);
  place(*model.vae, model.vae_placement);
  return model;
}

/// Most of what acts in the loop.
Request request_of(const std::string& prompt) {
  Request request{.prompt = prompt, .negative_prompt = "dog", .width = kSide, .height = kSide, .steps = 4};
  request.guidance_scale = 2;
  request.guidance_rescale = 0.5;
  request.pag_scale = 1;
  request.sampler = "euler_a";
  request.seed = 5;
  request.batch_count = 2;
  request.controls = {ControlUnit{.model = "random", .image = "random", .scale = 0.5}};
  return request;
}

torch::Tensor picture() {
  return torch::rand({1, 3, kSide, kSide}, seeded_generator(4), torch::kFloat32) * 2 - 1;
}

class PipelinesOn : public OnPlacement {
 protected:
  /// UNets of some 80 layers, one after the other; guidance multiplies what the halves differ in.
  void expect_near(const std::function<Generated(const StableDiffusion&)>& generate, double steps) const {
    const auto standard = generate(model_at({}));
    const auto made = generate(model_at(GetParam()));
    EXPECT_TRUE(made.latents.device() == GetParam().device && made.latents.scalar_type() == torch::kFloat32);
    EXPECT_TRUE(made.images.is_cpu() && made.images.scalar_type() == torch::kFloat32);
    EXPECT_LE(relative_error(made.latents, standard.latents), tolerance(GetParam().dtype, 80 * steps));
    EXPECT_LE(relative_error(made.images, standard.images), tolerance(GetParam().dtype, 80 * steps + 60));
  }
};

TEST_P(PipelinesOn, TextToImage) {
  expect_near([](const StableDiffusion& model) { return text_to_image(model, request_of("a red cat")); }, 4);
}

TEST_P(PipelinesOn, APictureOfOtherWordsIsFurtherAway) {
  const auto standard = text_to_image(model_at({}), request_of("a red cat")).latents;
  const auto other = text_to_image(model_at(GetParam()), request_of("zebras")).latents;
  EXPECT_GT(relative_error(other, standard), tolerance(GetParam().dtype, 80 * 4));
}

TEST_P(PipelinesOn, ASecondPassAtAHigherResolution) {
  auto request = request_of("a red cat");
  request.hires.scale = 1.5;
  expect_near([&](const StableDiffusion& model) { return text_to_image(model, request); }, 8);
}

TEST_P(PipelinesOn, ImageToImage) {
  expect_near([](const StableDiffusion& model) { return image_to_image(model, request_of("a red cat"), picture()); },
              4);
}

TEST_P(PipelinesOn, Inpaint) {
  const MaskedImage masked{picture(), torch::zeros({1, 1, kSide, kSide})};
  masked.mask.slice(3, 0, kSide / 2).fill_(1);
  expect_near([&](const StableDiffusion& model) { return inpaint(model, request_of("a red cat"), masked); }, 4);
}

INSTANTIATE_TEST_SUITE_P(Placements, PipelinesOn, testing::ValuesIn(placements()), placement_name);

using PipelinesOnCuda = OnCuda;

TEST_F(PipelinesOnCuda, TheLoopNeverMakesTheHostWaitForTheNewestStep) {
  const auto model = model_at({device_, torch::kBFloat16});
  auto request = request_of("a red cat");
  request.dynamic_threshold = 0.99;
  request.sag_scale = 0.5;
  std::optional<NoSynchronisation> guard;
  const OnStep on_step = [&](int step, int steps, const torch::Tensor&) {
    if (step == 0) guard.emplace();
    if (step + 1 == steps) guard.reset();
    return true;
  };
  EXPECT_NO_THROW(text_to_image(model, request, on_step));
}

TEST_F(PipelinesOnCuda, TheSameSeedGivesTheSamePictureAgain) {
  const auto model = model_at({device_, torch::kBFloat16});
  const auto once = text_to_image(model, request_of("a red cat")).images;
  // Kernels may add in an order of their own each time; noise of another seed is as far away as other noise is.
  EXPECT_LE(relative_error(text_to_image(model, request_of("a red cat")).images, once), roundoff(torch::kBFloat16));
}

}  // namespace
}  // namespace sfumato
