# LibTorch as one target, spiketrain::torch: what spiketrain's headers need of it, in the build tree and, through
# spiketrain-config.cmake, where the library is used.  `find_package(Torch)` and `find_package(OpenMP)` come before.
# ST_TORCH_SCOPE: GLOBAL if targets of the folders above have to see it.
if(Torch_VERSION VERSION_LESS 1.13)
  message(FATAL_ERROR "Spiketrain needs LibTorch >= 1.13, found ${Torch_VERSION} in ${Torch_DIR}")
endif()
if(NOT TARGET spiketrain::torch)
  add_library(spiketrain::torch INTERFACE IMPORTED ${ST_TORCH_SCOPE})
  separate_arguments(st_torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")  # the C++ ABI that LibTorch was built with
  set_target_properties(spiketrain::torch PROPERTIES
    INTERFACE_COMPILE_OPTIONS "${st_torch_flags}"
    INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}"
    INTERFACE_LINK_LIBRARIES "${TORCH_LIBRARIES};OpenMP::OpenMP_CXX")
  unset(st_torch_flags)
endif()
