#pragma once

#include <exception>
#include <string>

namespace sfumato {

/// Returns an error's message on one line, without the stack frames of LibTorch's errors. If memory was too short, the
/// message is "out of memory", with the requested size if LibTorch names it. oneDNN gives no reason, so its
/// failure is reported as most likely a lack of memory.
std::string error_text(const std::exception& error);

/// True if there was too little memory, of the host or of a device, or most likely so.
bool is_out_of_memory(const std::exception& error);

}  // namespace sfumato
