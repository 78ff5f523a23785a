// dump: what mta::mime sees in messages, for comparison with another parser.
//
// Usage: dump FILE...
//
// Prints a JSON object for each: its parts with their type, header and decoded content (in base64), and the
// multiparts and messages that were opened. Checks on the way that pieces obey the rules, and that a message
// that is rewritten without a change is the same, bytes for bytes.
#include <mta/mime.hpp>

#include <boost/json.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

namespace json = boost::json;

[[noreturn]] void fail(const std::string& file, const char* what) {
  std::cerr << "dump: " << file << ": " << what << "\n";
  std::exit(1);
}

std::string base64(const std::string& bytes) {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t n) {
      return i + n < bytes.size() ? static_cast<unsigned char>(bytes[i + n]) : 0u;
    };
    const unsigned bits = at(0) << 16 | at(1) << 8 | at(2);
    for (int n = 0; n < 4; ++n)
      out += i + static_cast<unsigned>(n) > bytes.size() ? '=' : alphabet[bits >> (18 - 6 * n) & 63];
  }
  return out;
}

class collector final : public mta::mime::visitor {
 public:
  explicit collector(std::string file) : file_(std::move(file)) {}

  mta::result<> visit(mta::mime::part& p, const mta::mime::piece& x) override {
    using mta::mime::piece_kind;
    if (parts.empty() || ended_) {
      if (p.number() != parts.size()) fail(file_, "parts are not numbered in order");
      ended_ = false;
      in_content_ = false;
      header_.clear();
      content_.clear();
      json::array parameters;
      for (const auto& q : p.type_parameters()) parameters.push_back({json::string(q.name), base64(q.value)});
      parts.push_back(json::object{{"type", std::string(p.type()) + "/" + std::string(p.subtype())},
                                   {"charset", base64(std::string(p.charset()))},
                                   {"disposition", base64(std::string(p.disposition()))},
                                   {"filename", base64(std::string(p.filename()))},
                                   {"parameters", parameters},
                                   {"depth", p.depth()},
                                   {"unparsed", p.unparsed()}});
    }
    if (x.data.size() > 1024) fail(file_, "a piece is too long");
    switch (x.kind) {
      case piece_kind::header:
        if (in_content_) fail(file_, "a header line within content");
        header_.append(x.data).append(x.ends_line ? "\n" : "");
        break;
      case piece_kind::text:
      case piece_kind::binary:
        in_content_ = true;
        content_.append(x.data).append(x.ends_line ? "\n" : "");
        parts.back().as_object()["text"] = x.kind == piece_kind::text;
        break;
      case piece_kind::end:
        ended_ = true;
        parts.back().as_object()["header"] = base64(header_);
        parts.back().as_object()["content"] = base64(content_);
        break;
    }
    return {};
  }
  mta::result<> enter(const mta::mime::entity& e) override {
    opened.push_back(json::string(std::string(e.type()) + "/" + std::string(e.subtype())));
    ++depth_;
    return {};
  }
  mta::result<> leave(const mta::mime::entity&) override {
    if (--depth_ < 0) fail(file_, "left what was not entered");
    return {};
  }
  void finish() const {
    if (depth_ != 0) fail(file_, "entered and not left");
    if (!parts.empty() && !ended_) fail(file_, "the last part has no end");
  }

  json::array parts, opened;

 private:
  std::string file_, header_, content_;
  bool ended_ = false, in_content_ = false;
  int depth_ = 0;
};

void dump(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  const std::string text = all.str();

  collector seen(file);
  const auto done = mta::mime::decode(text, seen);
  if (!done) fail(file, done.error().message().c_str());
  seen.finish();
  if (done->parts != seen.parts.size()) fail(file, "the count of parts is wrong");

  std::string copy, wire;
  for (const char c : text) {
    if (c == '\n' && !wire.ends_with('\r')) wire += '\r';
    wire += c;
  }
  collector again(file);
  const auto rewritten =
      mta::mime::rewrite(text, mta::mime::output::to_bytes([&](std::string_view bytes) -> mta::result<> {
                           copy += bytes;
                           return {};
                         }),
                         again);
  if (!rewritten) fail(file, rewritten.error().message().c_str());
  if (copy != wire) fail(file, "rewriting changed it");
  if (again.parts != seen.parts) fail(file, "rewriting presented other parts");
  std::cout << json::object{{"file", file}, {"parts", seen.parts}, {"opened", seen.opened}} << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) dump(argv[i]);
}
