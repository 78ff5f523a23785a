# As by default, knowing where the manual is.
file(GLOB notify_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libmta/notify/*.cpp)
add_executable(test_libmta_notify ${notify_sources})
target_link_libraries(test_libmta_notify PRIVATE test_main)
target_compile_definitions(test_libmta_notify PRIVATE JOBCTL_SOURCE_DIRECTORY="${PROJECT_SOURCE_DIR}")
add_test(NAME libmta_notify COMMAND test_libmta_notify)
set_tests_properties(libmta_notify PROPERTIES TIMEOUT 300)
