#pragma once

#include <c10/core/Device.h>

#include "core/device_graph.h"

// Interface of libsfumato_cuda_graphs.so. It is a library of its own because it needs LibTorch's CUDA half, with which
// programs are not linked (core/cuda.h).

/// Returns a new recorder of CUDA graphs for a device. Throws c10::Error if there is no such device.
extern "C" sfumato::DeviceGraphs* sfumato_cuda_graphs(c10::DeviceIndex device);
