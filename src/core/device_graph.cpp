#include "core/device_graph.h"

#include <dlfcn.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "core/cuda.h"
#include "core/cuda/graphs.h"
#include "core/error_text.h"
#include "core/own_library.h"

namespace sfumato {
namespace {

bool are_turned_off() {
  const char* chosen = std::getenv("SFUMATO_CUDA_GRAPHS");
  const std::string value = chosen == nullptr ? "1" : chosen;
  if (value != "0" && value != "1")
    throw std::invalid_argument("SFUMATO_CUDA_GRAPHS is '" + value + "': expected 0 or 1");
  return value == "0";
}

}  // namespace

DeviceGraphsOrNote cuda_graphs(c10::Device device) {
  const auto unusable = [](const std::string& why) { return DeviceGraphsOrNote{{}, "CUDA graphs: not used, " + why}; };
  if (!device.is_cuda()) return unusable("the device is " + device.str());
  if (are_turned_off()) return unusable("SFUMATO_CUDA_GRAPHS is 0");
  if (!load_cuda_half()) return unusable("LibTorch has no CUDA");  // its symbols are those of the library
  const auto library = own_library("libsfumato_cuda_graphs.so").lexically_normal().string();
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: it has the code of live objects
  if (handle == nullptr) return unusable(dlerror());
  const auto make = reinterpret_cast<decltype(&sfumato_cuda_graphs)>(dlsym(handle, "sfumato_cuda_graphs"));
  if (make == nullptr) return unusable(library + " is another library");
  try {
    return {std::shared_ptr<DeviceGraphs>(make(device.index())), "CUDA graphs: " + library};
  } catch (const std::exception& error) {
    return unusable(error_text(error));
  }
}

}  // namespace sfumato
