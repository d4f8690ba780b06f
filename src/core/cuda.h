#pragma once

#include <filesystem>

namespace sfumato {

/// Whether this machine has a CUDA device that LibTorch can compute on. The programs are linked with the CPU half of
/// LibTorch alone: the CUDA half holds 250 MB and 0.2 s of every start, so that it is loaded by the first call of this,
/// and only where there is a driver.
bool cuda_is_available();

/// The CUDA half, libtorch_cuda, beside the CPU half in use; without a CUDA build of LibTorch there is no such file.
std::filesystem::path cuda_library();

}  // namespace sfumato
