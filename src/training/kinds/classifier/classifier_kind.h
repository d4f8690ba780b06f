#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "classifier": trains an ImageClassifier.
TrainingKind classifier_kind();

}  // namespace sfumato
