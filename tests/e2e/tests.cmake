# End to end: each test_*.py starts real controllers and channel programs on sites of its own in temporary directories.
set(e2e ${CMAKE_CURRENT_SOURCE_DIR}/e2e)
add_executable(moody ${e2e}/moody.cpp)
target_link_libraries(moody PRIVATE mta)
set_target_properties(moody PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
file(GLOB e2e_scripts CONFIGURE_DEPENDS ${e2e}/test_*.py)
foreach(script IN LISTS e2e_scripts)
  get_filename_component(name ${script} NAME_WE)
  string(REPLACE "test_" "e2e_" name ${name})
  add_test(NAME ${name} COMMAND python3 ${script})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600
    ENVIRONMENT "JOBCTL_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
