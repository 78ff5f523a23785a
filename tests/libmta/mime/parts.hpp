// What a decode presents, kept for looking at.
#pragma once

#include <mta/mime.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace test {

struct seen_part {
  std::size_t number = 0;
  std::string type;  ///< with subtype
  std::string header, content;
  bool text = false, unparsed = false;
  std::size_t ends = 0;
};

class parts final : public mta::mime::visitor {
 public:
  mta::result<> visit(mta::mime::part& p, const mta::mime::piece& x) override {
    using mta::mime::piece_kind;
    if (all.empty() || all.back().number != p.number()) {
      all.push_back({p.number(),
                     std::string(p.type()) + "/" + std::string(p.subtype()),
                     {},
                     {},
                     false,
                     p.unparsed(),
                     0});
      log += "part ";
    }
    seen_part& now = all.back();
    longest = std::max(longest, x.data.size());
    if (x.kind == piece_kind::end) ++now.ends;
    if (x.kind == piece_kind::text) now.text = true;
    (x.kind == piece_kind::header ? now.header : now.content).append(x.data).append(x.ends_line ? "\n" : "");
    return {};
  }
  mta::result<> enter(const mta::mime::entity& e) override {
    log += "<" + std::string(e.type()) + "/" + std::string(e.subtype()) + " ";
    return {};
  }
  mta::result<> leave(const mta::mime::entity&) override {
    log += "> ";
    return {};
  }

  std::vector<seen_part> all;
  std::string log;  ///< what was entered, presented and left, in order
  std::size_t longest = 0;
};

inline parts look(const mta::mime::input& in, const mta::mime::options& o = {},
                  mta::mime::summary* summary = nullptr) {
  parts seen;
  const auto done = mta::mime::decode(in, seen, o);
  BOOST_REQUIRE_MESSAGE(done, done.error().message());
  BOOST_TEST(done->parts == seen.all.size());
  if (summary != nullptr) *summary = *done;
  return seen;
}

/// The rewritten message, line ends as LF.
template <class F>
std::string rewritten(const mta::mime::input& in, F f, const mta::mime::options& o = {}) {
  std::string out;
  const auto done = mta::mime::rewrite(in, mta::mime::output::to_bytes([&](std::string_view bytes) {
                                         out += bytes;
                                         return mta::result<>();
                                       }),
                                       f, o);
  BOOST_REQUIRE_MESSAGE(done, done.error().message());
  std::string lf;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i] != '\r' || i + 1 == out.size() || out[i + 1] != '\n') lf += out[i];
  return lf;
}

/// A multipart/mixed of parts, each with its header; boundary b.
inline std::string multipart(const std::vector<std::string>& all) {
  std::string text = "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\nbefore\n";
  for (const std::string& p : all) text += "--b\n" + p + "\n";
  return text + "--b--\nafter\n";
}

}  // namespace test
