# Every *.cpp here is a Boost.Test program of its own, every *.py a test script. Folders below bring their own tests.cmake.
file(GLOB crash_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/crash/*.cpp)
if(JOBCTL_SANITIZE STREQUAL "thread")
  set(crash_sources)  # they have one thread
endif()
foreach(source IN LISTS crash_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(test_crash_${name} ${source})
  target_link_libraries(test_crash_${name} PRIVATE test_main)
  add_test(NAME crash_${name} COMMAND test_crash_${name})
  set_tests_properties(crash_${name} PROPERTIES TIMEOUT 900)
endforeach()
file(GLOB crash_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/crash/*.py)
foreach(script IN LISTS crash_scripts)
  get_filename_component(name ${script} NAME_WE)
  add_test(NAME crash_${name} COMMAND python3 ${script})
  set_tests_properties(crash_${name} PROPERTIES TIMEOUT 900
  ENVIRONMENT "JOBCTL_BUILD=${PROJECT_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
