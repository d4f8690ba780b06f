#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "kernels/cuda/kernels.h"

namespace sfumato {

/// Functions of libsfumato_cuda_kernels.so, our own CUDA kernels.
struct CudaKernels {
  decltype(&sfumato_cuda_error) error;
  decltype(&sfumato_cuda_group_norm_workspace) group_norm_workspace;
  decltype(&sfumato_cuda_group_norm) group_norm;
  decltype(&sfumato_cuda_geglu) geglu;
  decltype(&sfumato_cuda_layer_norm) layer_norm;
};

/// The library's functions, or a note of one line why there are none.
struct CudaKernelsOrNote {
  std::optional<CudaKernels> kernels;
  std::string note;
};

/// Loads a library. There are no functions if the file is missing, has another interface, or has no kernels for the
/// current device.
CudaKernelsOrNote load_cuda_kernels(const std::filesystem::path& library);

/// Loads the library once: the file of the environment variable SFUMATO_CUDA_KERNELS, or, if that is not set,
/// libsfumato_cuda_kernels.so (own_library). SFUMATO_CUDA_KERNELS=0 turns the kernels off, for comparisons. Throws
/// std::invalid_argument if the variable names a file that cannot be used. Only call this for a CUDA tensor, or to
/// print the note.
const CudaKernelsOrNote& cuda_kernels();

}  // namespace sfumato
