# The parts of the channel programs that know no queue, tested by themselves.
add_executable(test_channels ${CMAKE_CURRENT_SOURCE_DIR}/channels/maildir.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/channels/pipe.cpp ${CMAKE_CURRENT_SOURCE_DIR}/channels/defragment.cpp
  ${PROJECT_SOURCE_DIR}/channels/defragment/partial.cpp ${PROJECT_SOURCE_DIR}/channels/defragment/collection.cpp
  ${PROJECT_SOURCE_DIR}/channels/maildir/folder.cpp ${PROJECT_SOURCE_DIR}/channels/pipe/command.cpp)
target_include_directories(test_channels PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(test_channels PRIVATE test_main)
add_test(NAME channels COMMAND test_channels)
set_tests_properties(channels PROPERTIES TIMEOUT 300)
