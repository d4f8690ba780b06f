#include "training/latent_cache.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"
#include "core/json.h"

namespace sfumato {
namespace {

constexpr std::int64_t kEncodeBatch = 32;
constexpr std::int64_t kPartSize = 32 * kEncodeBatch;  // what a killed run loses at most: some seconds' work

using Origin = std::map<std::string, std::string>;

/// What the latents are of. A file of others is none of this run's.
Origin origin_of(const Recipe& recipe, const Pack& pack) {
  return {
      {"vae", recipe.vae.get<std::string>()}, {"pack", recipe.data.pack}, {"pictures", std::to_string(pack.size())}};
}

std::optional<torch::Tensor> kept_latents(const std::filesystem::path& path, const Origin& origin) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const SafetensorsFile file(path);
  if (file.metadata() != origin) return std::nullopt;
  return file.tensor("latents").clone();
}

/// Encodes a pack part by part, each of which is kept as a file of its own in `folder` until all are done.
class PackEncoder {
 public:
  PackEncoder(Pack& pack, torch::Device device, std::filesystem::path folder, Origin origin)
      : pack_(pack), device_(device), folder_(std::move(folder)), origin_(std::move(origin)) {}

  /// The posteriors' means, float16 [M, C, h, w] on the CPU.
  torch::Tensor encode(AutoencoderKLImpl& vae, const OnEncoded& on_encoded) const {
    std::vector<torch::Tensor> parts;
    for (std::int64_t first = 0; first < pack_.size(); first += kPartSize) {
      const auto path = folder_ / ("from-" + std::to_string(first) + ".safetensors");
      auto part = kept_latents(path, origin_);
      if (!part) {
        part = encode_part(vae, first, on_encoded);
        write_safetensors(path, {{"latents", *part}}, origin_);
      }
      parts.push_back(*part);
    }
    return torch::cat(parts);
  }

 private:
  torch::Tensor encode_part(AutoencoderKLImpl& vae, std::int64_t start, const OnEncoded& on_encoded) const {
    const auto tell = [&](std::int64_t done) {
      if (on_encoded) on_encoded(done, pack_.size());
    };
    std::vector<torch::Tensor> means;
    tell(start);
    for (auto first = start; first < std::min(pack_.size(), start + kPartSize); first += kEncodeBatch) {
      const auto end = std::min(pack_.size(), first + kEncodeBatch);
      const auto x = pack_.images(torch::arange(first, end), device_);
      means.push_back(vae.encode(x).mode().to(torch::kCPU, torch::kFloat16));
      tell(end);
    }
    return torch::cat(means).contiguous();  // as a file gives it back: sums over it then round alike
  }

  Pack& pack_;
  torch::Device device_;
  std::filesystem::path folder_;
  Origin origin_;
};

std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& network) {
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : network.named_parameters()) weights[item.key()] = item.value().detach();
  return weights;
}

torch::Tensor per_channel(const torch::Tensor& values) {
  return values.reshape({1, -1, 1, 1});
}

/// `latents` (float32 [M, C, h, w] of `vae`) as the autoencoder that it writes to `folder` would give them: of zero
/// mean and unit deviation a channel or, without quant_conv, of unit deviation in all.
torch::Tensor write_standardised(AutoencoderKLImpl& vae, torch::Tensor latents, const std::filesystem::path& folder) {
  const auto mean = latents.mean({0, 2, 3});                                             // [C]
  const auto deviation = (latents - per_channel(mean)).square().mean({0, 2, 3}).sqrt();  // [C]
  const auto device = vae.parameters().front().device();
  auto config = vae.config();
  if (standardise_latents(vae, mean.to(device), deviation.to(device))) {
    latents = (latents - per_channel(mean)) / per_channel(deviation);
    config.scaling_factor = 1.0;
  } else {
    config.scaling_factor = 1.0 / latents.std().item<double>();
    latents = latents * config.scaling_factor;
  }
  save_weights(weights_of(vae), folder);
  write_json(folder / "config.json", config.to_json());
  return latents;
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

LatentCache cache_latents(const RunFolder& run, const Recipe& recipe, Pack& pack, torch::Device device,
                          const OnEncoded& on_encoded) {
  const torch::NoGradGuard no_grad;
  const auto kept = run.path() / "latents.safetensors", own_vae = run.path() / "vae";
  const auto aside = run.unfinished_latents();
  const auto origin = origin_of(recipe, pack);
  const Placement placement{device, torch::kFloat32};
  auto latents = kept_latents(kept, origin);
  if (!latents) {
    AutoencoderKL vae(from_pretrained<AutoencoderKLImpl>(recipe.vae.get<std::string>(), placement));
    for (auto& parameter : vae->parameters()) parameter.set_data(parameter.detach().clone());  // never the map
    const auto encoded = PackEncoder(pack, device, aside, origin).encode(*vae, on_encoded);
    latents = write_standardised(*vae, encoded.to(torch::kFloat32), aside / "vae").to(torch::kFloat16);
    write_safetensors(aside / "latents.safetensors", {{"latents", *latents}}, origin);
    std::filesystem::remove(kept);
    std::filesystem::remove_all(own_vae);
    std::filesystem::rename(aside / "vae", own_vae);
    std::filesystem::rename(aside / "latents.safetensors", kept);  // last: where it exists, the folder beside is whole
  }
  std::filesystem::remove_all(aside);
  return {*latents, AutoencoderKL(from_pretrained<AutoencoderKLImpl>(own_vae, placement))};
}

}  // namespace sfumato
