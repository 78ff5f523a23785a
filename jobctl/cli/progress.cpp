#include "jobctl/cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace jobctl::cli {

progress::progress(const terminal& io, std::string verb) : out_(nullptr), verb_(std::move(verb)) {
  const int descriptor = ::fileno(io.err);
  if (descriptor >= 0 && ::isatty(descriptor)) out_ = io.err;
}

progress::~progress() { clear(); }

void progress::add(std::uint64_t messages) {
  count_ += messages;
  const auto now = std::chrono::steady_clock::now();
  if (!out_ || messages == 0 || now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  fmt::print(out_, "\r{} {} messages", verb_, count_);
  std::fflush(out_);
  shown_ = true;
}

void progress::clear() {
  if (!shown_) return;
  fmt::print(out_, "\r\033[K");
  std::fflush(out_);
  shown_ = false;
}

}  // namespace jobctl::cli
