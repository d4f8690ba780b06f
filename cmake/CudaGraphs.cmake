# The shared library that records CUDA graphs, which programs load where there is a device (src/core/device_graph.h). It
# needs the headers of the CUDA run-time library, which come with LibTorch's wheel or a CUDA toolkit, but no CUDA
# compiler; the symbols of LibTorch's CUDA half are there when a program loads it.
find_path(SFUMATO_CUDA_INCLUDE cuda_runtime_api.h HINTS "${SFUMATO_LIBTORCH_FOLDER}/../nvidia/cu13/include"
          "$ENV{CUDA_HOME}/include" /usr/local/cuda/include DOC "Headers of the CUDA run-time library")
if(NOT SFUMATO_CUDA_INCLUDE OR NOT EXISTS "${SFUMATO_LIBTORCH_FOLDER}/include/ATen/cuda/CUDAGraph.h")
  message(STATUS "CUDA graphs: left out, without cuda_runtime_api.h or LibTorch's headers for CUDA")
  return()
endif()
add_library(sfumato_cuda_graphs MODULE src/core/cuda/graphs.cpp)
target_include_directories(sfumato_cuda_graphs PRIVATE src)
target_include_directories(sfumato_cuda_graphs SYSTEM PRIVATE "${SFUMATO_CUDA_INCLUDE}")
target_link_libraries(sfumato_cuda_graphs PRIVATE sfumato_base $<BUILD_LOCAL_INTERFACE:sfumato_flags>)
set_target_properties(sfumato_cuda_graphs PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/sfumato"
                                                     UNITY_BUILD OFF POSITION_INDEPENDENT_CODE ON)
install(TARGETS sfumato_cuda_graphs LIBRARY DESTINATION lib/sfumato)
