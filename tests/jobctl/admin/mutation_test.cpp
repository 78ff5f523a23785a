// Random damage to the API's requests: each is answered once, with JSON; what is refused says why, and
// changes nothing. Of use mostly in the sanitizer builds.
#include "effort.hpp"
#include "jobctl/admin/fake_server.hpp"
#include "jobctl/admin/handlers.hpp"

#include <boost/json.hpp>

#include <cstdlib>
#include <random>

using namespace jobctl;
using namespace jobctl::admin;
namespace json = boost::json;

namespace {

const char* const seed_targets[] = {
    "/v1/messages?channel=fax&host=.h.example&state=deferred&limit=3&cursor=0",
    "/v1/messages?sender=me%40*&recipient=b*%40x.example&subject=a%20b&reason=x",
    "/v1/messages?id=0C9V3K8ZC4S0R.1.17,0C9V3K8ZC4S0R.1.18&age_min=1s&age_max=3d",
    "/v1/messages?size_min=1k&size_max=2M&attempts_min=1&attempts_max=9&priority=urgent",
    "/v1/messages/0C9V3K8ZC4S0R.1.17/content",
    "/v1/why/h.example",
    "/v1/events?after=12&limit=5&channel=fax&kind=finished",
    "/v1/channels/fax/run",
    "/v1/channels/fax/stop?host=h.example&reason=gr%C3%BCn&until=2h",
    "/v1/channels/fax/start?host=h.example",
    "/v1/destinations/.example/stop?reason=x&until=%2B2h",
    "/v1/destinations/.example/start",
    "/v1/periodic/night/run",
    "/v1/destinations?limit=10",
    "/v1/stop?now=false&leave_programs=false",
    "/v1/summary",
    "/metrics",
};
const char* const verbs[] = {"hold", "release", "retry", "route", "bounce", "rm"};
const std::string seed_body =
    R"({"filter":{"channel":"fax","state":"deferred","size_min":1000,"age_max":"3d"},"ids":["0C9V3K8ZC4S0R.1.17"],)"
    R"("all":true,"dry_run":false,"reason":"gr\u00fcn","until":"2h","channel":"sms","host":"a.example","notify":true})";

struct mutator {
  std::mt19937_64 random;

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random() % n); }

  std::string damage(std::string text) {
    static const std::string pieces[] = {"/",         "?",
                                         "&",         "=",
                                         "%",         "%00",
                                         "%zz",       "*",
                                         "..",        "-1",
                                         ",",         "\"",
                                         "{",         "}",
                                         "[",         "]",
                                         ":",         "\\u00",
                                         "null",      "true",
                                         "1e9",       "99999999999999999999",
                                         "\xFF",      std::string(1, '\0'),
                                         "limit=1",   "{\"ids\":[]}",
                                         "\"all\":1", "0C9V3K8ZC4S0R.1.",
                                         "PT1H",      "2026-"};
    for (std::size_t changes = below(4); changes > 0; --changes) {
      const std::size_t at = below(text.size() + 1);
      switch (below(4)) {
        case 0: text.insert(at, pieces[below(std::size(pieces))]); break;
        case 1: text.erase(at, below(10)); break;
        case 2: text.insert(at, text.substr(below(text.size() + 1), below(40))); break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(random());
      }
    }
    return text;
  }
};

/// What the controller has of each channel.
std::string figures(admin::handlers& h) {
  std::string text;
  h.handle({method::get, "/v1/summary", {}}, [&](response r) { text = std::move(r.body); });
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(api_mutation)

BOOST_AUTO_TEST_CASE(any_damaged_request_is_answered_once_and_changes_nothing_when_it_is_refused) {
  const char* given = std::getenv("JOBCTL_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  mutator any{std::mt19937_64(seed)};
  test::fake_server server;
  const auto file = server.add_messages("fax", 20, phase::deferred);
  server.add_messages("maildir", 20);
  const auto real = server.commit("sms", "Subject: a b\r\n\r\nbody\r\n");
  server.announce("sms", real);
  const std::string ids[] = {mta::queue::to_string(message_id{file.file, file.generation, 3}),
                             mta::queue::to_string(real.id)};
  admin::handlers handlers(server);

  const int rounds = 40'000 / static_cast<int>(test::effort_divisor);
  int done = 0, refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const bool order = any.below(2) == 0;
    request q;
    q.method = any.below(8) == 0 ? method::other : order || any.below(3) == 0 ? method::post : method::get;
    q.target = order ? std::string("/v1/messages/") + verbs[any.below(std::size(verbs))]
                     : seed_targets[any.below(std::size(seed_targets))];
    q.body = seed_body;
    for (std::string* text : {&q.target, &q.body})
      if (const auto at = text->find("0C9V3K8ZC4S0R.1.17"); at != text->npos && any.below(2) == 0)
        text->replace(at, 18, ids[any.below(2)]);
    if (order && any.below(4) != 0) {  // an order that could be right: some of the fields
      json::object body = json::parse(seed_body).as_object();
      for (const char* field :
           {"filter", "ids", "all", "dry_run", "reason", "until", "channel", "host", "notify"})
        if (any.below(2) == 0) body.erase(field);
      q.body = json::serialize(body);
    }
    if (any.below(4) != 0) q.target = any.damage(q.target);
    if (any.below(2) != 0) q.body = any.damage(q.body);

    const auto where = [&] {
      return "JOBCTL_TEST_SEED=" + std::to_string(seed) + " round " + std::to_string(round) + ": " +
             q.target + " " + q.body;
    };
    for (const standing_stop& s : server.controller().stops())
      if (server.controller().stops().size() > 10) server.lift(s);
    const std::string before = figures(handlers);
    server.stops.clear();  // a controller that stops takes no orders
    server.leaves.clear();
    std::optional<response> got;
    int answers = 0;
    handlers.handle(q, [&](response r) {
      ++answers;
      got = std::move(r);
    });
    BOOST_REQUIRE_MESSAGE(answers == 1, where());
    if (got->status < 300) {
      ++done;
      continue;
    }
    ++refused;
    BOOST_REQUIRE_MESSAGE(got->status >= 400 && got->status < 500, got->status << " " << where());
    boost::system::error_code wrong;
    const json::value said = json::parse(got->body, wrong);
    BOOST_REQUIRE_MESSAGE(!wrong && said.is_object(), got->body << " " << where());
    for (const char* field : {"error", "detail"})
      BOOST_REQUIRE_MESSAGE(!said.at(field).as_string().empty(), got->body << " " << where());
    BOOST_REQUIRE_MESSAGE(figures(handlers) == before, where());
    BOOST_REQUIRE_MESSAGE(server.stops.empty() && server.leaves.empty(), where());
  }
  BOOST_TEST(done > rounds / 20);
  BOOST_TEST(refused > rounds / 20);
}

BOOST_AUTO_TEST_SUITE_END()
