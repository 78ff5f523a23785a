# The kill storm: storm.py with an enqueuer and a channel program of its own.
set(storm ${CMAKE_CURRENT_SOURCE_DIR}/crash/storm)
foreach(name storm_enqueuer storm_recorder)
  add_executable(${name} ${storm}/${name}.cpp)
  target_link_libraries(${name} PRIVATE mta Threads::Threads)
  target_include_directories(${name} PRIVATE ${storm})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
endforeach()
add_test(NAME crash_storm COMMAND python3 ${storm}/storm.py)
set_tests_properties(crash_storm PROPERTIES TIMEOUT 900
  ENVIRONMENT "JOBCTL_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
