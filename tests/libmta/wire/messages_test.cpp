// Frames: what is encoded is decoded to the same; what is not a frame is refused without reading beyond it.
#include "wire/messages.hpp"

#include "wire/frame.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace wire = mta::wire;
using mta::queue::file_number;
using wire::message_id;
using wire::time_point;

namespace {

time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }
message_id id(std::uint64_t file, std::uint32_t generation, std::uint32_t slot) {
  return {static_cast<file_number>(file), generation, slot};
}

/// The only frame in a buffer, in memory of exactly its size, so that a sanitizer sees every read beyond it.
struct exact_frame {
  wire::frame_type type{};
  std::unique_ptr<char[]> bytes;
  std::size_t size = 0;

  explicit exact_frame(std::string_view encoded) {
    BOOST_REQUIRE_GE(encoded.size(), 6u);
    std::uint32_t length = 0;
    std::uint16_t t = 0;
    std::memcpy(&length, encoded.data(), 4);
    std::memcpy(&t, encoded.data() + 4, 2);
    BOOST_REQUIRE_EQUAL(length + 4, encoded.size());
    type = static_cast<wire::frame_type>(t);
    set(encoded.substr(6));
  }
  void set(std::string_view body) {
    size = body.size();
    bytes.reset(new char[size]);
    std::memcpy(bytes.get(), body.data(), size);
  }
  wire::frame view() const { return {type, {bytes.get(), size}}; }
  std::string body() const { return std::string(bytes.get(), size); }
};

template <class Message>
std::string encode(const Message& m) {
  std::string out;
  append(out, m);
  return out;
}

wire::hello some_hello() {
  wire::hello m;
  m.role = wire::role::channel_program;
  m.pid = 4711;
  m.job = 0x1122334455667788;
  m.max_threads = 20;
  m.channel = "tcp_local";
  m.holding = {id(1, 1, 5), id(1, 1, 6), id(2, 3, 0), id(1, 1, 7)};
  return m;
}

wire::queued some_queued() {
  wire::queued m;
  m.channel = "l";
  m.file = {static_cast<file_number>(77), 2};
  m.capacity = 64;
  m.complete = true;
  m.messages.push_back({3, mta::queue::priority::urgent, mta::queue::phase::deferred, 9, 256, 1ull << 40,
                        at(1'700'000'000'000), at(1'700'000'060'000), "mx.example.com"});
  m.messages.push_back(
      {63, mta::queue::priority::nonurgent, mta::queue::phase::held, 0, 1, 0, at(5), at(0), ""});
  return m;
}

wire::results some_results() {
  return {{{id(1, 1, 5), wire::outcome::finished, {}},
           {id(1, 1, 6), wire::outcome::deferred, at(123'456)},
           {id(9, 1, 0), wire::outcome::held, {}},
           {id(9, 1, 1), wire::outcome::bad, {}}}};
}

wire::lease some_lease() {
  return {
      "bitbucket",
      {{id(1, 1, 5), 7, mta::queue::priority::urgent}, {id(1, 2, 5), 0, mta::queue::priority::nonurgent}}};
}

bool same(const wire::hello& a, const wire::hello& b) {
  return a.version == b.version && a.role == b.role && a.pid == b.pid && a.job == b.job &&
         a.max_threads == b.max_threads && a.channel == b.channel && a.holding == b.holding;
}
bool same(const wire::queued& a, const wire::queued& b) {
  return a.channel == b.channel && a.file == b.file && a.capacity == b.capacity && a.complete == b.complete &&
         std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(),
                    [](auto& x, auto& y) {
                      return x.slot == y.slot && x.priority == y.priority && x.phase == y.phase &&
                             x.attempts == y.attempts && x.recipients == y.recipients && x.size == y.size &&
                             x.committed == y.committed && x.due == y.due && x.host == y.host;
                    });
}
bool same(const wire::results& a, const wire::results& b) {
  return std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(),
                    [](auto& x, auto& y) {
                      return x.id == y.id && x.outcome == y.outcome && x.next_attempt == y.next_attempt;
                    });
}
bool same(const wire::lease& a, const wire::lease& b) {
  return a.channel == b.channel && std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(),
                                              b.messages.end(), [](auto& x, auto& y) {
                                                return x.id == y.id && x.attempts == y.attempts &&
                                                       x.priority == y.priority;
                                              });
}
bool same(const wire::ask& a, const wire::ask& b) { return a.more == b.more; }
bool same(const wire::poll& a, const wire::poll& b) { return a.token == b.token && a.running == b.running; }
bool same(const wire::stopping&, const wire::stopping&) { return true; }
bool same(const wire::bye&, const wire::bye&) { return true; }
bool same(const wire::sync& a, const wire::sync& b) { return a.token == b.token; }
bool same(const wire::stress& a, const wire::stress& b) { return a.why == b.why; }
bool same(const wire::welcome& a, const wire::welcome& b) {
  return a.version == b.version && a.session == b.session;
}
bool same(const wire::refused& a, const wire::refused& b) { return a.code == b.code && a.why == b.why; }
bool same(const wire::polled& a, const wire::polled& b) {
  return a.token == b.token && a.pending == b.pending && a.threads == b.threads;
}
bool same(const wire::stop& a, const wire::stop& b) { return a.why == b.why; }
bool same(const wire::synced& a, const wire::synced& b) { return a.token == b.token; }

