# End to end: each test_*.py starts real controllers and channel programs on sites of its own in temporary directories.
set(e2e ${CMAKE_CURRENT_SOURCE_DIR}/e2e)
add_executable(moody ${e2e}/moody.cpp)
target_link_libraries(moody PRIVATE mta)
set_target_properties(moody PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
file(GLOB e2e_scripts CONFIGURE_DEPENDS ${e2e}/test_*.py)
if(JOBCTL_SANITIZE STREQUAL "thread" AND NOT JOBCTL_TEST_LONG)
  # Those that bring the threads of controllers and programs together.
  list(FILTER e2e_scripts INCLUDE REGEX "test_(controller|delivery|events|orders|programs)\\.py$")
elseif(JOBCTL_SANITIZE AND NOT JOBCTL_TEST_LONG)
  # What these look at is outside of our memory: other programs, users, files.
  list(FILTER e2e_scripts EXCLUDE REGEX "test_(backlog|counters|http|limits|openapi|python_channel|upgrade|users)\\.py$")
endif()
foreach(script IN LISTS e2e_scripts)
  get_filename_component(name ${script} NAME_WE)
  string(REPLACE "test_" "e2e_" name ${name})
  # Programs start slowly under sanitizers; of the examples only what runs their code through is worth it.
  set(cases)
  if(JOBCTL_SANITIZE AND name STREQUAL e2e_example_channels)
    set(cases BatchSmtp.test_requests_for_notifications_are_parameters
      BatchSmtp.test_every_message_is_in_one_of_the_threads_files
      Transform.test_of_a_multipart_message_only_the_text_changes HttpPost.test_the_status_decides
      SmsGateway.test_a_short_message_for_each_number SmsGateway.test_what_is_no_number_fails_and_the_others_are_sent)
  endif()
  add_test(NAME ${name} COMMAND python3 ${script} ${cases})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600
    ENVIRONMENT "JOBCTL_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
