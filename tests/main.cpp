// The entry point shared by all Boost.Test programs.
#define BOOST_TEST_MODULE jobctl
#include <boost/test/unit_test.hpp>
