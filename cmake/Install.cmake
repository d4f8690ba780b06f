# cmake --install: programs, libraries, headers, models and data, and the package sfumato for other projects.
include(CMakePackageConfigHelpers)

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/sfumato")
get_property(libraries GLOBAL PROPERTY SFUMATO_LIBRARIES)

install(TARGETS ${libraries} sfumato_base EXPORT sfumatoTargets)
install(EXPORT sfumatoTargets NAMESPACE sfumato:: DESTINATION "${package_folder}")
install(DIRECTORY src/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/sfumato" FILES_MATCHING PATTERN "*.h")
install(DIRECTORY models tokenizer DESTINATION "${CMAKE_INSTALL_DATADIR}/sfumato" OPTIONAL)
install(DIRECTORY data/things DESTINATION "${CMAKE_INSTALL_DATADIR}/sfumato/data")
install(DIRECTORY configs DESTINATION "${CMAKE_INSTALL_DATADIR}/sfumato" OPTIONAL)

configure_package_config_file(cmake/sfumatoConfig.cmake.in sfumatoConfig.cmake INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file(sfumatoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/LibTorch.cmake cmake/SentencePiece.cmake "${CMAKE_CURRENT_BINARY_DIR}/sfumatoConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/sfumatoConfigVersion.cmake"
        DESTINATION "${package_folder}")
