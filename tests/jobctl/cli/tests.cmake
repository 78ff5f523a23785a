# The commands in this process, and the real program from a shell's point of view.
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/jobctl/cli/*.cpp)
add_executable(test_jobctl_cli ${cli_sources})
target_link_libraries(test_jobctl_cli PRIVATE test_main)
target_compile_definitions(test_jobctl_cli PRIVATE JOBCTL_PROGRAM="$<TARGET_FILE:jobctl>")
add_dependencies(test_jobctl_cli jobctl)
add_test(NAME jobctl_cli COMMAND test_jobctl_cli)
set_tests_properties(jobctl_cli PROPERTIES TIMEOUT 300)
