#include "base/error.hpp"

namespace mta {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "mta"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::not_configured: return "not configured";
      case errc::syntax: return "syntax error";
      case errc::out_of_range: return "out of range";
      case errc::damaged: return "damaged data";
      case errc::wrong_version: return "unknown version";
      case errc::busy: return "in use";
      case errc::gone: return "no longer there";
      case errc::no_space: return "free space is below the configured reserve";
      case errc::rejected: return "rejected";
      case errc::protocol: return "protocol violation";
      case errc::disconnected: return "no connection to the job controller";
      case errc::timed_out: return "timed out";
      case errc::cancelled: return "cancelled";
      case errc::try_later: return "not possible at present; try again later";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& mta_category() noexcept {
  static const category instance;
  return instance;
}

std::string error::message() const {
  if (context.empty()) return code.message();
  return context + ": " + code.message();
}

}  // namespace mta
