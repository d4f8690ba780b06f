#include "nn/circular_padding.h"

namespace sfumato {
namespace {

thread_local bool circular_padding = false;

}  // namespace

CircularPadding::CircularPadding(bool enabled) : before_(circular_padding) {
  circular_padding = enabled;
}

CircularPadding::~CircularPadding() {
  circular_padding = before_;
}

bool CircularPadding::is_enabled() {
  return circular_padding;
}

}  // namespace sfumato
