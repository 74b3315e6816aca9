# The source revision as revision.h, looked up at every build and written only when it changes.
set(st_revision_dir ${PROJECT_BINARY_DIR}/revision)
add_custom_target(st_revision
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUTPUT=${st_revision_dir}/revision.h
          -P ${CMAKE_CURRENT_LIST_DIR}/write_revision.cmake
  BYPRODUCTS ${st_revision_dir}/revision.h)
