# Pages of the documentation that teach: what they say is done, against what `cmake --install` leaves.
if(NOT JOBCTL_SANITIZE)
  add_test(NAME docs_writing_channels COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/docs/run_page.py
           ${PROJECT_SOURCE_DIR}/docs/writing-channels.md ${PROJECT_BINARY_DIR})
  add_test(NAME docs_run_page COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/docs/test_run_page.py)
  set_tests_properties(docs_writing_channels docs_run_page PROPERTIES TIMEOUT 600
    ENVIRONMENT "JOBCTL_BUILD=${PROJECT_BINARY_DIR};CC=${CMAKE_C_COMPILER};CXX=${CMAKE_CXX_COMPILER};PYTHONDONTWRITEBYTECODE=1")
endif()
