#include "core/random.h"
#include "diffusion/process.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "placements.h"
#include "small_unet.h"
#include "training/adamw.h"
#include "training/autocast.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

const T5EncoderModelConfig kTextConfig{
    .vocab_size = 32, .d_model = 16, .d_kv = 8, .d_ff = 32, .num_layers = 1, .num_heads = 2};

/// The networks of text_to_image_task, on a device in float32 as in training, and their loss.
struct Learning {
  explicit Learning(torch::Device place) : device(place), process(Schedule(), place) {
    prepare_for_training(*unet, seeded_generator(1), device);
    prepare_for_training(*text_encoder, seeded_generator(2), device);
    parameters = named_parameters_of(*unet, "unet");
    for (const auto& parameter : named_parameters_of(*text_encoder, "text_encoder")) parameters.push_back(parameter);
  }

  /// Runs a backward pass, in `dtype` under autocast, and returns the loss.
  double learn(torch::Dtype dtype) {
    const auto normal = [&](std::uint64_t seed) {
      return torch::randn({4, 4, 8, 8}, seeded_generator(seed), torch::kFloat32).to(device);
    };
    const auto latents = normal(3), noise = normal(4);
    const auto t = torch::tensor({10L, 300L, 600L, 999L}).to(device);
    const AutocastScope autocast(device.type(), dtype == torch::kBFloat16);
    UNet2DConditionInput input;
    input.sample = process.add_noise(latents, noise, t);
    input.timestep = t;
    input.encoder_hidden_states = text_encoder->forward(torch::tensor({{5L, 9L, 1L}}).expand({4, 3}).to(device));
    const auto target = process.target(PredictionType::v_prediction, latents, noise, t);
    const auto loss = (unet->forward(input).to(torch::kFloat32) - target).square().mean();
    loss.backward();
    return loss.item<double>();
  }

  torch::Tensor all(const std::function<torch::Tensor(const torch::Tensor&)>& part) const {
    std::vector<torch::Tensor> flat;
    for (const auto& [name, parameter] : parameters) flat.push_back(part(parameter).detach().flatten().cpu());
    return torch::cat(flat);
  }
  torch::Tensor gradient() const {
    return all([](const torch::Tensor& parameter) { return parameter.grad(); });
  }
  torch::Tensor weights() const {
    return all([](const torch::Tensor& parameter) { return parameter; });
  }

  torch::Device device;
  ForwardProcess process;
  UNet2DConditionModel unet{small_unet_config()};
  T5EncoderModel text_encoder{kTextConfig};
  NamedTensors parameters;
};

class TrainingOn : public OnPlacement {};

// Forward and backward passes through some 80 layers.
TEST_P(TrainingOn, LossAndGradientAreNearTheCpusInFloat32) {
  Learning standard(torch::kCPU), here(GetParam().device);
  const double expected = standard.learn(torch::kFloat32), loss = here.learn(GetParam().dtype);
  EXPECT_NEAR(loss, expected, tolerance(GetParam().dtype, 160) * expected);
  const auto gradient = here.gradient();
  EXPECT_EQ(gradient.scalar_type(), torch::kFloat32);
  EXPECT_LE(relative_error(gradient, standard.gradient()), tolerance(GetParam().dtype, 160));
  EXPECT_NEAR(clip_grad_norm(here.parameters, 0), standard.gradient().norm().item<double>(),
              tolerance(GetParam().dtype, 160) * standard.gradient().norm().item<double>());
}

/// Placements that a recipe's precision can name.
std::vector<Placement> training_placements() {
  auto all = placements();
  std::erase_if(all, [](const Placement& placement) { return placement.dtype == torch::kFloat16; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Placements, TrainingOn, testing::ValuesIn(training_placements()), placement_name);

using TrainingOnCuda = OnCuda;

// With the same gradients: AdamW's first steps have one length for any size of a gradient, even one of pure rounding.
TEST_F(TrainingOnCuda, AnUpdateIsTheCpus) {
  Learning standard(torch::kCPU), here(device_);
  AdamW on_cpu(standard.parameters, {}), on_cuda(here.parameters, {});
  const auto before = standard.weights();
  for (int step = 0; step < 2; ++step) {
    standard.learn(torch::kFloat32);
    for (std::size_t i = 0; i < here.parameters.size(); ++i)
      here.parameters[i].second.mutable_grad() = standard.parameters[i].second.grad().to(device_);
    on_cpu.step(0.01);
    on_cuda.step(0.01);
    on_cpu.zero_grad();
    on_cuda.zero_grad();
  }
  EXPECT_LE(relative_error(here.weights() - before, standard.weights() - before), 1e-4);
}

}  // namespace
}  // namespace sfumato
