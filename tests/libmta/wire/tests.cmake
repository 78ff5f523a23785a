add_executable(test_libmta_wire libmta/wire/messages_test.cpp libmta/wire/session_test.cpp
  libmta/wire/announcer_test.cpp libmta/wire/python_program_test.cpp)
target_link_libraries(test_libmta_wire PRIVATE test_main)
target_compile_definitions(test_libmta_wire PRIVATE DOCS_DIRECTORY="${PROJECT_SOURCE_DIR}/docs")
add_test(NAME libmta_wire COMMAND test_libmta_wire)
set_tests_properties(libmta_wire PROPERTIES TIMEOUT 300)
