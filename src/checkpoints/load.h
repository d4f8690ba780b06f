#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <string>

#include "core/json.h"
#include "core/placement.h"

namespace sfumato {

/// Maps a key as an older checkpoint writes it to the module's own name; "" for a key to ignore.
using KeyRename = std::function<std::string(const std::string&)>;

/// Fills `module`'s parameters and buffers, by name, from a diffusers/transformers folder (the basenames
/// diffusion_pytorch_model or model, plain, `.fp16`, or sharded with an index.json) or from one safetensors file, in
/// `placement`'s dtype and on its device, by set_data. Throws std::runtime_error that lists every missing,
/// unexpected and misshapen key at once.
void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyRename& rename = {});

/// Builds a `Model` (its Impl class, with `Config::from_json` and a static `rename_key`) from a folder that holds
/// config.json and weights, in eval mode.
template <class Impl>
std::shared_ptr<Impl> from_pretrained(const std::filesystem::path& folder, const Placement& placement) {
  auto model = std::make_shared<Impl>(Impl::Config::from_json(read_json(folder / "config.json")));
  load_weights(*model, folder, placement, Impl::rename_key);
  model->eval();
  return model;
}

}  // namespace sfumato
