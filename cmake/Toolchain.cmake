# Compiler launcher, linker, warnings and sanitizers for our own targets (st_warnings).  The first two, and the flags of a
# build type, are ours to choose only where no parent project chooses them.
if(PROJECT_IS_TOP_LEVEL)
  find_program(ST_CCACHE ccache)
  find_program(ST_LLD ld.lld)
  # Line tables are enough for a stack trace, and compile and link much faster than full debug information.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  if(ST_SANITIZE)  # half the time of compiling, and the tests take seconds anyway
    set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")
  endif()
endif()
if(ST_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness makes a precompiled header cacheable; relative paths let build folders share the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=/ CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${ST_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
if(ST_LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_library(st_warnings INTERFACE)
target_compile_options(st_warnings INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  # It takes a reference into one argument for one into another, a name made of a literal.
  target_compile_options(st_warnings INTERFACE -Wno-dangling-reference)
endif()
if(ST_DEV)
  target_compile_options(st_warnings INTERFACE -Werror)
  target_compile_definitions(st_warnings INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(ST_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # GCC 12 warns of its own <regex> here
  endif()
  add_compile_options(-fsanitize=${ST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${ST_SANITIZE})
endif()

# Gives `target` a precompiled header.  Its file differs in every build folder; ccache compares this checksum of what went
# into it instead.
function(st_precompile target)
  target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/spiketrain/ops/torch.h <nlohmann/json.hpp> ${ARGN})
  if(ST_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    file(SHA256 ${PROJECT_SOURCE_DIR}/spiketrain/ops/torch.h hash)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/cmake_pch.hxx.gch.sum
         "${CMAKE_CXX_COMPILER_VERSION} torch ${Torch_VERSION} ${hash} json ${nlohmann_json_VERSION} ${ARGN} "
         "${CMAKE_BUILD_TYPE} ${ST_SANITIZE} ${ST_DEV}")
  endif()
endfunction()

# Compiles `batch` files of `target` at a time.
function(st_unity target batch)
  if(ST_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
  endif()
endfunction()

# Puts the list `sources` into the order that this build folder first saw, with new files last: a file that is added then
# joins the last batches, and the others stay what they are.  A fresh build folder has the order of the list.
function(st_keep_order sources)
  set(remembered ${CMAKE_CURRENT_BINARY_DIR}/${sources}.order.txt)
  set(kept "")
  if(EXISTS ${remembered})
    file(STRINGS ${remembered} kept)
  endif()
  list(APPEND kept ${${sources}})
  list(REMOVE_DUPLICATES kept)
  set(ordered "")
  foreach(file IN LISTS kept)
    if(file IN_LIST ${sources})
      list(APPEND ordered ${file})
    endif()
  endforeach()
  list(JOIN ordered "\n" text)
  file(WRITE ${remembered} "${text}\n")
  set(${sources} ${ordered} PARENT_SCOPE)
endfunction()
