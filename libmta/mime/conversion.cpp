#include "mime/conversion.hpp"

namespace mta::mime::detail {

conversion::conversion(bool, std::string, taker next) : off_(true), next_(std::move(next)) {}
result<> conversion::examine(const line_piece& p) { return next_(p); }
result<> conversion::finish() { return {}; }

}  // namespace mta::mime::detail
