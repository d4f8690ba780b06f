#pragma once

#include <exception>
#include <string>

namespace sfumato {

/// Returns an error's message on one line, without the stack frames of LibTorch's errors.
std::string error_text(const std::exception& error);

}  // namespace sfumato
