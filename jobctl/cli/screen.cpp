#include "jobctl/cli/screen.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace jobctl::cli {
namespace {

volatile std::sig_atomic_t ended = 0, changed = 0;

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

void on_signal(int number) {
  if (number == SIGWINCH)
    changed = 1;
  else
    ended = 1;
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  (void)::sigaction(number, &action, nullptr);  // without SA_RESTART: poll() is to return
}

/// The first `columns` characters; UTF-8 is not cut within one.
std::string fitted(const std::string& text, std::size_t columns) {
  std::string out;
  std::size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80 && width++ == columns) break;
    out += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return out;
}

}  // namespace

screen::screen(int in, int out) : in_(in), out_(out) {
  ended = 0;
  changed = 0;
  (void)::tcgetattr(in_, &before_);
  for (const int number : ending_signals) handle(number, on_signal);
  handle(SIGWINCH, on_signal);
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  (void)::tcsetattr(in_, TCSANOW, &raw);
  write("\x1b[?1049h\x1b[?25l");  // the other screen, no cursor
}

screen::~screen() {
  write("\x1b[0m\x1b[?25h\x1b[?1049l");
  (void)::tcsetattr(in_, TCSANOW, &before_);
  for (const int number : ending_signals) handle(number, SIG_DFL);
  handle(SIGWINCH, SIG_DFL);
}

screen::extent screen::size() const {
  winsize s{};
  if (::ioctl(out_, TIOCGWINSZ, &s) != 0 || s.ws_row == 0 || s.ws_col == 0) return {24, 80};
  return {s.ws_row, s.ws_col};
}

void screen::write(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(out_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      ended = 1;
      return;
    }
    done += static_cast<std::size_t>(n);
  }
}

void screen::show(const std::vector<line>& lines) {
  const extent now = size();
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < now.rows; ++i) {
    if (i > 0) text += "\r\n";
    if (i < lines.size()) {
      if (lines[i].bold) text += "\x1b[1m";
      if (lines[i].inverse) text += "\x1b[7m";
      text += fitted(lines[i].text, now.columns);
      if (lines[i].bold || lines[i].inverse) text += "\x1b[0m";
    }
    text += "\x1b[K";
  }
  write(text);
}

screen::pressed screen::wait(std::chrono::milliseconds timeout) {
  if (!typed_.empty()) return decode();
  if (ended) return {end};
  if (changed) {
    changed = 0;
    return {resized};
  }
  pollfd p{in_, POLLIN, 0};
  const int n = ::poll(&p, 1, static_cast<int>(std::max<std::int64_t>(0, timeout.count())));
  if (ended) return {end};
  if (n < 0) return {resized};
  if (n == 0) return {};
  char buffer[64];
  const ssize_t got = ::read(in_, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return {};
  if (got <= 0) return {end};
  typed_.append(buffer, static_cast<std::size_t>(got));
  return decode();
}

screen::pressed screen::decode() {
  static constexpr struct {
    std::string_view sequence;
    screen::key key;
  } keys[] = {{"\x1b[A", up},       {"\x1b[B", down},       {"\x1b[C", right}, {"\x1b[D", left},
              {"\x1bOA", up},       {"\x1bOB", down},       {"\x1bOC", right}, {"\x1bOD", left},
              {"\x1b[5~", page_up}, {"\x1b[6~", page_down}, {"\r", enter},     {"\n", enter}};
  for (const auto& k : keys)
    if (typed_.starts_with(k.sequence)) {
      typed_.erase(0, k.sequence.size());
      return {k.key};
    }
  if (typed_[0] == '\x1b') {
    typed_.clear();  // alone, or a sequence that means nothing here
    return {escape};
  }
  const char c = typed_[0];
  typed_.erase(0, 1);
  return {character, c};
}

}  // namespace jobctl::cli
