# sfumato_link_libtorch(target): links LibTorch without its CUDA half, which src/core/cuda.h loads if there is a device.
# Call it after find_package(Torch).
function(sfumato_link_libtorch target)
  set(folder "${TORCH_INSTALL_PREFIX}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}")
  target_link_libraries(${target} INTERFACE "$<COMPILE_ONLY:torch>" "${folder}torch_cpu${CMAKE_SHARED_LIBRARY_SUFFIX}"
                                            "${folder}c10${CMAKE_SHARED_LIBRARY_SUFFIX}" ${CMAKE_DL_LIBS})
endfunction()
