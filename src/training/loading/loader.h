#pragma once

#include <cstdint>

#include "training/batch.h"

namespace sfumato {

/// Source of a run's batches. A batch is a function of the recipe's seed and the batch's number, so that a run resumes
/// from its count of steps, with no state of a loader to save.
class Loader {
 public:
  virtual ~Loader() = default;

  /// The batch numbered `number` from 0, with the noise and all else that is drawn for it. Seeds dropout where the
  /// networks have it.
  virtual Batch batch(std::int64_t number) = 0;
};

}  // namespace sfumato
