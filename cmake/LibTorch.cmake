# sfumato_find_libtorch(target): adds the interface library `target`, LibTorch without its CUDA half, which
# src/core/cuda.h loads where there is a device. LibTorch's own package would look for a CUDA compiler, which nothing
# here needs. Searches CMAKE_PREFIX_PATH, as find_package(Torch) does; sets SFUMATO_LIBTORCH_VERSION and
# SFUMATO_LIBTORCH_FOLDER.
function(sfumato_find_libtorch target)
  find_path(SFUMATO_LIBTORCH_INCLUDE torch/headeronly/version.h PATH_SUFFIXES include DOC "Headers of LibTorch")
  if(NOT SFUMATO_LIBTORCH_INCLUDE)
    message(FATAL_ERROR "LibTorch not found: expected the folder with include/torch and lib/libtorch_cpu.so, of version "
                        "2.11 or later, in CMAKE_PREFIX_PATH")
  endif()
  get_filename_component(folder "${SFUMATO_LIBTORCH_INCLUDE}" DIRECTORY)
  foreach(name torch_cpu c10)
    find_library(SFUMATO_LIBTORCH_${name} ${name} HINTS "${folder}/lib" NO_DEFAULT_PATH REQUIRED)
  endforeach()
  file(STRINGS "${SFUMATO_LIBTORCH_INCLUDE}/torch/headeronly/version.h" numbers
       REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX MATCHALL "[0-9]+" numbers "${numbers}")
  list(JOIN numbers "." version)

  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${SFUMATO_LIBTORCH_INCLUDE}"
                                                        "${SFUMATO_LIBTORCH_INCLUDE}/torch/csrc/api/include")
  target_link_libraries(${target} INTERFACE "${SFUMATO_LIBTORCH_torch_cpu}" "${SFUMATO_LIBTORCH_c10}" ${CMAKE_DL_LIBS})
  set(SFUMATO_LIBTORCH_VERSION "${version}" PARENT_SCOPE)
  set(SFUMATO_LIBTORCH_FOLDER "${folder}" PARENT_SCOPE)
endfunction()
