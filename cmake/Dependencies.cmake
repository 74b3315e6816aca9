# Everything comes from the system; nothing is downloaded.  setup.sh installs the Debian packages.
# First what spiketrain's headers include: whoever links the library needs these targets, also from a folder above.
find_package(Torch REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
if(NOT PROJECT_IS_TOP_LEVEL)
  get_property(found DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target ${found})  # those made here; a package that the parent has found is global or in its scope already
    set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  endforeach()
endif()
set(ST_TORCH_SCOPE GLOBAL)
include(${CMAKE_CURRENT_LIST_DIR}/SpiketrainTorch.cmake)

# Then what only our own files need.
find_package(ZLIB REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
if(ST_APPS)
  find_package(CLI11 REQUIRED)
endif()
# Highway ships CMake files in some versions and pkg-config files in all.
find_package(PkgConfig REQUIRED)
add_library(st_hwy INTERFACE)
find_package(HWY CONFIG QUIET)
if(TARGET hwy::hwy)
  target_link_libraries(st_hwy INTERFACE hwy::hwy)
else()
  pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
  target_link_libraries(st_hwy INTERFACE PkgConfig::HWY)
endif()
# Compress of 16-bit numbers in one instruction, which lists of spikes live on, is in this set alone.
# Vectors whose length the compiler does not know cannot be held in arrays, as sums are.
target_compile_definitions(st_hwy INTERFACE HWY_WANT_AVX3_DL
                                            "HWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)")
# Event files: packets of AEDAT 4 (LZ4, zstd; FlatBuffers is headers only here) and SHD (HDF5).  Only the files that
# include HDF5's headers get their folder, so that all others keep their compiler line.
foreach(library liblz4 libzstd flatbuffers hdf5)
  pkg_check_modules(${library} REQUIRED ${library})
endforeach()
set(st_event_libraries ${liblz4_LINK_LIBRARIES} ${libzstd_LINK_LIBRARIES} ${hdf5_LINK_LIBRARIES})
