# What other builds need to link with the library: header, CMake package, pkg-config file. They find
# each other by relative paths, so that the tree can be moved.
include(CMakePackageConfigHelpers)

# ROOT: folder below the prefix that has include/ and, in LIBDIR, the library.
function(slk_install_development_files root libdir)
  set(SLK_PC_UP "../..")
  set(SLK_PC_LIBDIR "${libdir}")
  set(SLK_CONFIG_UP "../../..")
  set(SLK_CONFIG_LIBDIR "${libdir}")
  set(made "${CMAKE_CURRENT_BINARY_DIR}/development-${root}")
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/serverlink.pc.in" "${made}/serverlink.pc" @ONLY)
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/serverlink-config.cmake.in"
    "${made}/serverlink-config.cmake" @ONLY)
  write_basic_package_version_file("${made}/serverlink-config-version.cmake"
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../include/serverlink/serverlink.h"
    DESTINATION ${root}/include/serverlink)
  install(FILES "${made}/serverlink.pc" DESTINATION ${root}/lib/pkgconfig)
  install(FILES "${made}/serverlink-config.cmake" "${made}/serverlink-config-version.cmake"
    DESTINATION ${root}/lib/cmake/serverlink)
endfunction()