/// Calls the generic lambda with one example of every frame.
template <class F>
void for_every_frame(F f) {
  f(some_hello());
  f(wire::hello{});
  f(some_queued());
  f(wire::ask{64});
  f(some_results());
  f(wire::poll{1, 2});
  f(wire::stopping{});
  f(wire::bye{});
  f(wire::sync{0xFFFFFFFF});
  f(wire::stress{"checkpoints take 80 s"});
  f(wire::welcome{wire::protocol_version, 99});
  f(wire::refused{wire::refusal::not_allowed, "uid 33 may not"});
  f(some_lease());
  f(wire::polled{1, 1ull << 33, 20});
  f(wire::stop{"shutting down"});
  f(wire::synced{3});
}

template <class Message>
bool decodes(const exact_frame& f) {
  Message m;
  return decode(f.view(), m).has_value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(every_frame_is_decoded_to_what_was_encoded) {
  for_every_frame([](const auto& m) {
    const exact_frame f(encode(m));
    std::decay_t<decltype(m)> back;
    const auto ok = decode(f.view(), back);
    BOOST_CHECK_MESSAGE(ok, wire::name_of(f.type) << ": " << (ok ? "" : ok.error().message()));
    BOOST_CHECK_MESSAGE(same(m, back), wire::name_of(f.type));
  });
}

BOOST_AUTO_TEST_CASE(the_bytes_are_those_of_the_specification) {
  // docs/protocol.md, "An example". Programs in other languages rely on them.
  wire::results r{{{id(0x0102030405060708, 1, 17), wire::outcome::deferred, at(0x1122)}}};
  const std::string expected(
      "\x23\0\0\0\x04\0"                     // length 35, RESULTS
      "\x01\0\0\0"                           // one group
      "\x08\x07\x06\x05\x04\x03\x02\x01"     // file number
      "\x01\0\0\0\x01\0\0\0"                 // generation, one message
      "\x11\0\0\0\x01\x22\x11\0\0\0\0\0\0",  // slot 17, deferred, next attempt
      39);
  BOOST_CHECK(encode(r) == expected);
}

BOOST_AUTO_TEST_CASE(every_truncation_and_every_extension_is_refused) {
  for_every_frame([](const auto& m) {
    using message = std::decay_t<decltype(m)>;
    const exact_frame whole(encode(m));
    const std::string body = whole.body();
    exact_frame f(encode(m));
    for (std::size_t n = 0; n < body.size(); ++n) {
      f.set(std::string_view(body).substr(0, n));
      message back;
      const auto ok = decode(f.view(), back);
      BOOST_REQUIRE_MESSAGE(!ok, wire::name_of(f.type) << " cut to " << n);
      BOOST_REQUIRE(ok.error().code == mta::errc::protocol);
    }
    f.set(body + '\0');
    BOOST_CHECK_MESSAGE(!decodes<message>(f), wire::name_of(f.type));
  });
}

BOOST_AUTO_TEST_CASE(random_damage_is_refused_or_decoded_to_something_that_encodes_again) {
  std::mt19937 random(20260101);
  for_every_frame([&](const auto& m) {
    using message = std::decay_t<decltype(m)>;
    const std::string body = exact_frame(encode(m)).body();
    if (body.empty()) return;
    exact_frame f(encode(m));
    for (int round = 0; round < 3000; ++round) {
      std::string damaged = body;
      for (unsigned n = 1 + random() % 4; n != 0; --n) {
        damaged[random() % damaged.size()] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
      }
      if (random() % 4 == 0) damaged.resize(random() % (damaged.size() + 1));
      f.set(damaged);
      message back;
      if (const auto ok = decode(f.view(), back); ok) {
        // Strictness: nothing is accepted that could not have been said by us.
        const std::string again = encode(back);
        message third;
        const exact_frame g(again);
        BOOST_REQUIRE(decode(g.view(), third));
        BOOST_REQUIRE(same(back, third));
      } else {
        BOOST_REQUIRE(ok.error().code == mta::errc::protocol || ok.error().code == mta::errc::wrong_version);
        BOOST_REQUIRE(!ok.error().context.empty());
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(a_count_beyond_the_frame_allocates_nothing) {
  std::string encoded = encode(some_results());
  exact_frame f(encoded);
  std::string body = f.body();
  const std::uint32_t many = 0x7FFFFFFF;
  std::memcpy(body.data(), &many, 4);
  f.set(body);
  wire::results r;
  BOOST_CHECK(!decode(f.view(), r));
  BOOST_CHECK_EQUAL(r.messages.capacity(), 0u);
}

BOOST_AUTO_TEST_CASE(values_outside_their_range_are_refused) {
  const auto refused = [](wire::queued q) {
    const exact_frame f(encode(q));
    return !decodes<wire::queued>(f);
  };
  auto q = some_queued();
  BOOST_CHECK(!refused(q));
  q.messages[0].slot = 64;
  BOOST_CHECK(refused(q));
  q = some_queued();
  q.messages[0].phase = mta::queue::phase::finished;
  BOOST_CHECK(refused(q));
  q = some_queued();
  q.messages[0].recipients = 257;
  BOOST_CHECK(refused(q));
  q = some_queued();
  q.file.generation = 0;
  BOOST_CHECK(refused(q));
  q = some_queued();
  q.capacity = 0;
  BOOST_CHECK(refused(q));
  for (const char* name : {"", "..", ".append", "a/b", "a b", "a\n"}) {
    q = some_queued();
    q.channel = name;
    BOOST_CHECK_MESSAGE(refused(q), '"' << name << '"');
  }
}

BOOST_AUTO_TEST_CASE(a_hello_of_another_version_is_told_apart_whatever_follows) {
  exact_frame f(encode(some_hello()));
  f.set(std::string_view("\x02\0whatever", 10));
  wire::hello h;
  const auto ok = decode(f.view(), h);
  BOOST_REQUIRE(!ok);
  BOOST_CHECK(ok.error().code == mta::errc::wrong_version);
  BOOST_CHECK_EQUAL(h.version, 2);
}

BOOST_AUTO_TEST_CASE(a_frame_of_another_type_is_refused) {
  const exact_frame f(encode(wire::stop{"x"}));
  wire::lease l;
  const auto ok = decode(f.view(), l);
  BOOST_REQUIRE(!ok);
  BOOST_CHECK_EQUAL(ok.error().message(),
                    "expected a LEASE frame of the job controller's protocol, got STOP: protocol violation");
}

BOOST_AUTO_TEST_CASE(long_lists_become_several_frames_within_the_limit) {
  std::mt19937 random(7);
  wire::lease l{"l", {}};
  wire::results r;
  wire::queued q = some_queued();
  q.messages.clear();
  q.capacity = 1u << 20;
  const std::string host(255, 'h');
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const message_id m = id(1 + random() % 3, 1, i);
    l.messages.push_back({m, 0, mta::queue::priority::normal});
    r.messages.push_back({m, wire::outcome::finished, {}});
    if (i < 5000) q.messages.push_back({i, {}, {}, 0, 1, 1, at(1), at(1), host});
  }
  std::string all;
  append(all, l);
  append(all, r);
  append(all, q);

  // Fed in odd portions, as a socket might.
  wire::frame_splitter splitter;
  wire::lease lease_back{"l", {}};
  wire::results results_back;
  std::size_t queued_back = 0, frames = 0;
  bool complete = false;
  std::string_view rest = all;
  while (!rest.empty()) {
    const auto room = splitter.prepare(1 + random() % 5000);
    const std::size_t n = std::min(room.size(), rest.size());
    std::memcpy(room.data(), rest.data(), n);
    splitter.commit(n);
    rest.remove_prefix(n);
    for (;;) {
      wire::frame f;
      const auto found = splitter.next(f);
      BOOST_REQUIRE(found);
      if (!*found) break;
      ++frames;
      if (f.type == wire::frame_type::lease) {
        wire::lease one;
        BOOST_REQUIRE(decode(f, one));
        lease_back.messages.insert(lease_back.messages.end(), one.messages.begin(), one.messages.end());
      } else if (f.type == wire::frame_type::results) {
        wire::results one;
        BOOST_REQUIRE(decode(f, one));
        results_back.messages.insert(results_back.messages.end(), one.messages.begin(), one.messages.end());
      } else {
        wire::queued one;
        BOOST_REQUIRE(decode(f, one));
        BOOST_REQUIRE_MESSAGE(!complete, "a frame follows one that says that the file is complete");
        complete = one.complete;
        queued_back += one.messages.size();
      }
    }
  }
  BOOST_CHECK(same(l, lease_back));
  BOOST_CHECK(same(r, results_back));
  BOOST_CHECK_EQUAL(queued_back, q.messages.size());
  BOOST_CHECK(complete);
  BOOST_CHECK_GT(frames, 10u);
  BOOST_CHECK_EQUAL(splitter.buffered(), 0u);
}

BOOST_AUTO_TEST_CASE(the_largest_hello_fits_into_one_frame) {
  wire::hello h = some_hello();
  h.holding.clear();
  for (std::uint32_t i = 0; i < wire::max_in_hand; ++i) h.holding.push_back(id(i + 1, 1, i));
  const exact_frame f(encode(h));
  BOOST_CHECK_LE(f.size + 2, wire::max_frame);
  wire::hello back;
  BOOST_REQUIRE(decode(f.view(), back));
  BOOST_CHECK(same(h, back));
}

BOOST_AUTO_TEST_CASE(a_length_outside_its_limits_ends_the_stream) {
  for (const std::uint32_t length : {0u, 1u, static_cast<std::uint32_t>(wire::max_frame) + 1, 0xFFFFFFFFu}) {
    wire::frame_splitter splitter;
    const auto room = splitter.prepare(4);
    std::memcpy(room.data(), &length, 4);
    splitter.commit(4);
    wire::frame f;
    const auto found = splitter.next(f);
    BOOST_REQUIRE(!found);
    BOOST_CHECK(found.error().code == mta::errc::protocol);
  }
}

BOOST_AUTO_TEST_CASE(texts_for_people_are_cut_between_characters) {
  std::string why(wire::max_text - 1, 'x');
  why += "\xC3\xA4";  // would end beyond the limit
  const exact_frame f(encode(wire::stop{why}));
  wire::stop back;
  BOOST_REQUIRE(decode(f.view(), back));
  BOOST_CHECK_EQUAL(back.why, std::string(wire::max_text - 1, 'x'));
}

BOOST_AUTO_TEST_SUITE_END()
