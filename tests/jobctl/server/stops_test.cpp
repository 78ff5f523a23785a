// What operators stop is kept in a file: its form, the old form, damage; and what a controller makes of it.
#include "jobctl/server/site_fixture.hpp"
#include "jobctl/server/stops_file.hpp"

#include <fstream>
#include <sstream>

namespace {

using jobctl::standing_stop;
using jobctl::time_point;
using test::site_fixture;
namespace fs = std::filesystem;

time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }

struct kept {
  test::temporary_directory directory;
  std::string path = directory.path() + "/stopped";

  void write(const std::string& text) const { std::ofstream(path) << text; }
  std::string read() const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
};

const std::vector<standing_stop> some = {
    {"fax", {}, "ann (uid 1000)", "out of \"paper\"\n", at(1'795'262'400'000), {}},
    {"smtp", "mx.example.org", {}, {}, {}, at(1'795'262'500'000)},
    {{}, ".example.org", "bob (uid 7)", "\xC3\xA9", at(1), at(2)},
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stops_file, kept)

BOOST_AUTO_TEST_CASE(what_is_kept_is_read_again) {
  BOOST_TEST(jobctl::load_stops(path).value().empty());  // no file yet
  BOOST_REQUIRE(jobctl::save_stops(path, some));
  BOOST_TEST((jobctl::load_stops(path).value() == some));
  BOOST_TEST(read().starts_with("stops 2\n{\"channel\":\"fax\",\"by\":\"ann (uid 1000)\""));
  BOOST_TEST(!fs::exists(path + ".new"));
  BOOST_REQUIRE(jobctl::save_stops(path, {}));
  BOOST_TEST(read() == "stops 2\n");
  BOOST_TEST(jobctl::load_stops(path).value().empty());
}

BOOST_AUTO_TEST_CASE(the_old_form_is_a_name_a_line) {
  write("fax\nmaildir\n");
  const auto read = jobctl::load_stops(path).value();
  BOOST_REQUIRE(read.size() == 2u);
  BOOST_TEST((read[0] == standing_stop{"fax", {}, {}, {}, {}, {}}));
  BOOST_TEST(read[1].channel == "maildir");
}

BOOST_AUTO_TEST_CASE(fields_of_later_versions_are_passed_over) {
  write("stops 2\n{\"host\":\"h.example\",\"colour\":[1]}\n\n");
  BOOST_TEST(jobctl::load_stops(path).value().size() == 1u);
}

BOOST_AUTO_TEST_CASE(damage_is_named_with_its_line_and_never_starts_anything) {
  for (const char* line : {"fax", "{", "{}", "{\"channel\":1}", "{\"channel\":\"fax\",\"until\":\"soon\"}",
                           "{\"channel\":\"fax\",\"since\":1e300}", "[]"}) {
    write("stops 2\n{\"channel\":\"fax\"}\n" + std::string(line) + "\n");
    const auto read = jobctl::load_stops(path);
    BOOST_REQUIRE(!read);
    BOOST_TEST(read.error().code == mta::errc::damaged);
    BOOST_TEST(read.error().context.starts_with(path + ":3: "), read.error().context);
  }
  write("stops 3\n");
  BOOST_TEST(jobctl::load_stops(path).error().code == mta::errc::wrong_version);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_an_error) {
  fs::create_directory(path + ".new");
  const auto saved = jobctl::save_stops(path, some);
  BOOST_REQUIRE(!saved);
  BOOST_TEST(saved.error().context.find(path + ".new") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(stopped_over_restarts, site_fixture)

BOOST_AUTO_TEST_CASE(a_stopped_host_stays_so_and_nothing_is_leased_before_that_is_known) {
  const time_point until = jobctl::server::now() + std::chrono::hours(1);
  const standing_stop order{
      "x", "example.org", "ann (uid 1000)", "their server is broken", jobctl::server::now(), until};
  BOOST_TEST(server->impose(order).changed);
  BOOST_TEST(!server->impose(order).changed);
  const auto id = commit();  // for example.org
  kill_server();
  start();
  auto& program = channel_program();
  program.send(mta::wire::ask{10});
  until_indexed();
  settle(program);
  BOOST_TEST((server->state().stops() == std::vector<standing_stop>{order}));
  BOOST_TEST(figures().ready == 1u);
  BOOST_TEST(figures().blocked == 1u);
  BOOST_TEST(server->lift({"x", "example.org", "bob (uid 7)", {}, {}, {}}).changed);
  BOOST_TEST((leased(program) == std::vector{id}));
  BOOST_TEST(jobctl::load_stops(root() + "/run/stopped").value().empty());
}

BOOST_AUTO_TEST_CASE(an_end_that_comes_while_no_controller_runs_is_noticed_at_the_start) {
  BOOST_REQUIRE(jobctl::save_stops(root() + "/run/stopped",
                                   {{"x", {}, {}, {}, {}, jobctl::server::now() - std::chrono::seconds(1)}}));
  kill_server();
  start();
  until([&] { return jobctl::load_stops(root() + "/run/stopped").value().empty(); }, "the file to say so");
  BOOST_TEST(!figures().stopped);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_by_itself_and_is_kept_no_longer) {
  const auto soon = jobctl::server::now() + std::chrono::milliseconds(200);
  server->impose({"x", {}, {}, {}, {}, soon});
  BOOST_TEST(figures().stopped);
  until([&] { return !figures().stopped; }, "the end of the stop");
  BOOST_TEST((jobctl::server::now() >= soon));
  BOOST_TEST(jobctl::load_stops(root() + "/run/stopped").value().empty());
  bool told = false;
  auto& events = server->events();
  for (auto n = events.first(); n < events.next(); ++n)
    told = told || (events.at(n).kind() == jobctl::event_kind::channel_started &&
                    events.text(n).starts_with("by itself: its stop by an operator ended at "));
  BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_in_force_and_said_not_to_be_written) {
  fs::create_directory(root() + "/run/stopped.new");
  const auto done = server->impose({"x", {}, {}, {}, {}, {}});
  BOOST_TEST(done.changed);
  BOOST_TEST(!done.written);
  BOOST_TEST(figures().stopped);
}

BOOST_AUTO_TEST_CASE(no_controller_starts_with_a_file_that_it_cannot_read) {
  kill_server();
  std::ofstream(root() + "/run/stopped") << "stops 2\nnonsense\n";
  auto settings = mta::config::find_site({}, root());
  BOOST_REQUIRE(settings);
  server = make_server(*settings);
  const auto opened = server->open();
  BOOST_REQUIRE(!opened);
  BOOST_TEST(opened.error().context.find("run/stopped:2: ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
