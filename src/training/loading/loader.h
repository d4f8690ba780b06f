#pragma once

#include <cstdint>

#include "training/batch.h"

namespace sfumato {

/// Source of a run's batches. A batch is a function of the recipe's seed and the batch's number, so that a run resumes
/// from its count of steps without any saved loader state.
class Loader {
 public:
  virtual ~Loader() = default;

  /// Returns batch `number`, counted from 0, with its noise and all other random values, but for those of dropout.
  virtual Batch batch(std::int64_t number) = 0;
};

}  // namespace sfumato
