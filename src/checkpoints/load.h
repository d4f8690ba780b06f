#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/placement.h"

namespace sfumato {

/// Maps a key of an older checkpoint to the module's own name; "" for a key to ignore.
using KeyRename = std::function<std::string(const std::string&)>;

/// Maps a key to several names if its tensor stacks as many along its first dimension (OpenCLIP's in_proj_weight
/// stacks three); none for a key to ignore.
using KeyNames = std::function<std::vector<std::string>(const std::string&)>;

struct LoadOptions {
  /// Gives every parameter its own memory, which training and in-place changes need. Otherwise a parameter that needs
  /// no conversion on the CPU views the mapped file, which is read-only: writing to it stops the program.
  bool private_memory = false;
};

/// Fills `module`'s parameters and buffers, by name and with set_data, from a diffusers/transformers folder (basenames
/// diffusion_pytorch_model or model, plain, `.fp16`, or sharded with an index.json; older: pytorch_model.bin) or from
/// one file (safetensors or torch.save's). A 1 x 1 convolution's [out, in, 1, 1] fits a linear layer's [out, in].
/// Floating-point tensors get `placement`'s dtype, others keep their own; all get its device. A module registered under
/// two names needs only one of them in the file. Throws std::runtime_error if the file cannot be read or does not fit:
/// one line that lists all missing, unexpected and misshapen keys (6 of each kind, and their number). The module is
/// then unchanged.
void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyRename& rename = {}, const LoadOptions& options = {});
void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyNames& names, const LoadOptions& options = {});

/// Builds a `Model` (its Impl class, with `Config::from_json` and a static `rename_key`) from a folder that holds
/// config.json and weights, in eval mode.
template <class Impl>
std::shared_ptr<Impl> from_pretrained(const std::filesystem::path& folder, const Placement& placement,
                                      const LoadOptions& options = {}) {
  auto model = std::make_shared<Impl>(Impl::Config::from_json(read_json(folder / "config.json")));
  load_weights(*model, folder, placement, Impl::rename_key, options);
  model->eval();
  return model;
}

}  // namespace sfumato
