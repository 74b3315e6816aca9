# Compiler launcher, linker, warnings and sanitizers for our own targets (st_warnings).
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header is only cacheable with these settings.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_library(st_warnings INTERFACE)
target_compile_options(st_warnings INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(ST_DEV)
  target_compile_options(st_warnings INTERFACE -Werror)
  target_compile_definitions(st_warnings INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(ST_SANITIZE)
  add_compile_options(-fsanitize=${ST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${ST_SANITIZE})
endif()
