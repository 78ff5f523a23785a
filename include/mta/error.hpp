// Errors as values, shared by libmta and programs that use it. Expected failures travel as result<T>; an
// error carries the code and what was being done to what, so that whoever prints it can say so.
//
// Thread safety: values; no shared state.
#pragma once

#include <mta/export.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace mta {

/// Reasons of our own, beside the operating system's (std::system_category).
enum class errc {
  not_configured = 1,  ///< no configuration, or the name is not in it
  syntax,              ///< text that cannot be parsed
  out_of_range,        ///< a value or length beyond what is allowed
  damaged,             ///< stored data that fails its check
  wrong_version,       ///< a file or peer of a version that we do not speak
  busy,                ///< locked or leased by somebody else
  gone,                ///< it existed, and no longer does (finished, removed, reused)
  no_space,            ///< below the configured reserve
  rejected,            ///< refused for good (an address without a route, a policy)
  protocol,            ///< the peer broke the protocol
  disconnected,        ///< no connection to the job controller
  timed_out,
  cancelled,  ///< a stop was requested
  try_later,  ///< refused for now: a channel is full, or somebody has to see to an aliases file with a
              ///< mistake
};

MTA_API const std::error_category& mta_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), mta_category()}; }

/// What went wrong, while doing what to what: `context` reads like "open /var/spool/jobctl/queue/l/x.msgs".
struct error {
  std::error_code code;
  std::string context;

  error() = default;
  error(std::error_code c, std::string what) : code(c), context(std::move(what)) {}
  error(errc c, std::string what) : code(make_error_code(c)), context(std::move(what)) {}

  /// "context: message", for a person.
  MTA_API std::string message() const;
};

/// The current errno as an error about `what`.
inline error os_error(std::string what, int number = errno) {
  return {std::error_code(number, std::system_category()), std::move(what)};
}

/// Thrown where an error cannot be a value: constructors, and result<T>::value() on an error.
class MTA_API exception : public std::runtime_error {
 public:
  explicit exception(error e) : std::runtime_error(e.message()), error_(std::move(e)) {}
  const error& why() const noexcept { return error_; }

 private:
  error error_;
};

[[noreturn]] inline void throw_exception_from_error(const error& e, const boost::source_location&) {
  throw exception(e);
}

template <class T = void>
using result = boost::system::result<T, error>;

}  // namespace mta

template <>
struct std::is_error_code_enum<mta::errc> : std::true_type {};
