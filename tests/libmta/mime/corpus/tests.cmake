# The corpus (made by make_corpus.py), read by mta::mime and by Python's email package.
add_executable(mime_dump ${CMAKE_CURRENT_SOURCE_DIR}/libmta/mime/corpus/dump.cpp)
target_link_libraries(mime_dump PRIVATE mta_core Boost::json)
add_test(NAME libmta_mime_corpus COMMAND python3
         ${CMAKE_CURRENT_SOURCE_DIR}/libmta/mime/corpus/compare.py $<TARGET_FILE:mime_dump>)
set_tests_properties(libmta_mime_corpus PROPERTIES TIMEOUT 300)
