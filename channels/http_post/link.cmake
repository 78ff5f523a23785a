find_package(CURL 7.85 REQUIRED)
target_link_libraries(${name} PRIVATE CURL::libcurl)
