#pragma once

#include <exception>
#include <string>

namespace sfumato {

/// Returns an error's message on one line, without the stack frames of LibTorch's errors. Lack of memory is "out of
/// memory" with the device and the size asked for, where LibTorch names them.
std::string error_text(const std::exception& error);

/// True if there was too little memory, of the host or of a device.
bool is_out_of_memory(const std::exception& error);

}  // namespace sfumato
