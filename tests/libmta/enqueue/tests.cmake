# As by default, with the made-up mail.
file(GLOB enqueue_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libmta/enqueue/*.cpp)
add_executable(test_libmta_enqueue ${enqueue_sources})
target_link_libraries(test_libmta_enqueue PRIVATE test_main test_messages)
add_test(NAME libmta_enqueue COMMAND test_libmta_enqueue)
set_tests_properties(libmta_enqueue PROPERTIES TIMEOUT 300)
