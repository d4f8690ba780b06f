#pragma once

#include <cstdint>

namespace sfumato {

/// Linear warm-up, then half a cosine down to a fraction of the peak (Loshchilov & Hutter 2017, eq. 5, no restarts).
struct LearningRate {
  double peak = 1e-4;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;
  /// What is left at the last step, as a fraction of the peak.
  double final_fraction = 0.0;

  /// The rate for the update numbered `step` from 0.
  double at(std::int64_t step) const;
};

}  // namespace sfumato
