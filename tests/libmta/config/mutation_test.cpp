// Random damage to configuration files: every text is either read or complained about, nothing else happens.
// Of use mostly in the sanitizer builds.

#include "config/settings.hpp"
#include "effort.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>
#include <string>

namespace {

const std::string seed_text = R"(# a site
[jobctl]
root = /srv/site
host = mail.example.org
stop_timeout = PT20S
[queue]
reserve = 128M 2%
[pool SLOW]
job_limit = 3
[channel tcp_out]
program = /usr/lib/x/tcp "a b" c
option.port = 25
pool = slow
backoff = "PT30M PT1H"
urgentbackoff = 1m 2m
[routes]
.example.org = maildir
[*] = tcp_out
* = tcp_out via gw.example.net
[routes from tcp_out]
* = bitbucket
)";

std::string mutate(std::mt19937_64& random, std::string text) {
  static const std::string pieces[] = {"[",         "]",
                                       "=",         "#",
                                       "\n",        "\"",
                                       "'",         "\\",
                                       " ",         "\t",
                                       "\r",        "%",
                                       ".",         "*",
                                       "[]\n",      "[]",
                                       "[ ]\n",     "=\n",
                                       "-1",        "99999999999999999999",
                                       "PT",        "option.",
                                       "\xFF",      std::string(1, '\0'),
                                       "[channel ", "[routes from ",
                                       "via",       "builtin = no\n"};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
    const std::size_t at = below(text.size() + 1);
    switch (below(4)) {
      case 0: text.insert(at, pieces[below(std::size(pieces))]); break;
      case 1: text.erase(at, below(12)); break;
      case 2: text.insert(at, text.substr(below(text.size() + 1), below(60))); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
    }
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(any_damage_is_read_or_complained_about) {
  const char* given = std::getenv("JOBCTL_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  std::mt19937_64 random(seed);
  const int rounds = 20'000 / static_cast<int>(test::effort_divisor);
  int read = 0, refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = mutate(random, seed_text);
    const auto result = mta::config::parse(text, "f");
    if (!result) {
      ++refused;
      BOOST_REQUIRE_MESSAGE(!result.error().problems.empty(), "seed " << seed << " round " << round);
      for (const auto& p : result.error().problems)
        BOOST_REQUIRE_MESSAGE(p.line > 0 && !p.text.empty(),
                              "seed " << seed << " round " << round << ": " << p.text);
      continue;
    }
    ++read;
    // What was read is complete and says the same when it is written and read again.
    const std::string effective = mta::config::to_text(*result);
    const auto again = mta::config::parse(effective, "f");
    BOOST_REQUIRE_MESSAGE(again.has_value(), "JOBCTL_TEST_SEED=" << seed << " round " << round << "\n"
                                                                 << again.error().text());
    BOOST_REQUIRE_MESSAGE(mta::config::to_text(*again) == effective,
                          "JOBCTL_TEST_SEED=" << seed << " round " << round);
  }
  BOOST_TEST(read > 400 / static_cast<int>(test::effort_divisor) / 2);
  BOOST_TEST(refused > 400 / static_cast<int>(test::effort_divisor) / 2);
}
