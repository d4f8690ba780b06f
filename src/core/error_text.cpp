#include "core/error_text.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "core/json_text.h"

namespace sfumato {

namespace {

/// Marks of LibTorch's message where the host has no memory left; it has no class of its own.
constexpr std::string_view kHostAllocator = "DefaultCPUAllocator: ", kBytes = "you tried to allocate ";
constexpr std::string_view kDeviceSize = "Tried to allocate ";
constexpr std::string_view kNoPrimitive = "could not create a primitive";

std::string message_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
}

/// Returns the text after `mark` up to one of `ends`; "" without the mark.
std::string text_after(const std::string& text, std::string_view mark, const char* ends) {
  const auto place = text.find(mark);
  if (place == std::string::npos) return "";
  const auto first = place + mark.size();
  return text.substr(first, text.find_first_of(ends, first) - first);
}

std::string size_text(const std::string& bytes) {
  const double mib = std::stod(bytes) / (1 << 20);
  char text[32];
  std::snprintf(text, sizeof text, mib < 1024 ? "%.1f MiB" : "%.2f GiB", mib < 1024 ? mib : mib / 1024);
  return text;
}

/// True for oneDNN's exception where it cannot make a primitive: it passes on no reason, but unsupported shapes fail
/// before, at the primitive's descriptor. Its class is not part of LibTorch's headers.
bool is_primitive_failure(const std::exception& error) {
  return std::string_view(typeid(error).name()) == "N4dnnl5errorE" && error.what() == kNoPrimitive;
}

std::string memory_text(const std::exception& error) {
  if (is_primitive_failure(error)) return "oneDNN " + std::string(kNoPrimitive) + ", most likely for lack of memory";
  const auto text = message_of(error);
  // "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has ..."
  const auto of_device = text_after(text, kDeviceSize, "B");
  if (!of_device.empty()) return "out of memory on the device: tried to allocate " + of_device + "B";
  const auto bytes = text_after(text, kBytes, " ");
  return bytes.empty() ? "out of memory" : "out of memory: tried to allocate " + size_text(bytes);
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (is_primitive_failure(error)) return true;
  return dynamic_cast<const c10::Error*>(&error) != nullptr &&
         message_of(error).find(kHostAllocator) != std::string::npos;
}

std::string error_text(const std::exception& error) {
  if (is_out_of_memory(error)) return memory_text(error);
  std::string text = message_of(error);
  text.resize(text.find_last_not_of(" \n") + 1);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return without_library_marks(std::move(text));
}

}  // namespace sfumato
