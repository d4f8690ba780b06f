#pragma once

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <string>

#include "core/processor.h"

namespace sfumato {

/// True if a recipe's precision ("bf16", "fp32" or "auto") means bfloat16 on `device`. "auto" uses it where it is
/// faster: on CUDA and, with `fast_bfloat16`, on processors with instructions for it.
bool computes_in_bfloat16(const std::string& precision, torch::DeviceType device,
                          bool fast_bfloat16 = has_fast_bfloat16());

/// Guard during whose lifetime convolutions and matrix products on `device` compute in bfloat16 (torch.autocast); no
/// effect with `enabled` false.
class AutocastScope {
 public:
  AutocastScope(torch::DeviceType device, bool enabled) : device_(device), enabled_(enabled) {
    if (!enabled_) return;
    was_enabled_ = at::autocast::is_autocast_enabled(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
  }
  ~AutocastScope() {
    if (!enabled_) return;
    // Casts of the weights are cached for one forward and backward pass; after an update they would be stale.
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_enabled_);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  torch::DeviceType device_;
  bool enabled_;
  bool was_enabled_ = false;
};

}  // namespace sfumato
