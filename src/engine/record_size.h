#pragma once

#include <vector>

#include "engine/model_choice.h"
#include "engine/plan.h"

namespace sfumato {

/// Throws std::invalid_argument naming the first file whose format may not hold its image's record, before the model
/// loads. Values that only the model or a file determines count with the most bytes that they take.
void check_records_fit(const ModelChoice& choice, const std::vector<PlannedBatch>& batches);

}  // namespace sfumato
