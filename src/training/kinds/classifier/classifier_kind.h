#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "classifier": an ImageClassifier.
TrainingKind classifier_kind();

}  // namespace sfumato
