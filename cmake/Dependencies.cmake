# What the build needs from outside. The core needs the first two alone; both of them, and GoogleTest, may also
# come as sources by -DFETCHCONTENT_SOURCE_DIR_...-like paths: SFUMATO_JSON_SOURCE and SFUMATO_GTEST_SOURCE.
set(SFUMATO_JSON_SOURCE "" CACHE PATH "Sources of nlohmann_json; empty takes the installed package")
set(SFUMATO_GTEST_SOURCE "" CACHE PATH "Sources of GoogleTest; empty takes the installed package")

find_package(Torch REQUIRED)

if(SFUMATO_JSON_SOURCE)
  add_subdirectory("${SFUMATO_JSON_SOURCE}" nlohmann_json EXCLUDE_FROM_ALL SYSTEM)
else()
  find_package(nlohmann_json REQUIRED)
endif()

if(SFUMATO_BUILD_TESTS)
  if(SFUMATO_GTEST_SOURCE)
    add_subdirectory("${SFUMATO_GTEST_SOURCE}" googletest EXCLUDE_FROM_ALL SYSTEM)
  else()
    find_package(GTest REQUIRED)
  endif()
endif()

if(NOT SFUMATO_CORE_ONLY)
  find_package(CLI11 REQUIRED)
  find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
  find_package(PNG REQUIRED)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
  pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
  pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
endif()
