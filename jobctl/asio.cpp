// Asio and Beast, compiled once: what includes their headers compiles in half the time.
// NOLINTBEGIN(bugprone-suspicious-include)
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
// NOLINTEND(bugprone-suspicious-include)
