#include "systems/stable_diffusion/vae.h"

#include <stdexcept>

#include "checkpoints/load.h"
#include "models/autoencoder_tiny_file.h"
#include "models/vae_file.h"

namespace sfumato {
namespace {

using std::filesystem::path;

[[noreturn]] void refuse_vae(const path& where, const std::string& why) {
  throw std::runtime_error("VAE '" + where.string() + "': " + why);
}

PlacedVae load_vae_folder(const path& where, const Placement& placement) {
  const auto folder = std::filesystem::exists(where / "model_index.json") ? where / "vae" : where;
  if (!std::filesystem::exists(folder / "config.json"))
    refuse_vae(where, "no config.json in it: expected a diffusers AutoencoderKL or AutoencoderTiny folder");
  const auto json = read_json(folder / "config.json");
  const auto name = json.is_object() ? value_or<std::string>(json, "_class_name", "AutoencoderKL") : "";
  if (name == "AutoencoderTiny") return {from_pretrained<AutoencoderTinyImpl>(folder, placement.at_rest()), placement};
  if (name != "AutoencoderKL")
    refuse_vae(where, "its _class_name is '" + name + "', expected AutoencoderKL or AutoencoderTiny");
  const auto vae_placement = vae_placement_of(placement, AutoencoderKLConfig::from_json(json).force_upcast);
  return {from_pretrained<AutoencoderKLImpl>(folder, vae_placement.at_rest()), vae_placement};
}

PlacedVae load_vae_file(const path& where, const AutoencoderKLConfig& own, const Placement& placement) {
  const auto file = open_tensors(where);
  if (is_tiny_file(*file)) return {load_tiny_file(where, placement.at_rest()), placement};
  const auto vae = read_vae_file(*file, own);
  // No key of a file marks whether its activations stay within float16.
  const auto vae_placement = vae_placement_of(placement, /*force_upcast=*/true);
  auto network = std::make_shared<AutoencoderKLImpl>(vae.config);
  load_weights(*network, where, vae_placement.at_rest(), vae.names);
  network->eval();
  return {network, vae_placement};
}

PlacedVae load_any_vae(const path& where, const AutoencoderKLConfig& own, const Placement& placement) {
  if (!std::filesystem::exists(where)) refuse_vae(where, "no such folder or file");
  try {
    return std::filesystem::is_directory(where) ? load_vae_folder(where, placement)
                                                : load_vae_file(where, own, placement);
  } catch (const std::exception& error) {
    const std::string why = error.what();
    if (why.find(where.string()) != std::string::npos) throw;
    refuse_vae(where, why);
  }
}

}  // namespace

PlacedVae load_vae(const path& where, const AutoencoderKLConfig& own, const Placement& placement) {
  auto vae = load_any_vae(where, own, placement);
  if (const auto channels = vae.network->config().latent_channels; channels != own.latent_channels)
    refuse_vae(where, "it has " + std::to_string(channels) + " latent channels, expected the model's " +
                          std::to_string(own.latent_channels));
  return vae;
}

Placement vae_placement_of(const Placement& placement, bool force_upcast) {
  auto vae_placement = placement;
  if (placement.dtype == torch::kFloat16 && force_upcast) vae_placement.dtype = torch::kFloat32;
  return vae_placement;
}

}  // namespace sfumato
