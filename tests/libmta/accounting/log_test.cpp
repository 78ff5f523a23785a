// The accounting log: both forms, many writers, rotation, and a disk that does not take it.

#include "accounting/log.hpp"

#include "effort.hpp"
#include "temporary_directory.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace accounting = mta::accounting;
using namespace mta::accounting;
using mta::config::accounting_form;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

struct fixture {
  test::temporary_directory directory;
  std::string logs = directory.path() + "/log";
  std::string text_path = logs + "/mail.log_current", json_path = logs + "/mail.log.json";
  std::vector<std::string> warnings;

  log_options options(accounting_form form) {
    log_options o;
    o.directory = logs;
    o.form = form;
    o.warn = [this](const mta::error& e) { warnings.push_back(e.message()); };
    return o;
  }
  static entry full() {
    entry e;
    e.code = action::dequeued;
    e.modifiers = "ES";
    e.source = "tcp_out";
    e.size = 1025;
    e.from = "ann@a.example";
    e.original = "bob@old.example";
    e.to = "bob@b.example";
    e.id = "0RQ1MPC64JNB2.1.0";
    e.envelope_id = "env id";
    e.message_id = "<1@a.example>";
    e.disposition = "delivered";
    e.attempt = 2;
    e.queue_time = std::chrono::milliseconds(61'005);
    e.reason = "250 ok, \"thanks\"";
    e.time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::milliseconds(3'723'456);
    return e;
  }
  static entry numbered(const std::string& name) {
    entry e;
    e.to = name;
    return e;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(accounting_log, fixture)

BOOST_AUTO_TEST_CASE(the_text_form_has_fourteen_fields_and_then_the_reason) {
  accounting::log l(options(accounting_form::text));
  l.record(full());
  l.flush();
  const auto all = lines_of(text_path);
  BOOST_REQUIRE(all.size() == 1u);
  const auto w = words(all[0]);
  BOOST_REQUIRE(w.size() == 17u);
  BOOST_TEST(std::regex_match(w[0], std::regex("2[012]-Nov-2026")), w[0]);  // the local zone's
  BOOST_TEST(std::regex_match(w[1], std::regex("\\d\\d:\\d\\d:03\\.45")), w[1]);
  BOOST_TEST(w[2] == [] {
    std::ostringstream out;
    out << std::hex << ::getpid();
    return out.str();
  }());
  const std::vector<std::string> rest{"tcp_out",       "<>",
                                      "DES",           "2",
                                      "ann@a.example", "rfc822;bob@old.example",
                                      "bob@b.example", "0RQ1MPC64JNB2.1.0",
                                      "env\\x20id",    "<1@a.example>",
                                      "61.005",        "250",
                                      "ok,",           "\"thanks\""};
  BOOST_TEST(std::vector<std::string>(w.begin() + 3, w.end()) == rest, boost::test_tools::per_element());
  BOOST_TEST(!fs::exists(json_path));
}

BOOST_AUTO_TEST_CASE(the_json_form_has_one_object_a_line) {
  accounting::log l(options(accounting_form::json));
  l.record(full());
  l.flush();
  const auto all = lines_of(json_path);
  BOOST_REQUIRE(all.size() == 1u);
  auto o = json::parse(all[0]).as_object();
  BOOST_TEST(o.at("process").as_string() != "");
  o.erase("process");
  const json::object expected{{"time", "2026-11-21T01:02:03.456Z"},
                              {"code", "D"},
                              {"action", "dequeue"},
                              {"modifiers", "ES"},
                              {"source", "tcp_out"},
                              {"size", 1025},
                              {"from", "ann@a.example"},
                              {"original", "bob@old.example"},
                              {"to", "bob@b.example"},
                              {"id", "0RQ1MPC64JNB2.1.0"},
                              {"envelope_id", "env id"},
                              {"message_id", "<1@a.example>"},
                              {"disposition", "delivered"},
                              {"attempt", 2},
                              {"queue_time", 61.005},
                              {"reason", "250 ok, \"thanks\""}};
  for (const auto& [key, value] : expected)
    BOOST_TEST(json::serialize(o[key]) == json::serialize(value), key);
  BOOST_TEST(o.size() == expected.size());
  BOOST_TEST(!fs::exists(text_path));
}

BOOST_AUTO_TEST_CASE(what_is_not_known_is_empty_and_the_time_is_now) {
  accounting::log l(options(accounting_form::both));
  l.record({});
  l.flush();
  const auto w = words(lines_of(text_path).at(0));
  BOOST_REQUIRE(w.size() == 14u);
  const std::vector<std::string> rest{"<>", "<>", "E", "0", "<>", "<>", "<>", "<>", "<>", "<>", "<>"};
  BOOST_TEST(std::vector<std::string>(w.begin() + 3, w.end()) == rest, boost::test_tools::per_element());
  const auto o = json::parse(lines_of(json_path).at(0)).as_object();
  BOOST_TEST(o.size() == 6u);  // time, process, code, action, size, from
  BOOST_TEST(o.at("from").as_string() == "");
}

BOOST_AUTO_TEST_CASE(no_text_can_break_a_line_or_a_field) {
  accounting::log l(options(accounting_form::both));
  entry e;
  e.to = "\"a b\\\n\"@x.example";
  e.from = "gr\xFC\xDF@x.example";
  e.message_id = "<\xC3\xBC@x>";
  e.reason = "line\r\nother \x7F line";
  l.record(e);
  l.flush();
  const auto all = lines_of(text_path);
  BOOST_REQUIRE(all.size() == 1u);
  const auto w = words(all[0]);
  BOOST_TEST(w[9] == "\"a\\x20b\\x5c\\x0a\"@x.example");
  BOOST_TEST(all[0].ends_with("line\\x0d\\x0aother \\x7f line"));
  const auto o = json::parse(lines_of(json_path).at(0)).as_object();
  BOOST_TEST(o.at("to").as_string() == e.to);
  BOOST_TEST(o.at("from").as_string() == "gr\xC3\xBC\xC3\x9F@x.example");  // taken for ISO 8859-1
  BOOST_TEST(o.at("message_id").as_string() == e.message_id);
  BOOST_TEST(o.at("reason").as_string() == e.reason);
}

BOOST_AUTO_TEST_CASE(every_action_has_its_code) {
  accounting::log l(options(accounting_form::json));
  std::string codes;
  for (const auto code : {action::enqueued, action::dequeued, action::deferred, action::rejected,
                          action::unreported, action::warned, action::refused}) {
    entry e;
    e.code = code;
    l.record(e);
  }
  l.flush();
  std::set<std::string> names;
  for (const auto& line : lines_of(json_path)) {
    const auto o = json::parse(line).as_object();
    codes += o.at("code").as_string();
    names.insert(std::string(o.at("action").as_string()));
  }
  BOOST_TEST(codes == "EDQRKWJ");
  BOOST_TEST(names.size() == 7u);
}

BOOST_AUTO_TEST_CASE(nothing_is_written_before_a_flush_and_all_by_the_end) {
  {
    accounting::log l(options(accounting_form::text));
    l.record(full());
    BOOST_TEST(!fs::exists(text_path));
  }
  BOOST_TEST(lines_of(text_path).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_log_that_is_switched_off_makes_no_files) {
  accounting::log l(options(accounting_form::none));
  BOOST_TEST(!l.enabled());
  l.record(full());
  l.flush();
  BOOST_TEST(!fs::exists(logs));
  auto site = mta::config::defaults(directory.path());
  l.configure(site);
  BOOST_TEST(l.enabled());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_renamed_or_removed_is_left_and_a_new_one_begun) {
  accounting::log l(options(accounting_form::both));
  const auto write = [&](const std::string& name) {
    l.record(numbered(name));
    l.flush();
  };
  write("1");
  fs::rename(text_path, text_path + ".1");
  fs::rename(json_path, json_path + ".1");
  write("2");
  write("3");
  fs::remove(text_path);
  fs::remove_all(json_path);
  write("4");
  BOOST_TEST(lines_of(text_path + ".1").size() == 1u);
  BOOST_TEST(lines_of(text_path).size() == 1u);
  BOOST_TEST(lines_of(json_path).size() == 1u);
  fs::remove_all(logs);
  write("5");
  BOOST_TEST(lines_of(text_path).size() == 1u);
  BOOST_TEST(warnings.empty());
}

std::size_t open_files() {
  std::size_t n = 0;
  for (const auto& d : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    n += fs::read_symlink(d.path(), gone).filename() == "mail.log_current";
  }
  return n;
}

BOOST_AUTO_TEST_CASE(a_closed_log_is_opened_again_when_it_is_needed) {
  accounting::log l(options(accounting_form::text));
  l.record(full());
  l.flush();
  BOOST_TEST(open_files() == 1u);
  l.record(full());
  l.close();
  BOOST_TEST(open_files() == 0u);
  BOOST_TEST(lines_of(text_path).size() == 2u);
  l.close_after_each_flush(true);
  l.record(full());
  l.flush();
  BOOST_TEST(lines_of(text_path).size() == 3u);
  BOOST_TEST(open_files() == 0u);
}

BOOST_AUTO_TEST_CASE(the_file_does_not_take_the_place_of_a_closed_standard_error) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    accounting::log l(options(accounting_form::text));
    ::close(STDERR_FILENO);
    l.record(full());
    l.flush();
    ::_exit(::write(STDERR_FILENO, "x", 1) < 0 ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(lines_of(text_path).size() == 1u);
}

BOOST_AUTO_TEST_CASE(trouble_costs_records_and_one_warning_until_it_works_again) {
  std::ofstream(logs) << "in the way";
  accounting::log l(options(accounting_form::text));
  for (int i = 0; i < 3; ++i) {
    l.record(full());
    l.flush();
  }
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].find("open " + text_path) != std::string::npos, warnings[0]);
  fs::remove(logs);
  l.record(full());
  l.flush();
  BOOST_TEST(lines_of(text_path).size() == 1u);
  fs::remove_all(logs);
  std::ofstream(logs) << "in the way";
  l.record(full());
  l.flush();
  BOOST_TEST(warnings.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_costs_records_and_one_warning) {
  if (!fs::exists("/dev/full")) return;
  fs::create_directory(logs);
  fs::create_symlink("/dev/full", text_path);
  accounting::log l(options(accounting_form::text));
  for (int i = 0; i < 3; ++i) {
    l.record(full());
    l.flush();
  }
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].find("No space left") != std::string::npos, warnings[0]);
}

BOOST_AUTO_TEST_CASE(many_threads_lose_no_line_and_mix_none) {
  const int each = 4000 / static_cast<int>(test::effort_divisor);
  {
    accounting::log l(options(accounting_form::both));
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&l, t, each] {
        for (int i = 0; i < each; ++i) {
          const std::string name = std::to_string(t) + "-" + std::to_string(i);
          l.record(numbered(name));
          if (i % 7 == 0) l.flush();
        }
      });
    for (std::thread& t : threads) t.join();
  }
  std::set<std::string> seen;
  for (const auto& line : lines_of(text_path)) seen.insert(words(line).at(9));
  BOOST_TEST(seen.size() == static_cast<std::size_t>(8 * each));
  seen.clear();
  for (const auto& line : lines_of(json_path))
    seen.insert(std::string(json::parse(line).as_object().at("to").as_string()));
  BOOST_TEST(seen.size() == static_cast<std::size_t>(8 * each));
}

