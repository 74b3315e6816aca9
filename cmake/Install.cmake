# `cmake --install`: libraries, public headers, the files by which CMake and pkg-config find them, the command line and
# the recipes.  What is installed may be moved: nothing holds the prefix.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
include(${CMAKE_CURRENT_LIST_DIR}/PublicHeaders.cmake)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spiketrain)
set_target_properties(spiketrain spiketrain_report PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS spiketrain spiketrain_report EXPORT spiketrain-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT spiketrain-targets NAMESPACE spiketrain:: DESTINATION ${package_dir})

foreach(header ${st_public_headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/spiketrain/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spiketrain/${folder})
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/generated/spiketrain/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/spiketrain)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/spiketrain-config.cmake.in
  ${PROJECT_BINARY_DIR}/spiketrain-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/spiketrain-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/spiketrain-config.cmake ${PROJECT_BINARY_DIR}/spiketrain-config-version.cmake
        ${CMAKE_CURRENT_LIST_DIR}/SpiketrainTorch.cmake DESTINATION ${package_dir})

# pkg-config: LibTorch has no file of its own, so ours names its folders and libraries.
get_target_property(torch_file torch LOCATION)
get_filename_component(torch_dir ${torch_file} DIRECTORY)
set(pc_torch_libs "-L${torch_dir} -ltorch -ltorch_cpu -lc10")
if(TARGET torch_cuda)
  string(APPEND pc_torch_libs " -ltorch_cuda -lc10_cuda")
endif()
set(pc_torch_cflags "${TORCH_CXX_FLAGS} ${OpenMP_CXX_FLAGS}")
foreach(folder ${TORCH_INCLUDE_DIRS})
  get_filename_component(folder ${folder} REALPATH)
  if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)  # the compiler's own order must stay
    string(APPEND pc_torch_cflags " -isystem ${folder}")
  endif()
endforeach()
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
set(pc_root /)
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})  # else the prefix is fixed
  cmake_path(RELATIVE_PATH pc_root BASE_DIRECTORY /${CMAKE_INSTALL_LIBDIR}/pkgconfig OUTPUT_VARIABLE up)
  set(pc_prefix "\${pcfiledir}/${up}")
endif()
cmake_path(APPEND pc_libdir "\${prefix}" ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND pc_includedir "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
configure_file(${CMAKE_CURRENT_LIST_DIR}/spiketrain.pc.in ${PROJECT_BINARY_DIR}/spiketrain.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/spiketrain.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/spiketrain)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(ST_APPS)
  file(RELATIVE_PATH to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(st_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${to_lib}" INSTALL_RPATH_USE_LINK_PATH ON)
  set_target_properties(st_cli_commands PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS st_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS st_cli_commands LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
