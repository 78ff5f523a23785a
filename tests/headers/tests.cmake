# Every public header compiles on its own, in every language and standard that it promises.
if(NOT JOBCTL_SANITIZE)
  add_test(NAME headers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/headers/check_headers
           ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER} ${PROJECT_SOURCE_DIR}/include)
  set_tests_properties(headers PROPERTIES TIMEOUT 300)
endif()