BOOST_AUTO_TEST_CASE(many_processes_write_whole_lines_while_the_file_is_rotated) {
  constexpr int processes = 4, each = 2000;
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      accounting::log l(options(accounting_form::text));
      for (int i = 0; i < each; ++i) {
        const std::string name = std::to_string(p) + "-" + std::to_string(i) + std::string(200, 'x');
        l.record(numbered(name));
        if (i % 5 == 0) l.flush();
      }
      l.close();
      ::_exit(warnings.empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  int rotated = 0;
  const auto rotate = [&] {
    std::error_code not_there;
    fs::rename(text_path, text_path + "." + std::to_string(rotated), not_there);
    if (!not_there) ++rotated;
  };
  for (const pid_t child : children) {
    int status = -1;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      if (rotated < 50) rotate();
      std::this_thread::yield();
    }
    BOOST_TEST(status == 0);
  }
  std::set<std::string> seen;
  std::size_t lines = 0;
  for (const auto& file : fs::directory_iterator(logs))
    for (const auto& line : lines_of(file.path())) {
      ++lines;
      BOOST_REQUIRE(words(line).size() == 14u);
      seen.insert(words(line)[9]);
    }
  BOOST_TEST(lines == static_cast<std::size_t>(processes * each));
  BOOST_TEST(seen.size() == lines);
}

BOOST_AUTO_TEST_SUITE_END()
