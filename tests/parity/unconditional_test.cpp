#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "checkpoints/safetensors.h"
#include "core/json.h"
#include "diffusion/subsequences.h"
#include "parity/compare.h"
#include "systems/unconditional/chain.h"

namespace sfumato {
namespace {

// A network's output is off by up to 3e-6 in float32 (tests/parity/models). Where eps is predicted, x0 is off by that
// times sigma / alpha, which is 75 at the noisiest level of most cases (linear betas, t = 900) and 157 at t = 999 of
// those that are respaced: 5e-4 of an x0 that clipping keeps at 1. The reference's tables in float32 add 1e-5. A
// timestep off by one has to give four times that, and gives 20 times that or more.
constexpr double kTrajectoryTolerance = 5e-4;

/// A case of cases.json, and what the reference made of it.
struct Case {
  Json json;
  SafetensorsFile expected;

  std::size_t steps() const {
    const auto& names = expected.names();
    return static_cast<std::size_t>(
        std::count_if(names.begin(), names.end(), [](const std::string& name) { return name.starts_with("x."); }));
  }
  std::vector<std::uint64_t> seeds() const {
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t k = 0; k < json.at("count").get<std::uint64_t>(); ++k)
      seeds.push_back(json.at("seed").get<std::uint64_t>() + k);
    return seeds;
  }
  ChainOptions options() const {
    ChainOptions options{.steps = json.value("steps", 0), .variance = json.value("variance", "")};
    if (json.contains("eta")) options.eta = json.at("eta").get<double>();
    options.skip_type = json.value("skip_type", options.skip_type);
    for (const auto count : json.value("respacing", std::vector<int>()))
      options.respacing += (options.respacing.empty() ? "" : ",") + std::to_string(count);
    return options;
  }
};

std::vector<Case> all_cases() {
  at::set_num_threads(1);  // networks this small only wait for each other on more
  std::vector<Case> cases;
  for (const auto& json : read_json(parity_folder() / "cases.json"))
    cases.push_back({json, SafetensorsFile(parity_folder() / (json.at("name").get<std::string>() + ".safetensors"))});
  return cases;
}

/// Moves each level's timestep, as the network receives it, by `t_error`.
void move_timesteps(Chain& chain, double t_error) {
  for (auto& step : chain.steps) step.from.t += t_error;
}

/// Our x after every step of a case.
struct Made {
  std::vector<torch::Tensor> steps;
  torch::Tensor images;
};

Made make(const Case& one, double t_error = 0) {
  const auto model = load_unconditional(parity_folder() / one.json.at("model").get<std::string>(), {});
  const bool inverse = one.json.value("inverse", false);
  auto chain = make_chain(model, one.options());
  if (inverse) chain = inverse_chain(chain);
  move_timesteps(chain, t_error);
  NoiseSource noise(one.seeds());
  const auto x = inverse ? one.expected.tensor("initial") : noise.draw(model.shape()) * chain.noise_scale;
  torch::Tensor labels;
  if (one.json.contains("classes")) labels = torch::tensor(one.json.at("classes").get<std::vector<std::int64_t>>());
  Made made;
  const auto last = run_chain(model, chain, {.x = x, .labels = labels, .noise = noise},
                              {.on_step = [&](int, int, const torch::Tensor& latents) {
                                made.steps.push_back(latents.clone());
                                return true;
                              }});
  const torch::NoGradGuard no_gradients;
  made.images = (model.first_stage.decode(last) / 2 + 0.5).clamp(0, 1);
  return made;
}

double worst_step(const Case& one, const Made& made) {
  double worst = 0;
  for (std::size_t i = 0; i < made.steps.size(); ++i)
    worst = std::max(worst, relative_error(made.steps[i], one.expected.tensor("x." + std::to_string(i))));
  return worst;
}

TEST(Unconditional, IsTheReferenceAfterEveryStep) {
  for (const auto& one : all_cases()) {
    SCOPED_TRACE(one.json.dump());
    const auto made = make(one);
    ASSERT_EQ(made.steps.size(), one.steps());
    const double worst = worst_step(one, made);
    EXPECT_LE(worst, kTrajectoryTolerance);
    std::printf("%s: worst step %.2g\n", one.json.at("name").get<std::string>().c_str(), worst);
  }
}

TEST(Unconditional, MakesTheReferencesImages) {
  int count = 0;
  for (const auto& one : all_cases()) {
    const auto& names = one.expected.names();
    if (std::find(names.begin(), names.end(), "images") == names.end()) continue;
    auto images = make(one).images;
    const auto expected = one.expected.tensor("images");
    if (expected.size(1) == 1) images = images.slice(1, 0, 1);  // grey is shown in three equal channels
    EXPECT_LE(relative_error(images, expected), kTrajectoryTolerance) << one.json.dump();
    ++count;
  }
  EXPECT_GT(count, 10);
}

TEST(FirstStage, EncodesAsTheReference) {
  const torch::NoGradGuard no_gradients;
  for (const std::string name : {"ldm_vq", "ldm_kl"}) {
    const SafetensorsFile expected(parity_folder() / (name + "_encoded.safetensors"));
    const auto model = load_unconditional(parity_folder() / name, {});
    const auto x = model.first_stage.encode(expected.tensor("image"));
    EXPECT_LE(relative_error(x, expected.tensor("x")), kNetworkTolerance) << name;
  }
}

TEST(Unconditional, DiffersWithATimestepOffByOne) {
  for (const auto& one : all_cases()) {
    const double worst = worst_step(one, make(one, 1));
    EXPECT_GT(worst, 4 * kTrajectoryTolerance) << one.json.dump();
    std::printf("%s, a timestep off by one: worst step %.2g\n", one.json.at("name").get<std::string>().c_str(), worst);
  }
}

TEST(Unconditional, DiffersWithAnotherVariance) {
  auto cases = all_cases();
  for (auto& one : cases) {
    if (one.json.at("name") != "ddpm_fixed_large" && one.json.at("name") != "ddpm_learned_range") continue;
    one.json["variance"] = "fixed_small";
    EXPECT_GT(worst_step(one, make(one)), 10 * kTrajectoryTolerance) << one.json.dump();
  }
}

}  // namespace
}  // namespace sfumato
