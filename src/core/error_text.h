#pragma once

#include <exception>
#include <string>

namespace sfumato {

/// What went wrong, on one line; of LibTorch's errors without its stack frames.
std::string error_text(const std::exception& error);

}  // namespace sfumato
