# A library for each folder of src/, a program for each file of tools/, a test program for each folder of tests/. All
# of them reuse one precompiled header: without it, torch/torch.h costs 17 s a file.

# Public requirements of every library; an installed one gets the same from sfumatoConfig.cmake.
add_library(sfumato_base INTERFACE)
set_target_properties(sfumato_base PROPERTIES EXPORT_NAME base)
target_compile_features(sfumato_base INTERFACE cxx_std_20)
target_link_libraries(sfumato_base INTERFACE $<BUILD_INTERFACE:sfumato_libtorch>
                                             $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
target_link_libraries(sfumato_base INTERFACE $<INSTALL_INTERFACE:sfumato::dependencies>)

add_library(sfumato_flags INTERFACE)
# g++ 12 reports -Wrestrict, -Wstringop-overflow and -Warray-bounds falsely in its own std::string (GCC bugs 105329,
# 105651); -Wsubobject-linkage mistakes a file that is compiled in a group for a header.
target_compile_options(sfumato_flags INTERFACE -Wall -Wextra -Wpedantic -Wno-unused-parameter -Wno-restrict
                                                -Wno-stringop-overflow -Wno-array-bounds -Wno-subobject-linkage)
# Warnings are errors with the compiler of the checks, g++ 12. Later ones have new warnings, some of them false.
if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(sfumato_flags INTERFACE -Werror)
endif()

add_library(sfumato_pch OBJECT "${CMAKE_CURRENT_SOURCE_DIR}/cmake/pch.cpp")
target_link_libraries(sfumato_pch PUBLIC sfumato_base PRIVATE sfumato_flags)
target_precompile_headers(sfumato_pch PRIVATE <torch/torch.h> <nlohmann/json.hpp> <filesystem> <functional> <map>
                                              <optional> <string> <vector>)

# g++ 12 mistakes members of a Request with designated initialisers for uninitialised ones.
set(_sfumato_test_options -Wno-maybe-uninitialized)

function(_sfumato_common target)
  target_link_libraries(${target} PRIVATE $<BUILD_LOCAL_INTERFACE:sfumato_flags>)
  target_precompile_headers(${target} REUSE_FROM sfumato_pch)
endfunction()

# sfumato_library(nn DEPENDS kernels core LINK pkg::target): the static library sfumato_nn (alias sfumato::nn) from
# every .cpp of src/nn and the folders below it, but for folders named cuda: shared libraries of their own.
function(sfumato_library folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/cuda/[^/]*$")
  set(target sfumato_${folder})
  add_library(${target} STATIC ${sources})
  add_library(sfumato::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/sfumato>)
  list(TRANSFORM ARG_DEPENDS PREPEND sfumato_)
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} sfumato_base PRIVATE ${ARG_LINK})
  _sfumato_common(${target})
  set_property(GLOBAL APPEND PROPERTY SFUMATO_LIBRARIES ${target})
endfunction()

# The shared libraries that a program loads where there is a device are built with it.
function(_sfumato_loads_cuda_libraries target)
  foreach(library sfumato_cuda_graphs sfumato_cuda_kernels)
    if(TARGET ${library})
      add_dependencies(${target} ${library})
    endif()
  endforeach()
endfunction()

# sfumato_program(txt2img DEPENDS engine LINK CLI11::CLI11): the program of tools/txt2img.cpp.
function(sfumato_program name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_executable(${name} "${PROJECT_SOURCE_DIR}/tools/${name}.cpp")
  list(TRANSFORM ARG_DEPENDS PREPEND sfumato_)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} ${ARG_LINK})
  _sfumato_common(${name})
  _sfumato_loads_cuda_libraries(${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# A GoogleTest program is a single ctest test, since each start loads LibTorch: several hundred starts took minutes. It
# prints only failures; GTEST_FILTER in the environment selects from its tests.
function(_sfumato_add_gtest name target)
  add_test(NAME ${name} COMMAND ${target} --gtest_brief=1)
endfunction()

# sfumato_test(nn DEPENDS nn): the GoogleTest program test_nn from every .cpp under tests/nn, named nn/tests in ctest.
function(sfumato_test folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.cpp")
  string(REPLACE "/" "_" target test_${folder})
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  list(TRANSFORM ARG_DEPENDS PREPEND sfumato_)
  target_link_libraries(${target} PRIVATE ${ARG_DEPENDS} ${ARG_LINK} GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE SFUMATO_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  _sfumato_common(${target})
  target_compile_options(${target} PRIVATE ${_sfumato_test_options})
  _sfumato_add_gtest(${folder}/tests ${target})
endfunction()

# sfumato_parity_test(models DEPENDS models): tests/parity/models_reference.py OUT_DIR writes the results of diffusers
# and transformers; the GoogleTest program of tests/parity/models_*.cpp finds that folder in the environment variable
# SFUMATO_PARITY_DIR, computes the same and compares. In ctest they are parity/models/reference and /tests.
function(sfumato_parity_test area)
  if(NOT SFUMATO_PARITY_PYTHON)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/parity/${area}_*.cpp")
  set(target parity_${area})
  set(golden "${CMAKE_BINARY_DIR}/parity/${area}")
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  list(TRANSFORM ARG_DEPENDS PREPEND sfumato_)
  target_link_libraries(${target} PRIVATE ${ARG_DEPENDS} ${ARG_LINK} GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE SFUMATO_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  _sfumato_common(${target})
  target_compile_options(${target} PRIVATE ${_sfumato_test_options})
  add_test(NAME parity/${area}/reference
           COMMAND "${SFUMATO_PARITY_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/parity/${area}_reference.py" "${golden}")
  set_tests_properties(parity/${area}/reference PROPERTIES FIXTURES_SETUP parity_${area})
  _sfumato_add_gtest(parity/${area}/tests ${target})
  set_tests_properties(parity/${area}/tests PROPERTIES FIXTURES_REQUIRED parity_${area}
                                                       ENVIRONMENT "SFUMATO_PARITY_DIR=${golden}")
endfunction()

# sfumato_python_test(consumer/consumer): tests/consumer/consumer_test.py, which uses only the standard library.
function(sfumato_python_test name)
  add_test(NAME ${name} COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/tests/${name}_test.py")
  set_tests_properties(${name} PROPERTIES ENVIRONMENT
    "SFUMATO_LAUNCHER=${PROJECT_SOURCE_DIR}/sfumato;SFUMATO_CMAKE=${CMAKE_COMMAND};SFUMATO_NINJA=${SFUMATO_NINJA};SFUMATO_BUILD_DIR=${CMAKE_BINARY_DIR}")
endfunction()
