# What `cmake --install` leaves is enough to build, link and run channel programs outside this tree.
if(NOT JOBCTL_SANITIZE AND EXISTS ${PROJECT_SOURCE_DIR}/include/mtasdk.h)
  add_test(NAME install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/check_install
           ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
  set_tests_properties(install PROPERTIES TIMEOUT 300)
endif()
