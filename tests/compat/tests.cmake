# The programs of docs/mta-sdk.md, taken from the page: compiled in every language that mtasdk.h promises, run on real
# sites; and under valgrind.
set(compat ${CMAKE_CURRENT_SOURCE_DIR}/compat)
set(compat_environment "JOBCTL_BUILD=${PROJECT_BINARY_DIR};JOBCTL_SOURCE=${PROJECT_SOURCE_DIR};CC=${CMAKE_C_COMPILER}"
  "CXX=${CMAKE_CXX_COMPILER};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/e2e;PYTHONDONTWRITEBYTECODE=1")
if(NOT JOBCTL_SANITIZE)
  foreach(script languages leaks send table)
    add_test(NAME compat_${script} COMMAND python3 ${compat}/test_${script}.py)
    set_tests_properties(compat_${script} PROPERTIES TIMEOUT 600 ENVIRONMENT "${compat_environment}")
  endforeach()
endif()
