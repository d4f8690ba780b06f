#pragma once

#include "data/image_set.h"

namespace sfumato {

/// Row "cifar10": a folder of the binary version's data_batch_1.bin and so on, and the held-out test_batch.bin: 32 x 32
/// RGB images of 10 classes.
ImageSetFormat cifar10_format();

}  // namespace sfumato
