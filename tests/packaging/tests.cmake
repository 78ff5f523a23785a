# The unit and the maintainer scripts are checked always; packages are built, installed and purged in the long tier.
if(NOT JOBCTL_SANITIZE)
  add_test(NAME packaging COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/check_packaging ${PROJECT_BINARY_DIR})
  set_tests_properties(packaging PROPERTIES TIMEOUT 3600)
endif()
