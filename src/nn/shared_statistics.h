#pragma once

#include <torch/torch.h>

#include <functional>
#include <unordered_map>

namespace sfumato {

class GroupNormImpl;

/// Guard during whose lifetime group norms on this thread use the statistics of another input: parts of an image are
/// normalised by those of the whole. Like torch::NoGradGuard, it changes no network.
class SharedStatistics {
 public:
  /// A norm's affine map from the whole image, y = factor x + shift: [N, channels] each.
  struct Affine {
    torch::Tensor factor, shift;
  };

  /// Runs `whole`, a forward pass, and records the statistics of its norms. Later passes must have as many rows.
  explicit SharedStatistics(const std::function<void()>& whole);
  ~SharedStatistics();
  SharedStatistics(const SharedStatistics&) = delete;
  SharedStatistics& operator=(const SharedStatistics&) = delete;

  /// The active guard of this thread, or null.
  static SharedStatistics* current();
  /// True during the pass over the whole.
  bool records() const { return records_; }
  void record(const GroupNormImpl* norm, Affine affine) { affines_[norm] = std::move(affine); }
  /// Throws std::out_of_range for a norm that did not run in the pass over the whole.
  const Affine& of(const GroupNormImpl* norm) const { return affines_.at(norm); }

 private:
  std::unordered_map<const GroupNormImpl*, Affine> affines_;
  bool records_ = true;
  SharedStatistics* before_;
};

}  // namespace sfumato
