#include "messages/messages.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace messages {
namespace {

constexpr std::array<std::string_view, kinds> names = {
    "plain",        "multipart",       "eight_bit",        "long_lines",  "leading_dots",
    "empty_sender", "many_recipients", "no_final_newline", "header_only", "empty_body",
    "utf8_header",  "folded_header",   "binary",           "large"};

constexpr std::array<std::string_view, 24> vocabulary = {
    "queue", "letter", "harbour", "seven",   "because", "winter", "delivered", "paper",
    "the",   "a",      "of",      "channel", "to",      "bridge", "morning",   "answer",
    "under", "river",  "postman", "blue",    "stamp",   "return", "every",     "road"};

constexpr int users = 120;

}  // namespace

std::string_view name(kind k) noexcept { return names[static_cast<std::size_t>(k)]; }

std::string message::wire_form() const {
  std::string wire;
  wire.reserve(content.size() + content.size() / 16 + 2);
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] == '\n' && (i == 0 || content[i - 1] != '\r')) wire += '\r';
    wire += content[i];
  }
  if (!wire.ends_with("\r\n")) wire += "\r\n";
  return wire;
}

generator::generator(std::uint64_t seed, std::vector<std::string> domains)
    : seed_(seed), state_(seed * 0x9e3779b97f4a7c15u + 1), domains_(std::move(domains)) {
  if (domains_.empty()) throw std::invalid_argument("messages::generator: no domain for recipients");
}

// splitmix64: the same everywhere, unlike the standard library's distributions.
std::uint64_t generator::random() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::string generator::words(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += ' ';
    out += vocabulary[below(vocabulary.size())];
  }
  return out;
}

std::string generator::text(std::size_t lines) {
  std::string out;
  for (std::size_t i = 0; i < lines; ++i) {
    out += words(1 + below(12));
    out += '\n';
    if (below(6) == 0) out += '\n';
  }
  return out;
}

std::string generator::base64(std::size_t bytes) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < (bytes / 3 + 1) * 4; ++i) {
    if (i > 0 && i % 76 == 0) out += '\n';
    out += digits[below(64)];
  }
  out += '\n';
  return out;
}

std::string generator::body(kind k) {
  switch (k) {
    case kind::multipart: {
      const std::string boundary = "=_" + std::to_string(random());
      return "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"" + boundary +
             "\"\n\nThis is a message in MIME format.\n--" + boundary + "\nContent-Type: text/plain\n\n" +
             text(4) + "--" + boundary + "\nContent-Type: text/html\n\n<html><body><p>" + words(20) +
             "</p></body></html>\n--" + boundary +
             "\nContent-Type: application/octet-stream; name=\"report.bin\"\nContent-Transfer-Encoding: "
             "base64\n\n" +
             base64(200 + below(20000)) + "--" + boundary + "--\n";
    }
    case kind::eight_bit:
      return "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
             "Grüße aus Köln, доброе утро, おはよう\n" +
             text(3) + "Latin-1: caf\xe9 \xa3\x35 \xff\n";
    case kind::long_lines:
      return "\n" + text(1) + std::string(998, 'x') + "\n" + std::string(999, 'y') + "\n" +
             std::string(1000 + below(99000), 'z') + "\n" + text(1);
    case kind::leading_dots: return "\n.\n..\n.hidden\n" + text(2) + ".\n\n. \n...\n.\n";
    case kind::no_final_newline: return "\n" + text(2) + "and no line end";
    case kind::header_only: return "";
    case kind::empty_body: return "\n";
    case kind::utf8_header: return "X-Grüße: доброе утро\nComments: \xe2\x9c\x89 caf\xc3\xa9\n\n" + text(3);
    case kind::folded_header: {
      std::string out = "References:";
      for (std::uint64_t i = 0, n = 20 + below(60); i < n; ++i)
        out += "\n\t<" + std::to_string(random()) + "@generator.example>";
      return out + "\nX-Blank-Looking:\n \n\n" + text(3);
    }
    case kind::binary: {
      std::string out =
          "MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n";
      for (int octet = 0; octet < 256; ++octet) {
        if (octet != '\r') out += static_cast<char>(octet);
      }
      for (std::uint64_t i = 0, n = below(4000); i < n; ++i) {
        const char octet = static_cast<char>(random());
        out += octet == '\r' ? '\0' : octet;
      }
      return out + "\n";
    }
    case kind::large: {
      std::string out = "\n";
      const std::size_t size = (256 + below(768)) * 1024;
      while (out.size() < size) out += base64(4096);
      return out;
    }
    case kind::plain:
    case kind::empty_sender:
    case kind::many_recipients: break;
  }
  return "\n" + text(1 + below(30));
}

message generator::next() {
  message made;
  made.number = ++made_;
  // One of each to begin with; then mostly plain mail, as in life.
  made.kind = made_ <= kinds  ? static_cast<kind>(made_ - 1)
              : below(2) == 0 ? kind::plain
                              : static_cast<kind>(below(kinds));
  // A large message is a hundred others; one in twenty of those that would be is.
  if (made.kind == kind::large && made_ > kinds && below(20) != 0) made.kind = kind::multipart;

  if (made.kind != kind::empty_sender)
    made.from = "sender" + std::to_string(1 + below(50)) + "@generator.example";
  const std::uint64_t recipients = made.kind == kind::many_recipients ? 100
                                   : below(8) == 0                    ? 2 + below(4)
                                                                      : 1;
  const std::uint64_t first = below(users);
  const std::string& domain = domains_[addressed_++ % domains_.size()];
  for (std::uint64_t i = 0; i < recipients; ++i) {
    made.to.push_back("user" + std::to_string(1 + (first + i) % users) + "@" + domain);
  }

  const std::string who = made.from.empty() ? "MAILER-DAEMON@generator.example" : made.from;
  made.content = "From: <" + who +
                 ">\nTo: " + (made.to.size() > 3 ? "undisclosed-recipients:;" : "<" + made.to.front() + ">") +
                 "\nSubject: " + words(1 + below(8)) +
                 "\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <" + std::to_string(made.number) +
                 "." + std::to_string(seed_) + "@generator.example>\n" + body(made.kind);
  if (made.number % 3 == 0) {
    std::string with_cr;
    with_cr.reserve(made.content.size() * 17 / 16);
    for (const char c : made.content) {
      if (c == '\n') with_cr += '\r';
      with_cr += c;
    }
    made.content = std::move(with_cr);
  }
  return made;
}

}  // namespace messages
