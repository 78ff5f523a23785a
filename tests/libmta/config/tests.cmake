# As by default, knowing where the manual is.
file(GLOB config_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libmta/config/*.cpp)
add_executable(test_libmta_config ${config_sources})
target_link_libraries(test_libmta_config PRIVATE test_main)
target_compile_definitions(test_libmta_config PRIVATE JOBCTL_SOURCE_DIRECTORY="${PROJECT_SOURCE_DIR}")
add_test(NAME libmta_config COMMAND test_libmta_config)
set_tests_properties(libmta_config PROPERTIES TIMEOUT 300)
