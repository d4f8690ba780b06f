#include "training/loading/latent_cache.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "core/json.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

constexpr std::int64_t kEncodeBatch = 32;
constexpr std::int64_t kPartSize = 32 * kEncodeBatch;  // the most that a killed run loses: a few seconds of work

using Origin = std::map<std::string, std::string>;

std::optional<torch::Tensor> kept_latents(const std::filesystem::path& path, const Origin& origin) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const SafetensorsFile file(path);
  if (file.metadata() != origin) return std::nullopt;
  return file.tensor("latents").clone();
}

/// Encodes images part by part; each part is kept as a separate file in `folder` until all are complete.
class PartwiseEncoder {
 public:
  PartwiseEncoder(const LatentSource& source, std::filesystem::path folder, Origin origin)
      : source_(source), folder_(std::move(folder)), origin_(std::move(origin)) {}

  /// Returns the posteriors' means, float16 [M, C, h, w] on the CPU.
  torch::Tensor encode(AutoencoderKLImpl& vae, const OnEncoded& on_encoded) const {
    std::vector<torch::Tensor> parts;
    for (std::int64_t first = 0; first < source_.size; first += kPartSize) {
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
    const auto report = [&](std::int64_t done) {
      if (on_encoded) on_encoded(done, source_.size);
    };
    std::vector<torch::Tensor> means;
    report(start);
    for (auto first = start; first < std::min(source_.size, start + kPartSize); first += kEncodeBatch) {
      const auto end = std::min(source_.size, first + kEncodeBatch);
      means.push_back(vae.encode(source_.images(torch::arange(first, end))).mode().to(torch::kCPU, torch::kFloat16));
      report(end);
    }
    return torch::cat(means).contiguous();  // the layout that a file has: sums over it then round alike
  }

  const LatentSource& source_;
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

/// Standardises `latents` (float32 [M, C, h, w] of `vae`) and writes the autoencoder of the results to `folder`: zero
/// mean and unit std in each channel or, without quant_conv, unit std over all channels.
torch::Tensor write_standardised(AutoencoderKLImpl& vae, torch::Tensor latents, const std::filesystem::path& folder) {
  const auto mean = latents.mean({0, 2, 3});                                           // [C]
  const auto std_dev = (latents - per_channel(mean)).square().mean({0, 2, 3}).sqrt();  // [C]
  const auto device = vae.parameters().front().device();
  auto config = vae.config();
  if (standardise_latents(vae, mean.to(device), std_dev.to(device))) {
    latents = (latents - per_channel(mean)) / per_channel(std_dev);
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

bool standardise_latents(AutoencoderKLImpl& vae, const torch::Tensor& mean, const torch::Tensor& std_dev) {
  const torch::NoGradGuard no_grad;
  auto parameters = vae.named_parameters();
  if (!parameters.contains("quant_conv.weight") || !parameters.contains("post_quant_conv.weight")) return false;
  auto weight = parameters["quant_conv.weight"], bias = parameters["quant_conv.bias"];  // [2C, 2C, 1, 1], [2C]
  const auto channels = mean.size(0);
  weight.narrow(0, 0, channels).div_(std_dev.reshape({-1, 1, 1, 1}));
  bias.narrow(0, 0, channels).sub_(mean).div_(std_dev);
  bias.narrow(0, channels, channels).sub_(2 * std_dev.log());  // log-variances follow the scale of the means
  auto post_weight = parameters["post_quant_conv.weight"], post_bias = parameters["post_quant_conv.bias"];
  post_bias.add_(post_weight.flatten(1).matmul(mean));
  post_weight.mul_(std_dev.reshape({1, -1, 1, 1}));
  return true;
}

LatentSource latent_source(Pack& pack, torch::Device device) {
  return {.origin = {{"pack", pack.origin()}, {"pictures", std::to_string(pack.size())}},
          .size = pack.size(),
          .images = [&pack, device](const torch::Tensor& indices) { return pack.images(indices, device); },
          .device = device};
}

LatentCache cache_latents(const RunFolder& run, const std::string& vae_folder, const LatentSource& source,
                          const OnEncoded& on_encoded) {
  const torch::NoGradGuard no_grad;
  const auto kept = run.path() / "latents.safetensors", own_vae = run.path() / "vae";
  const auto aside = run.unfinished_latents();
  auto origin = source.origin;
  origin["vae"] = vae_folder;
  const Placement placement{source.device, torch::kFloat32};
  auto latents = kept_latents(kept, origin);
  if (!latents) {
    AutoencoderKL vae(from_pretrained<AutoencoderKLImpl>(vae_folder, placement));
    for (auto& parameter : vae->parameters()) parameter.set_data(parameter.detach().clone());  // not the mapped file
    const auto encoded = PartwiseEncoder(source, aside, origin).encode(*vae, on_encoded);
    latents = write_standardised(*vae, encoded.to(torch::kFloat32), aside / "vae").to(torch::kFloat16);
    write_safetensors(aside / "latents.safetensors", {{"latents", *latents}}, origin);
    std::filesystem::remove(kept);
    std::filesystem::remove_all(own_vae);
    std::filesystem::rename(aside / "vae", own_vae);
    std::filesystem::rename(aside / "latents.safetensors", kept);  // last: its presence means that vae/ is complete
  }
  std::filesystem::remove_all(aside);
  return {*latents, AutoencoderKL(from_pretrained<AutoencoderKLImpl>(own_vae, placement))};
}

LatentCache cache_latents_as_given(const RunFolder& run, const std::string& name, const std::string& vae_folder,
                                   const LatentSource& source, const OnEncoded& on_encoded) {
  const torch::NoGradGuard no_grad;
  const auto kept = run.path() / (name + ".safetensors"), aside = run.unfinished_latents() / name;
  auto origin = source.origin;
  origin["vae"] = vae_folder;
  origin["latents"] = "as given";
  AutoencoderKL vae(from_pretrained<AutoencoderKLImpl>(vae_folder, {source.device, torch::kFloat32}));
  auto latents = kept_latents(kept, origin);
  if (!latents) {
    const auto encoded = PartwiseEncoder(source, aside, origin).encode(*vae, on_encoded);
    latents = vae->scale(encoded.to(torch::kFloat32)).to(torch::kFloat16);
    write_safetensors(kept, {{"latents", *latents}}, origin);
  }
  std::filesystem::remove_all(aside);
  return {*latents, vae};
}

void check_latent_channels(const torch::Tensor& latents, const std::string& key, std::int64_t value,
                           bool and_variance) {
  const auto expected = (and_variance ? 2 : 1) * latents.size(1);
  const std::string twice = and_variance ? "twice " : "";
  if (value != expected)
    refuse_misfit(key, value, twice + "the autoencoder's 'latent_channels', " + std::to_string(expected));
}

void check_latent_side(const torch::Tensor& latents, const std::string& key, std::int64_t value) {
  const auto side = latents.size(2);
  if (value != side) refuse_misfit(key, value, std::to_string(side) + ", the side of the latents");
}

void export_first_stage(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options) {
  const SafetensorsFile file(run.path() / "vae" / "diffusion_pytorch_model.safetensors");
  std::map<std::string, torch::Tensor> weights;
  for (const auto& name : file.names()) weights[name] = file.tensor(name);
  save_weights(weights, folder, options);
  write_json(folder / "config.json", read_json(run.path() / "vae" / "config.json"));
}

}  // namespace sfumato
