# Made-up mail: a library for tests and benches, and generate_messages for scripts.
add_library(test_messages STATIC ${CMAKE_CURRENT_SOURCE_DIR}/messages/messages.cpp)
target_include_directories(test_messages PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
add_executable(generate_messages ${CMAKE_CURRENT_SOURCE_DIR}/messages/generate_messages.cpp)
target_link_libraries(generate_messages PRIVATE test_messages)
add_executable(test_messages_program ${CMAKE_CURRENT_SOURCE_DIR}/messages/messages_test.cpp)
target_link_libraries(test_messages_program PRIVATE test_main test_messages)
add_test(NAME messages COMMAND test_messages_program)
