#include "training/latent_cache.h"

#include <algorithm>
#include <stdexcept>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"
#include "core/json.h"

namespace sfumato {
namespace {

constexpr std::int64_t kEncodeBatch = 32;

torch::Tensor encode_all(AutoencoderKLImpl& vae, Pack& pack, torch::Device device) {
  std::vector<torch::Tensor> means;
  for (std::int64_t first = 0; first < pack.size(); first += kEncodeBatch) {
    const auto end = std::min(pack.size(), first + kEncodeBatch);
    const auto x = pack.images(torch::arange(first, end), device);
    means.push_back(vae.encode(x).mode().to(torch::kCPU, torch::kFloat16));
  }
  return torch::cat(means);  // [M, C, h, w]
}

std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& network) {
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : network.named_parameters()) weights[item.key()] = item.value().detach();
  return weights;
}

torch::Tensor per_channel(const torch::Tensor& values) {
  return values.reshape({1, -1, 1, 1});
}

}  // namespace

bool standardise_latents(AutoencoderKLImpl& vae, const torch::Tensor& mean, const torch::Tensor& deviation) {
  const torch::NoGradGuard no_grad;
  auto parameters = vae.named_parameters();
  if (!parameters.contains("quant_conv.weight") || !parameters.contains("post_quant_conv.weight")) return false;
  auto weight = parameters["quant_conv.weight"], bias = parameters["quant_conv.bias"];  // [2C, 2C, 1, 1], [2C]
  const auto channels = mean.size(0);
  weight.narrow(0, 0, channels).div_(deviation.reshape({-1, 1, 1, 1}));
  bias.narrow(0, 0, channels).sub_(mean).div_(deviation);
  bias.narrow(0, channels, channels).sub_(2 * deviation.log());  // log-variances follow the means' scale
  auto post_weight = parameters["post_quant_conv.weight"], post_bias = parameters["post_quant_conv.bias"];
  post_bias.add_(post_weight.flatten(1).matmul(mean));
  post_weight.mul_(deviation.reshape({1, -1, 1, 1}));
  return true;
}

LatentCache cache_latents(const RunFolder& run, const Recipe& recipe, Pack& pack, torch::Device device) {
  const torch::NoGradGuard no_grad;
  const auto vae = recipe.vae.get<std::string>();
  const std::map<std::string, std::string> origin{
      {"vae", vae}, {"pack", recipe.data.pack}, {"pictures", std::to_string(pack.size())}};
  const Placement placement{device, torch::kFloat32};
  const auto kept = run.path() / "latents.safetensors";
  const auto own_vae = run.path() / "vae";
  if (std::filesystem::exists(kept)) {
    const SafetensorsFile file(kept);
    if (file.metadata() == origin) {
      return {file.tensor("latents").clone(), AutoencoderKL(from_pretrained<AutoencoderKLImpl>(own_vae, placement))};
    }
    std::filesystem::remove(kept);
  }
  AutoencoderKL network(from_pretrained<AutoencoderKLImpl>(vae, placement));
  for (auto& parameter : network->parameters()) parameter.set_data(parameter.detach().clone());  // never the map
  auto latents = encode_all(*network, pack, device).to(torch::kFloat32);
  const auto mean = latents.mean({0, 2, 3});                                             // [C]
  const auto deviation = (latents - per_channel(mean)).square().mean({0, 2, 3}).sqrt();  // [C]
  auto config = network->config();
  if (standardise_latents(*network, mean.to(device), deviation.to(device))) {
    latents = (latents - per_channel(mean)) / per_channel(deviation);
    config.scaling_factor = 1.0;
  } else {
    config.scaling_factor = 1.0 / latents.std().item<double>();
    latents = latents * config.scaling_factor;
  }
  save_weights(weights_of(*network), own_vae);
  write_json(own_vae / "config.json", config.to_json());
  latents = latents.to(torch::kFloat16);
  write_safetensors(kept, {{"latents", latents}}, origin);  // last: where it exists, the folder beside it is whole
  return {latents, AutoencoderKL(from_pretrained<AutoencoderKLImpl>(own_vae, placement))};
}

}  // namespace sfumato
