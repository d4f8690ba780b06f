# The shared library of our own CUDA kernels, which programs load where there is a device (src/kernels/cuda_library.h).
# Built only with -DSFUMATO_CUDA_KERNELS=ON, for which CMake looks for nvcc 12.8 or later, or takes it from
# CMAKE_CUDA_COMPILER or CUDACXX. Nothing else here needs CUDA.
option(SFUMATO_CUDA_KERNELS "Build our own CUDA kernels; needs nvcc" OFF)
if(NOT SFUMATO_CUDA_KERNELS)
  return()
endif()

# A, H and B series of data centres, and GeForce 50; others from 80 on run the kernels of an earlier minor version, and
# later ones compile the last one's intermediate code.
set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 120 CACHE STRING "Devices that the CUDA kernels are compiled for")
enable_language(CUDA)

add_library(sfumato_cuda_kernels SHARED src/kernels/cuda/kernels.cu)
target_include_directories(sfumato_cuda_kernels PRIVATE src)
target_compile_features(sfumato_cuda_kernels PRIVATE cuda_std_20)
# CMake's default is the static CUDA run-time library: no other file is needed beside the driver.
set_target_properties(sfumato_cuda_kernels PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/sfumato"
                                                      UNITY_BUILD OFF CUDA_RUNTIME_LIBRARY Static)
install(TARGETS sfumato_cuda_kernels LIBRARY DESTINATION lib/sfumato)
