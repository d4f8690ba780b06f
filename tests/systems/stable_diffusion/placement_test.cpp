#include "placements.h"
#include "systems/stable_diffusion/random_model.h"

namespace sfumato {
namespace {

Attachments attachments_at(const Placement& placement) {
  const auto controlnet = random_controlnet();
  place(*controlnet.network, placement);
  return {.controlnets = {controlnet}};
}

/// Uses most features of the sampling loop.
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
  /// Compares with the tolerance of some 80 layers in sequence; guidance amplifies the halves' differences.
  void expect_near(const std::function<Generated(const StableDiffusion&, const Attachments&)>& generate,
                   double steps) const {
    const auto standard = generate(model_at({}), attachments_at({}));
    const auto made = generate(model_at(GetParam()), attachments_at(GetParam()));
    EXPECT_TRUE(made.latents.device() == GetParam().device && made.latents.scalar_type() == torch::kFloat32);
    EXPECT_TRUE(made.images.is_cpu() && made.images.scalar_type() == torch::kFloat32);
    EXPECT_LE(relative_error(made.latents, standard.latents), tolerance(GetParam().dtype, 80 * steps));
    EXPECT_LE(relative_error(made.images, standard.images), tolerance(GetParam().dtype, 80 * steps + 60));
  }
};

TEST_P(PipelinesOn, TextToImage) {
  expect_near([](const auto& model, const auto& own) { return text_to_image(model, request_of("a red cat"), {}, own); },
              4);
}

TEST_P(PipelinesOn, AnImageOfOtherWordsIsFurtherAway) {
  const auto standard = text_to_image(model_at({}), request_of("a red cat"), {}, attachments_at({})).latents;
  const auto other = text_to_image(model_at(GetParam()), request_of("zebras"), {}, attachments_at(GetParam())).latents;
  EXPECT_GT(relative_error(other, standard), tolerance(GetParam().dtype, 80 * 4));
}

TEST_P(PipelinesOn, ASecondPassAtAHigherResolution) {
  auto request = request_of("a red cat");
  request.hires.scale = 1.5;
  expect_near([&](const auto& model, const auto& own) { return text_to_image(model, request, {}, own); }, 8);
}

TEST_P(PipelinesOn, ImageToImage) {
  expect_near([](const auto& model,
                 const auto& own) { return image_to_image(model, request_of("a red cat"), picture(), {}, own); },
              4);
}

TEST_P(PipelinesOn, Inpaint) {
  const MaskedImage masked{picture(), torch::zeros({1, 1, kSide, kSide})};
  masked.mask.slice(3, 0, kSide / 2).fill_(1);
  expect_near(
      [&](const auto& model, const auto& own) { return inpaint(model, request_of("a red cat"), masked, {}, own); }, 4);
}

INSTANTIATE_TEST_SUITE_P(Placements, PipelinesOn, testing::ValuesIn(placements()), placement_name);

/// Lets text encoder and VAE rest on the CPU, as load_stable_diffusion does with Placement::offload.
void offload(StableDiffusion& model) {
  for (auto& encoder : model.text_encoders) encoder = offloaded(encoder, model.placement.device);
  model.vae->offload(model.placement.device);
}

/// Addresses of the weights that are offloaded.
std::vector<const void*> resting_places(const StableDiffusion& model) {
  std::vector<const void*> places;
  for (const auto& network : {model.text_encoders[0].module, std::shared_ptr<torch::nn::Module>(model.vae)})
    for (const auto& weight : network->parameters()) places.push_back(weight.const_data_ptr());
  return places;
}

TEST(Offload, GivesTheSameImageAndReturnsTheWeights) {
  const auto attachments = attachments_at({});
  const auto expected = image_to_image(model_at({}), request_of("a red cat"), picture(), {}, attachments).images;
  auto model = model_at({});
  offload(model);
  const auto before = resting_places(model);
  EXPECT_TRUE(image_to_image(model, request_of("a red cat"), picture(), {}, attachments).images.equal(expected));
  EXPECT_EQ(resting_places(model), before);
}

using PipelinesOnCuda = OnCuda;

TEST_F(PipelinesOnCuda, OffloadedNetworksRestOnTheHostAndGiveTheSameImage) {
  const Placement placement{device_, torch::kFloat32};
  const auto attachments = attachments_at(placement);
  const auto expected = text_to_image(model_at(placement), request_of("a red cat"), {}, attachments).images;
  auto model = model_at(placement);
  model.text_encoders[0].module->to(torch::kCPU);
  model.vae->to(torch::kCPU);
  offload(model);
  const auto made = text_to_image(model, request_of("a red cat"), {}, attachments).images;
  EXPECT_LE(relative_error(made, expected), roundoff(torch::kFloat32));
  for (const auto& weight : model.vae->parameters()) EXPECT_TRUE(weight.is_cpu() && weight.is_pinned());
}

TEST_F(PipelinesOnCuda, ReplayedGraphsGiveTheSameImage) {
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    auto model = model_at({device_, dtype});
    auto request = request_of("a red cat");
    request.pag_scale = 0;  // perturbed layers are not replayed
    request.steps = 8;
    const auto attachments = attachments_at(model.placement);
    const auto expected = text_to_image(model, request, {}, attachments).latents;
    model.replayed_unet = replayed(model.unet, device_);
    EXPECT_NE(model.replayed_unet->note().find("libsfumato_cuda_graphs"), std::string::npos);
    for (const int run : {1, 2}) {
      const auto made = text_to_image(model, request, {}, attachments);
      EXPECT_LE(relative_error(made.latents, expected), roundoff(dtype)) << run;
      EXPECT_EQ(model.replayed_unet->warning(), "");
    }
  }
}

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
  EXPECT_NO_THROW(text_to_image(model, request, on_step, attachments_at(model.placement)));
}

TEST_F(PipelinesOnCuda, TheSameSeedGivesTheSameImageAgain) {
  const auto model = model_at({device_, torch::kBFloat16});
  const auto attachments = attachments_at(model.placement);
  const auto once = text_to_image(model, request_of("a red cat"), {}, attachments).images;
  // Kernels may add in a different order each time; noise of another seed differs as much as any other noise.
  EXPECT_LE(relative_error(text_to_image(model, request_of("a red cat"), {}, attachments).images, once),
            roundoff(torch::kBFloat16));
}

}  // namespace
}  // namespace sfumato
