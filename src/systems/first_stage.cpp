#include "systems/first_stage.h"

#include <vector>

#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "models/vq_model.h"
#include "systems/stable_diffusion/vae.h"

namespace sfumato {
namespace {

/// Converts to luma of ITU-R 601, as OpenCV and Pillow do: [N, 3, H, W] to [N, 1, H, W].
torch::Tensor to_grey(const torch::Tensor& images) {
  const auto weights = torch::tensor({0.299F, 0.587F, 0.114F}).view({1, 3, 1, 1});
  return (images * weights).sum(1, true);
}

PlacedVae load_autoencoder(const ModelIndex& index, const std::string& part, const Placement& placement) {
  const auto& folder = index.folder();
  const auto name = index.class_of(part, {"AutoencoderKL", "AutoencoderTiny", "VQModel"});
  if (name == "AutoencoderTiny") return {load_network<AutoencoderTinyImpl>(folder, part, placement), placement};
  const bool upcasts_unless_told = name == "AutoencoderKL";
  const auto config = read_json(folder / part / "config.json");
  const auto own = vae_placement_of(placement, value_or(config, "force_upcast", upcasts_unless_told));
  if (name == "VQModel") return {load_network<VQModelImpl>(folder, part, own), own};
  return {load_network<AutoencoderKLImpl>(folder, part, own), own};
}

}  // namespace

std::int64_t FirstStage::channels() const {
  return is_pixels() ? channels_ : network_->config().latent_channels;
}

std::int64_t FirstStage::downscale_factor() const {
  return is_pixels() ? 1 : network_->config().downscale_factor();
}

torch::Tensor FirstStage::encode(const torch::Tensor& images) const {
  if (is_pixels()) return (channels_ == 1 ? to_grey(images) : images).to(device_, torch::kFloat32);
  const auto posterior = network_->encode(images.to(placement_.device, placement_.dtype));
  return network_->scale(posterior.mode()).to(device_, torch::kFloat32);
}

torch::Tensor FirstStage::decode(const torch::Tensor& x) const {
  if (is_pixels()) return x.to(torch::kCPU, torch::kFloat32).expand({-1, 3, -1, -1});
  std::vector<torch::Tensor> images;
  // One at a time: the decoder needs more memory than any other network.
  for (const auto& latent : network_->unscale(x.to(placement_.device, placement_.dtype)).split(1))
    images.push_back(network_->decode(latent).to(torch::kCPU, torch::kFloat32));
  return torch::cat(images);  // [N, 3, H, W]
}

FirstStage load_first_stage(const ModelIndex& index, const Placement& placement, std::int64_t pixel_channels) {
  const std::string part = index.names("vqvae") ? "vqvae" : index.names("vae") ? "vae" : "";
  if (part.empty()) return {pixel_channels, placement.device};
  const auto vae = load_autoencoder(index, part, placement);
  return {vae.network, vae.placement, placement.device};
}

Schedule load_schedule(const ModelIndex& index, const std::string& part) {
  const auto& folder = index.folder();
  if (!std::filesystem::is_directory(folder / part)) refuse_model(folder, "its folder " + part + " is missing");
  return load_part(folder, part, [](const std::filesystem::path& path) {
    return Schedule(ScheduleConfig::from_json(read_json(path / "scheduler_config.json")));
  });
}

}  // namespace sfumato
