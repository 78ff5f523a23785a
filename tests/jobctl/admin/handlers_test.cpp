// The API's answers, from a controller object filled with made-up messages.
#include "jobctl/admin/handlers.hpp"

#include "effort.hpp"
#include "jobctl/admin/fake_server.hpp"

#include <boost/json.hpp>

#include <set>

using namespace jobctl;
using namespace jobctl::admin;
namespace json = boost::json;

namespace {

struct fixture {
  test::fake_server server;
  admin::handlers handlers{server};

  response ask(admin::method m, const std::string& target) {
    std::optional<response> got;
    handlers.handle({m, target, {}}, [&](response r) {
      BOOST_REQUIRE(!got);  // answered twice
      got = std::move(r);
    });
    BOOST_REQUIRE(got);
    return std::move(*got);
  }
  json::object get(const std::string& target, unsigned status = 200) {
    const response r = ask(method::get, target);
    BOOST_TEST(r.status == status, target);
    return json::parse(r.body).as_object();
  }
  json::object post(const std::string& target, unsigned status = 200) {
    const response r = ask(method::post, target);
    BOOST_TEST(r.status == status, target);
    return json::parse(r.body).as_object();
  }
  json::object order(const std::string& verb, const std::string& body, unsigned status = 200) {
    std::optional<response> got;
    handlers.handle({method::post, "/v1/messages/" + verb, body}, [&](response r) { got = std::move(r); });
    BOOST_REQUIRE(got);
    BOOST_TEST(got->status == status, verb << ' ' << body << ": " << got->body);
    return json::parse(got->body).as_object();
  }
  std::vector<std::string> ids(const std::string& parameters) {
    std::vector<std::string> found;
    std::string cursor = "0";
    for (int pages = 0; pages < 1000; ++pages) {
      const json::object page = get("/v1/messages?" + parameters + "&cursor=" + cursor);
      for (const json::value& m : page.at("messages").as_array()) found.emplace_back(m.at("id").as_string());
      if (page.at("cursor").is_null()) return found;
      cursor = page.at("cursor").as_string();
    }
    BOOST_FAIL("the listing does not end");
    return found;
  }
};

std::string detail(const json::object& o) { return std::string(o.at("detail").as_string()); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(api_handlers, fixture)

BOOST_AUTO_TEST_CASE(summary_has_figures_of_each_channel_and_totals) {
  server.add_messages("maildir", 5);
  server.add_messages("fax", 3, phase::deferred);
  server.add_messages("fax", 2, phase::held);
  const json::object body = get("/v1/summary");
  BOOST_TEST(body.at("complete").as_bool());
  BOOST_TEST(body.at("time").as_string() == "2026-11-21T12:00:00.000Z");
  const auto& channels = body.at("channels").as_array();
  BOOST_REQUIRE(channels.size() == 3u);
  const auto& fax = channels[0].as_object();
  BOOST_TEST(fax.at("channel").as_string() == "fax");
  BOOST_TEST(fax.at("deferred").to_number<int>() == 3);
  BOOST_TEST(fax.at("held").to_number<int>() == 2);
  BOOST_TEST(fax.at("oldest").is_null());
  const auto& maildir = channels[1].as_object();
  BOOST_TEST(maildir.at("ready").to_number<int>() == 5);
  BOOST_TEST(maildir.at("bytes").to_number<int>() == 5010);
  BOOST_TEST(maildir.at("oldest").as_string() == "2026-11-21T11:59:56.000Z");
  const auto& total = body.at("total").as_object();
  BOOST_TEST(total.at("ready").to_number<int>() == 5);
  BOOST_TEST(total.at("deferred").to_number<int>() == 3);
  BOOST_TEST(total.at("oldest").as_string() == "2026-11-21T11:59:56.000Z");
}

BOOST_AUTO_TEST_CASE(summary_says_when_the_queue_is_not_yet_read) {
  server.scan_complete = false;
  BOOST_TEST(!get("/v1/summary").at("complete").as_bool());
  BOOST_TEST(get("/v1/status").at("state").as_string() == "starting");
}

BOOST_AUTO_TEST_CASE(a_row_has_every_documented_field) {
  const file_key file = server.add_messages("fax", 1, phase::deferred, "b.example", priority::urgent);
  const json::object body = get("/v1/messages");
  BOOST_TEST(body.at("cursor").is_null());
  const json::object& row = body.at("messages").as_array().at(0).as_object();
  BOOST_TEST(row.at("id").as_string() == mta::queue::to_string(message_id{file.file, 1, 0}));
  BOOST_TEST(row.at("channel").as_string() == "fax");
  BOOST_TEST(row.at("state").as_string() == "deferred");
  BOOST_TEST(row.at("priority").as_string() == "urgent");
  BOOST_TEST(row.at("attempts").to_number<int>() == 3);
  BOOST_TEST(row.at("size").to_number<int>() == 1000);
  BOOST_TEST(row.at("committed").as_string() == "2026-11-21T12:00:00.000Z");
  BOOST_TEST(row.at("due").as_string() == "2026-11-21T13:00:00.000Z");
  BOOST_TEST(row.at("host").as_string() == "b.example");
  BOOST_TEST(row.size() == 9u);
}

BOOST_AUTO_TEST_CASE(filters_select) {
  server.add_messages("maildir", 10, phase::queued, "a.example");
  server.add_messages("maildir", 4, phase::queued, "x.b.example");
  server.add_messages("fax", 3, phase::deferred, "b.example");
  server.add_messages("sms", 2, phase::held, "c.example", priority::nonurgent);
  BOOST_TEST(ids("").size() == 19u);
  BOOST_TEST(ids("channel=maildir").size() == 14u);
  BOOST_TEST(ids("host=a.example").size() == 10u);
  BOOST_TEST(ids("host=A.Example").size() == 10u);
  BOOST_TEST(ids("host=.b.example").size() == 7u);
  BOOST_TEST(ids("state=ready").size() == 14u);
  BOOST_TEST(ids("state=deferred").size() == 3u);
  BOOST_TEST(ids("state=held").size() == 2u);
  BOOST_TEST(ids("state=in-hand").empty());
  BOOST_TEST(ids("priority=nonurgent").size() == 2u);
  BOOST_TEST(ids("size_min=1005").size() == 5u);
  BOOST_TEST(ids("size_max=1000").size() == 4u);
  BOOST_TEST(ids("attempts_min=1").size() == 3u);
  BOOST_TEST(ids("channel=maildir&age_min=6s").size() == 4u);
  BOOST_TEST(ids("channel=maildir&age_max=2s&host=a.example").size() >= 2u);
  BOOST_TEST(ids("channel=fax&state=held").empty());
  BOOST_TEST(ids("attempts_max=2").size() == 16u);
  BOOST_TEST(ids("channel=*a*").size() == 17u);
  BOOST_TEST(ids("channel=?ms").size() == 2u);
}

BOOST_AUTO_TEST_CASE(ids_select_and_other_filters_narrow_them_down) {
  const auto file = server.add_messages("maildir", 10);
  const auto held = server.add_messages("fax", 1, phase::held);
  const auto id = [](jobctl::file_key f, std::uint32_t slot) {
    return mta::queue::to_string(message_id{f.file, f.generation, slot});
  };
  const std::string three = "id=" + id(file, 3) + "," + id(held, 0) + "," + id(file, 7) + "," + id(file, 99);
  BOOST_TEST(ids(three).size() == 3u);
  BOOST_TEST(ids(three + "&limit=1").size() == 3u);
  BOOST_TEST((ids(three + "&state=held") == std::vector{id(held, 0)}));
  BOOST_TEST(ids(three + "&channel=maildir&size_min=1007").size() == 1u);
  BOOST_TEST(detail(get("/v1/messages?id=nonsense", 400)).starts_with("id: "));
}

BOOST_AUTO_TEST_CASE(what_is_in_the_files_selects) {
  const auto first =
      server.commit("maildir", "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= from\r\n here\r\n\r\nhello\r\n",
                    {"ann@a.example", "bob@b.example"});
  const auto second = server.commit("fax", "X: y\r\n\r\nHELLO again\r\n", {"cay@a.example"});
  server.announce("maildir", first);
  server.announce("fax", second);
  const std::vector only_first{mta::queue::to_string(first.id)},
      only_second{mta::queue::to_string(second.id)};
  BOOST_TEST(ids("sender=ME@here.example").size() == 2u);
  BOOST_TEST(ids("sender=%3C%3E").empty());
  BOOST_TEST(ids("recipient=@a.example").size() == 2u);
  BOOST_TEST((ids("recipient=b*@*.example") == only_first));
  BOOST_TEST((ids("subject=gr%C3%BC%C3%9Fe%20from%20here") == only_first));
  BOOST_TEST((ids("content=hello%20AGAIN") == only_second));
  BOOST_TEST(ids("content=hello&limit=1").size() == 2u);
  BOOST_TEST(ids("content=hello&channel=sms").empty());
  BOOST_TEST(ids("reason=any").empty());  // neither is held
  const auto body = get("/v1/messages?content=again");
  BOOST_TEST(body.at("looked_at").to_number<int>() == 2);
  BOOST_TEST(detail(get("/v1/messages?subject=", 400)).starts_with("subject: "));
}

BOOST_AUTO_TEST_CASE(content_is_found_across_the_pieces_in_which_it_is_read) {
  const std::string long_text(256 * 1024 - 5, 'x');
  const auto made = server.commit("maildir", "\r\n" + long_text + "needle\r\n");
  server.announce("maildir", made);
  BOOST_TEST(ids("content=NEEDLE").size() == 1u);
  BOOST_TEST(ids("content=xneedlex").empty());
}

BOOST_AUTO_TEST_CASE(a_message_that_cannot_be_read_matches_no_text) {
  server.add_messages("maildir", 3);  // there are no files
  BOOST_TEST(ids("content=x").empty());
  BOOST_TEST(get("/v1/messages?content=x").at("looked_at").to_number<int>() == 3);
}

// 100,000 messages, but for sanitizer builds.
BOOST_AUTO_TEST_CASE(pages_of_many_messages_are_complete_and_without_duplicates) {
  const std::uint32_t files = 20, in_file = 4096 / test::effort_divisor,
                      in_sms = 18'080 / test::effort_divisor;
  const std::size_t total = files * in_file + in_sms;
  for (std::uint32_t i = 0; i < files; ++i)
    server.add_messages(i % 2 ? "fax" : "maildir", in_file, i % 3 ? phase::queued : phase::deferred);
  server.add_messages("sms", in_sms, phase::queued, "big.example");
  for (const char* parameters : {"limit=1000", "limit=997", "limit=10000", "priority=normal&limit=777"}) {
    const auto all = ids(parameters);
    BOOST_TEST(all.size() == total);
    BOOST_TEST((std::set<std::string>(all.begin(), all.end()).size() == total), parameters);
  }
  BOOST_TEST(ids("host=big.example&limit=500").size() == in_sms);
}

BOOST_AUTO_TEST_CASE(wrong_parameters_are_refused_with_what_was_expected) {
  const std::pair<const char*, const char*> wrong[] = {
      {"/v1/messages?stat=ready", "Did you mean 'state'?"},
      {"/v1/messages?state=readyy", "Did you mean 'ready'?"},
      {"/v1/messages?limit=0", "limit: '0' is not between 1 and 10000"},
      {"/v1/messages?limit=x", "limit: 'x' is not a number"},
      {"/v1/messages?limit=10001", "limit"},
      {"/v1/messages?cursor=-1", "cursor"},
      {"/v1/messages?size_min=big", "size_min: 'big' is not a size"},
      {"/v1/messages?age_min=old", "age_min: 'old' is not a duration"},
      {"/v1/messages?attempts_min=70000", "attempts_min"},
      {"/v1/messages?priority=high", "priority: 'high' is not one of urgent, normal, nonurgent"},
      {"/v1/summary?x=1", "unknown parameter 'x'"},
      {"/v1/messages/nonsense", "nonsense"},
      {"/v1/messages?state=ready&state=held", "twice"},
      {"/v1/%zz", "%"},
  };
  for (const auto& [target, expected] : wrong) {
    const json::object body = get(target, 400);
    BOOST_TEST(body.at("error").as_string() == "bad_request");
    BOOST_TEST(detail(body).find(expected) != std::string::npos, target << ": " << detail(body));
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_is_not_found) {
  BOOST_TEST(detail(get("/v1/messages?channel=maildr", 404)).find("Did you mean 'maildir'?") !=
             std::string::npos);
  BOOST_TEST(detail(get("/v1/channels/nothere", 404)).find("There are fax, maildir, sms") !=
             std::string::npos);
  BOOST_TEST(detail(post("/v1/channels/nothere/run", 404)).find("nothere") != std::string::npos);
  BOOST_TEST(detail(get("/v1/messages/0C9V3K8ZC4S0R.1.17", 404)).find("0C9V3K8ZC4S0R.1.17") !=
             std::string::npos);
  for (const char* target :
       {"/", "/v1", "/v2/summary", "/v1/summary/x", "/v1/messages/a/b", "/v1/channels/fax/walk"})
    get(target, 404);
  // Nothing was made by asking for it.
  BOOST_TEST(get("/v1/channels").at("channels").as_array().size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_wrong_method_is_told_the_right_one) {
  const response get_only = ask(method::post, "/v1/summary");
  BOOST_TEST(get_only.status == 405u);
  BOOST_TEST(get_only.allow == "GET");
  const response post_only = ask(method::get, "/v1/stop");
  BOOST_TEST(post_only.status == 405u);
  BOOST_TEST(post_only.allow == "POST");
  BOOST_TEST(server.stops.empty());
}

BOOST_AUTO_TEST_CASE(a_message_is_shown_with_envelope_recipients_and_history) {
  const std::string content = "Subject: x\r\n\r\nbody\r\n";
  const auto committed = server.commit("maildir", content, {"a@there.example", "b@there.example"});
  server.announce("maildir", committed);
  auto file = server.store().open("maildir", committed.id.file).value();
  file->note_history(committed.id.slot, R"({"time":1795262401000,"text":"mailbox is full"})");
  mta::queue::message_state state;
  state.phase = phase::deferred;
  state.attempts = 1;
  state.finished.set(0);
  BOOST_REQUIRE(file->change_state(committed.id.slot, state));

  const json::object m = get("/v1/messages/" + mta::queue::to_string(committed.id));
  BOOST_TEST(m.at("channel").as_string() == "maildir");
  BOOST_TEST(m.at("from").as_string() == "me@here.example");
  BOOST_TEST(m.at("size").to_number<std::size_t>() == content.size());
  const auto& recipients = m.at("recipients").as_array();
  BOOST_REQUIRE(recipients.size() == 2u);
  BOOST_TEST(recipients[0].at("address").as_string() == "a@there.example");
  BOOST_TEST(recipients[0].at("finished").as_bool());
  BOOST_TEST(!recipients[1].at("finished").as_bool());
  const auto& history = m.at("history").as_array();
  BOOST_REQUIRE(history.size() == 1u);
  BOOST_TEST(history[0].at("time").as_string() == "2026-11-21T12:00:01.000Z");
  BOOST_TEST(history[0].at("text").as_string() == "mailbox is full");
  // The controller knows better than the disk: it was not told of the deferral.
  BOOST_TEST(m.at("state").as_string() == "ready");
}

BOOST_AUTO_TEST_CASE(a_message_that_the_controller_does_not_know_is_shown_from_its_file) {
  const auto committed = server.commit("old", "a\r\n");
  const json::object m = get("/v1/messages/" + mta::queue::to_string(committed.id));
  BOOST_TEST(m.at("channel").as_string() == "old");
  BOOST_TEST(m.at("state").as_string() == "ready");
  message_id next_use = committed.id;
  next_use.generation++;
  get("/v1/messages/" + mta::queue::to_string(next_use), 404);
  message_id next_slot = committed.id;
  next_slot.slot++;
  get("/v1/messages/" + mta::queue::to_string(next_slot), 404);
  message_id beyond = committed.id;
  beyond.slot = 1'000'000;
  get("/v1/messages/" + mta::queue::to_string(beyond), 404);
}

BOOST_AUTO_TEST_CASE(content_is_the_wire_form) {
  const auto committed = server.commit("maildir", "Subject: x\r\n\r\n.dot\r\n\xFF\r\n");
  const response r = ask(method::get, "/v1/messages/" + mta::queue::to_string(committed.id) + "/content");
  BOOST_TEST(r.status == 200u);
  BOOST_TEST(r.content_type == "message/rfc822");
  BOOST_REQUIRE(r.stream);
  std::string text(r.stream->length(), ' ');
  BOOST_TEST(r.stream->read(0, std::as_writable_bytes(std::span(text))).value() == text.size());
  BOOST_TEST(text == "Subject: x\r\n\r\n.dot\r\n\xFF\r\n");
}

BOOST_AUTO_TEST_CASE(run_makes_deferred_messages_due) {
  server.add_messages("fax", 3, phase::deferred);
  const json::object body = post("/v1/channels/fax/run");
  BOOST_TEST(body.at("made_due").to_number<int>() == 3);
  BOOST_TEST(get("/v1/channels/fax").at("ready").to_number<int>() == 3);
  BOOST_TEST(get("/v1/channels/fax").at("deferred").to_number<int>() == 0);
}

BOOST_AUTO_TEST_CASE(channels_are_stopped_and_started) {
  BOOST_TEST(post("/v1/channels/fax/stop").at("changed").as_bool());
  BOOST_TEST(!post("/v1/channels/fax/stop").at("changed").as_bool());
  BOOST_TEST(get("/v1/channels/fax").at("stopped").as_bool());
  BOOST_TEST(!get("/v1/channels/sms").at("stopped").as_bool());
  BOOST_TEST(post("/v1/channels/fax/start").at("changed").as_bool());
  BOOST_TEST(!get("/v1/channels/fax").at("stopped").as_bool());
}

BOOST_AUTO_TEST_CASE(a_stop_has_a_reason_an_actor_and_an_end) {
  std::optional<response> got;
  handlers.handle({method::post, "/v1/channels/fax/stop?reason=out%20of%20paper&until=2h", {}, 0},
                  [&](response r) { got = std::move(r); });
  BOOST_REQUIRE(got);
  const json::object done = json::parse(got->body).as_object();
  BOOST_TEST(done.at("stopped").as_bool());
  BOOST_TEST(done.at("written").as_bool());
  const json::object& order = done.at("stops").at(0).as_object();
  BOOST_TEST(order.at("channel").as_string() == "fax");
  BOOST_TEST(order.at("host").is_null());
  BOOST_TEST(order.at("by").as_string() == "root (uid 0)");
  BOOST_TEST(order.at("reason").as_string() == "out of paper");
  BOOST_TEST(order.at("since").as_string() == "2026-11-21T12:00:00.000Z");
  BOOST_TEST(order.at("until").as_string() == "2026-11-21T14:00:00.000Z");
  BOOST_TEST(order.at("text").as_string() ==
             "channel fax is stopped since 2026-11-21T12:00:00.000Z by root (uid 0): out of paper, until "
             "2026-11-21T14:00:00.000Z (in 2h00m)");
  BOOST_TEST((get("/v1/channels/fax").at("stop") == json::value(order)));
  BOOST_TEST(get("/v1/channels/sms").at("stop").is_null());
  BOOST_TEST((get("/v1/summary").at("stops").at(0) == json::value(order)));
  // Without an end now; the reason stays.
  BOOST_TEST(post("/v1/channels/fax/stop").at("changed").as_bool());
  BOOST_TEST(get("/v1/channels/fax").at("stop").at("reason").as_string() == "out of paper");
  BOOST_TEST(get("/v1/channels/fax").at("stop").at("until").is_null());
}

BOOST_AUTO_TEST_CASE(hosts_are_stopped_in_a_channel_or_in_all) {
  server.add_messages("fax", 3, phase::queued, "mx.example.org");
  server.add_messages("sms", 2, phase::queued, "mx.example.org");
  const json::object in_fax = post("/v1/channels/fax/stop?host=MX.example.ORG");
  BOOST_TEST(in_fax.at("host").as_string() == "mx.example.org");
  BOOST_TEST(in_fax.at("stopped").as_bool());
  BOOST_TEST(get("/v1/channels/fax").at("blocked").to_number<int>() == 3);
  BOOST_TEST(!get("/v1/channels/fax").at("stopped").as_bool());
  BOOST_TEST(get("/v1/channels/sms").at("blocked").to_number<int>() == 0);
  const auto rows = get("/v1/destinations").at("destinations").as_array();
  BOOST_TEST((rows.at(0).at("barrier") == json::value("stopped")));
  BOOST_TEST(rows.at(1).at("barrier").is_null());

  const json::object everywhere = post("/v1/destinations/.example.org/stop?reason=x");
  BOOST_TEST(everywhere.at("channel").is_null());
  BOOST_TEST(get("/v1/channels/sms").at("blocked").to_number<int>() == 2);
  // What is started is exactly what was stopped; the rest is told.
  const json::object not_so = post("/v1/destinations/mx.example.org/start");
  BOOST_TEST(!not_so.at("changed").as_bool());
  BOOST_TEST(not_so.at("stopped").as_bool());
  BOOST_TEST(not_so.at("stops").as_array().size() == 2u);
  const json::object still = post("/v1/channels/fax/start?host=mx.example.org");
  BOOST_TEST(still.at("changed").as_bool());
  BOOST_TEST(still.at("stopped").as_bool());
  BOOST_TEST(still.at("stops").as_array().size() == 1u);
  BOOST_TEST(!post("/v1/destinations/.example.org/start").at("stopped").as_bool());
  BOOST_TEST(get("/v1/channels/fax").at("blocked").to_number<int>() == 0);
}

BOOST_AUTO_TEST_CASE(a_wrong_stop_changes_nothing_and_says_why) {
  for (const auto& [target, said] : std::map<std::string, std::string>{
           {"/v1/channels/fax/stop?until=soon", "neither a time"},
           {"/v1/channels/fax/stop?until=2020-01-01", "is over"},
           {"/v1/channels/fax/stop?until=0s", "is over"},
           {"/v1/channels/fax/stop?host=", "not the name of a host"},
           {"/v1/channels/fax/stop?host=a%20b", "not the name of a host"},
           {"/v1/channels/fax/stop?host=*.example", "'.example.org' means"},
           {"/v1/channels/fax/stop?reason=a%0ab", "control characters"},
           {"/v1/channels/fax/stop?for=2h", "unknown parameter"},
           {"/v1/channels/fax/start?until=2h", "unknown parameter"},
           {"/v1/destinations/./stop", "not the name of a host"},
           {"/v1/destinations/a/stop?reason=" + std::string(600, 'x'), "longer than 500 bytes"}})
    BOOST_TEST(detail(post(target, 400)).find(said) != std::string::npos, target);
  post("/v1/channels/fux/stop?host=a", 404);
  get("/v1/destinations/a/stop", 405);
  BOOST_TEST(get("/v1/summary").at("stops").as_array().empty());
  server.stops_are_written = false;
  BOOST_TEST(!post("/v1/channels/fax/stop").at("written").as_bool());
}

BOOST_AUTO_TEST_CASE(so_many_stops_and_no_more) {
  for (int n = 0; n < 1000; ++n)
    server.controller().impose(test::noon, {{}, "h" + std::to_string(n), {}, {}, {}, {}});
  BOOST_TEST(detail(post("/v1/destinations/one.more/stop", 400)).find("1000") != std::string::npos);
  BOOST_TEST(post("/v1/destinations/h7/stop?reason=x").at("changed").as_bool());
  BOOST_TEST(post("/v1/destinations/h7/start").at("changed").as_bool());
  BOOST_TEST(post("/v1/destinations/one.more/stop").at("changed").as_bool());
}

BOOST_AUTO_TEST_CASE(why_says_what_is_stopped_and_until_when) {
  const auto text = [&](const std::string& what) { return get("/v1/why/" + what).at("text").as_string(); };
  post("/v1/channels/fax/stop?host=h.example&reason=broken&until=2h");
  BOOST_TEST(text("h.example") ==
             "Host h.example is stopped in channel fax since 2026-11-21T12:00:00.000Z: broken, "
             "until 2026-11-21T14:00:00.000Z (in 2h00m); 'jobctl start fax --host h.example' "
             "lets it go on. Nothing waits.");
  const auto file = server.add_messages("fax", 2);
  BOOST_TEST(get("/v1/why/h.example").at("next").as_string() == "2026-11-21T14:00:00.000Z");
  for (const char* what : {"h.example", "fax"})
    BOOST_TEST(text(what).starts_with("2 due: host h.example is stopped in channel fax since"), text(what));
  server.add_messages("fax", 2, phase::deferred, "x.net");
  post("/v1/destinations/.net/stop");
  BOOST_TEST(text("x.net").starts_with("Host .net is stopped in every channel since"), text("x.net"));
  post("/v1/channels/fax/stop");
  BOOST_TEST(text("fax").find("due: channel fax is stopped since") != std::string::npos, text("fax"));
  get("/v1/why/other.example", 404);
  (void)file;
}

BOOST_AUTO_TEST_CASE(a_reload_tells_what_changed_or_every_problem) {
  server.next_reload = {true, {"channel fax: maxjobs 100 -> 5"}};
  BOOST_TEST(post("/v1/reload").at("changed").as_array().at(0).as_string() ==
             "channel fax: maxjobs 100 -> 5");
  server.next_reload.notes = {"[pool B] has no effect: no channel is in it"};
  BOOST_TEST(post("/v1/reload").at("notes").as_array().size() == 1u);
  server.next_reload = {false, {"jobctl.conf:3: a", "jobctl.conf:9: b"}};
  const json::object refused = post("/v1/reload", 422);
  BOOST_TEST(refused.at("error").as_string() == "configuration");
  BOOST_TEST(refused.at("problems").as_array().size() == 2u);
}

BOOST_AUTO_TEST_CASE(stop_is_answered_before_it_begins) {
  bool stopped_at_answer = true;
  handlers.handle({method::post, "/v1/stop"}, [&](response r) {
    BOOST_TEST(r.status == 202u);
    stopped_at_answer = !server.stops.empty();
  });
  BOOST_TEST(!stopped_at_answer);
  BOOST_TEST(server.stops.size() == 1u);
  post("/v1/stop?now=true", 202);
  BOOST_TEST(server.stops.size() == 3u);
  get("/v1/stop", 405);
  BOOST_TEST(detail(post("/v1/stop?now=yes", 400)).find("true or false") != std::string::npos);
  BOOST_TEST(server.stops.size() == 3u);
}

BOOST_AUTO_TEST_CASE(stop_can_leave_the_programs_to_the_next_controller) {
  post("/v1/stop?leave_programs=true", 202);
  BOOST_TEST(server.leaves.size() == 1u);
  BOOST_TEST(detail(post("/v1/stop?leave_programs=1", 400)).find("true or false") != std::string::npos);
  post("/v1/stop?leave_programs=true&now=true", 400);
  BOOST_TEST(server.leaves.size() == 1u);
  BOOST_TEST(server.stops.size() == 0u);
}

BOOST_AUTO_TEST_CASE(jobs_are_listed) {
  job_info j;
  j.job = job_no{7};
  j.channel = server.controller().channel("fax");
  j.pid = 4711;
  j.started = test::noon;
  server.running = {j};
  const json::object body = get("/v1/jobs");
  const json::object& row = body.at("jobs").as_array().at(0).as_object();
  BOOST_TEST(row.at("job").to_number<int>() == 7);
  BOOST_TEST(row.at("channel").as_string() == "fax");
  BOOST_TEST(row.at("pid").to_number<int>() == 4711);
  BOOST_TEST(row.at("started").as_string() == "2026-11-21T12:00:00.000Z");
}

BOOST_AUTO_TEST_CASE(a_filter_is_ordered_about_and_counted_by_channel) {
  server.add_messages("maildir", 5);
  server.add_messages("fax", 3, phase::deferred);
  const auto dry = order("hold", R"({"filter": {"channel": "*"}, "dry_run": true})");
  BOOST_TEST(dry.at("changed").to_number<int>() == 8);
  BOOST_TEST(dry.at("dry_run").as_bool());
  BOOST_TEST(ids("state=held").empty());
  const auto done =
      order("hold", R"({"filter": {"channel": "fax", "attempts_min": 3}, "reason": "so it is"})");
  BOOST_TEST(done.at("changed").to_number<int>() == 3);
  BOOST_TEST(done.at("order").as_string() == "hold");
  BOOST_TEST(done.at("channels").at(0).at("channel").as_string() == "fax");
  BOOST_TEST(ids("state=held").size() == 3u);
  BOOST_TEST(server.orders.back().note.reason == "so it is");
  BOOST_TEST(order("hold", R"({"filter": {"channel": "fax"}})").at("unchanged").to_number<int>() == 3);
  BOOST_TEST(order("release", R"({"all": true})").at("changed").to_number<int>() == 3);
  BOOST_TEST(ids("state=ready").size() == 8u);
}

BOOST_AUTO_TEST_CASE(named_messages_that_are_not_there_are_counted) {
  const auto file = server.add_messages("maildir", 5);
  const std::string here = mta::queue::to_string(message_id{file.file, 1, 2}),
                    gone = mta::queue::to_string(message_id{file.file, 1, 77});
  const auto done = order("remove", "{\"ids\": [\"" + here + "\", \"" + gone + "\"]}");
  BOOST_TEST(done.at("changed").to_number<int>() == 1);
  BOOST_TEST(done.at("not_found").to_number<int>() == 1);
  BOOST_TEST(ids("").size() == 4u);
  BOOST_TEST(order("bounce", R"({"ids": []})").at("changed").to_number<int>() == 0);
}

BOOST_AUTO_TEST_CASE(a_hold_may_have_an_end) {
  const auto file = server.add_messages("maildir", 1);
  order("hold", R"({"all": true, "until": "2h"})");
  const std::string id = mta::queue::to_string(message_id{file.file, 1, 0});
  BOOST_TEST(get("/v1/messages").at("messages").at(0).at("due").as_string() == "2026-11-21T14:00:00.000Z");
  server.controller().clock(test::noon + std::chrono::hours(2));
  BOOST_TEST((ids("state=ready") == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(a_wrong_order_changes_nothing_and_says_what_is_wrong) {
  server.add_messages("maildir", 5);
  const std::pair<const char*, const char*> wrong[] = {
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"{}", "which messages?"},
      {R"({"filter": {}})", "which messages?"},
      {R"({"ids": "x"})", "ids: a list"},
      {R"({"ids": ["x"]})", "ids: "},
      {R"({"ids": [], "all": true})", "either ids"},
      {R"({"filter": {"state": "hld"}})", "Did you mean 'held'?"},
      {R"({"filter": {"limit": "1"}})", "unknown parameter 'limit'"},
      {R"({"filter": {"state": true}})", "filter: state"},
      {R"({"all": "yes"})", "all: true or false"},
      {R"({"all": true, "untill": "2h"})", "Did you mean 'until'?"},
      {R"({"all": true, "until": "soon"})", "until: 'soon'"},
      {R"({"all": true, "until": "2020-01-01"})", "is over"},
      {R"({"all": true, "reason": 1})", "reason: a text"},
      {R"({"all": true, "reason": "a\nb"})", "control characters"},
      {R"({"all": true, "host": "x"})", "unknown field 'host'"}};
  for (const auto& [body, text] : wrong) {
    const auto refused = order("hold", body, 400);
    BOOST_TEST(detail(refused).find(text) != std::string::npos, body << ": " << detail(refused));
  }
  order("hold", R"({"filter": {"channel": "fx"}})", 404);
  order("hold", R"({"all": true, "reason": ")" + std::string(501, 'x') + "\"}", 400);
  order("route", R"({"all": true})", 400);
  order("route", R"({"all": true, "channel": "maildr"})", 404);
  order("route", R"({"all": true, "host": "a b"})", 400);
  BOOST_TEST(server.orders.empty());
  BOOST_TEST(ask(method::get, "/v1/messages/hold").status == 405u);
  BOOST_TEST(order("hold?x=1", "{}", 400).contains("error"));
}

BOOST_AUTO_TEST_SUITE_END()
