#include <gtest/gtest.h>

#include <future>

#include "systems/stable_diffusion/random_model.h"

namespace sfumato {
namespace {

/// A request with its attachments; one model serves all requests at the same time.
struct Trial {
  Request request;
  Attachments attachments;
};

Request small_request(std::uint64_t seed) {
  Request request{.prompt = "a red cat", .width = kSide, .height = kSide, .steps = 3};
  request.sampler = "euler_a";
  request.seed = seed;
  return request;
}

/// Returns a seamless request with a ControlNet.
Trial seamless_trial() {
  Trial trial{.request = small_request(1), .attachments = {.controlnets = {random_controlnet(3)}}};
  trial.request.tiling = true;
  trial.request.controls = {ControlUnit{.model = "random", .image = "random", .scale = 0.5}};
  return trial;
}

/// Returns a request with another ControlNet, tiles that share statistics, and perturbed-attention guidance.
Trial tiled_trial() {
  Trial trial{.request = small_request(2),
              .attachments = {.controlnets = {random_controlnet(4)}, .vae_tiling = VaeTiling{.sample_size = 32}}};
  trial.request.controls = {ControlUnit{.model = "random", .image = "random", .scale = 1}};
  trial.request.pag_scale = 2;
  return trial;
}

/// Returns a request without a ControlNet, with self-attention guidance.
Trial plain_trial() {
  Trial trial{.request = small_request(3), .attachments = {}};
  trial.request.sag_scale = 0.7;
  return trial;
}

torch::Tensor image_of(const StableDiffusion& model, const Trial& trial) {
  return text_to_image(model, trial.request, {}, trial.attachments).images;
}

TEST(ConcurrentJobs, MakeTheImagesThatTheyMakeAlone) {
  at::set_num_threads(1);
  const auto model = model_at({});
  const std::vector<Trial> trials = {seamless_trial(), tiled_trial(), plain_trial()};
  std::vector<torch::Tensor> alone;
  for (const auto& trial : trials) alone.push_back(image_of(model, trial));
  for (int round = 0; round < 3; ++round) {
    std::vector<std::future<torch::Tensor>> together;
    for (const auto& trial : trials)
      together.push_back(std::async(std::launch::async, [&] { return image_of(model, trial); }));
    for (std::size_t k = 0; k < trials.size(); ++k) EXPECT_TRUE(torch::equal(together[k].get(), alone[k])) << k;
  }
}

/// Checks that the comparison can fail.
TEST(ConcurrentJobs, DifferInWhatTheyBringAlong) {
  const auto model = model_at({});
  auto seamless = seamless_trial(), tiled = tiled_trial();
  const auto with_seam = [&] {
    auto trial = seamless;
    trial.request.tiling = false;
    return image_of(model, trial);
  }();
  EXPECT_FALSE(torch::equal(image_of(model, seamless), with_seam));
  const auto in_tiles = image_of(model, tiled);
  tiled.attachments.vae_tiling.reset();
  EXPECT_FALSE(torch::equal(image_of(model, tiled), in_tiles));
  tiled.attachments.controlnets = {random_controlnet(5)};
  EXPECT_FALSE(torch::equal(image_of(model, tiled), in_tiles));
}

}  // namespace
}  // namespace sfumato
