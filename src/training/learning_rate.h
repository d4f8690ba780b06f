#pragma once

#include <cstdint>

namespace sfumato {

/// Learning-rate schedule: linear warm-up, then half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts).
struct LearningRate {
  double peak = 1e-4;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;
  /// Learning rate at the last step, as a fraction of the peak.
  double final_fraction = 0.0;

  /// Learning rate of update `step`, counted from 0.
  double at(std::int64_t step) const;
};

}  // namespace sfumato
