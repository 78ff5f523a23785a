// What the command line refuses, explains and checks without a controller.
#include "jobctl/cli/memory_terminal.hpp"
#include "jobctl/version.hpp"
#include "temporary_directory.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using test::run_jobctl;
namespace json = boost::json;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_AUTO_TEST_CASE(without_a_command_the_overview_is_an_error) {
  const auto r = run_jobctl({});
  BOOST_TEST(r.status == 64);
  BOOST_TEST(r.out == "");
  BOOST_TEST(contains(r.err, "Commands:"));
}

BOOST_AUTO_TEST_CASE(help_lists_and_explains_every_command) {
  const auto overview = run_jobctl({"help"});
  BOOST_TEST(overview.status == 0);
  for (const char* name : {"check", "submit", "summary", "ls", "show", "run", "stop", "start", "reload"}) {
    BOOST_TEST(contains(overview.out, std::string("\n  ") + name + " "), name);
    const auto one = run_jobctl({"help", name});
    const auto same = run_jobctl({name, "--help"});
    BOOST_TEST(one.status == 0);
    BOOST_TEST(one.out == same.out);
    for (const char* part : {"Usage: jobctl ", "Options:", "Examples:", "Exit status:", "--root DIR"})
      BOOST_TEST(contains(one.out, part), name);
    std::string line;
    for (const char c : one.out) {
      if (c != '\n') {
        line += c;
        continue;
      }
      BOOST_TEST(line.size() <= 100u, name << ": " << line);
      line.clear();
    }
  }
  BOOST_TEST(run_jobctl({"--version"}).out == std::string("jobctl ") + ::jobctl::version + "\n");
}

BOOST_AUTO_TEST_CASE(unknown_names_are_refused_with_the_nearest) {
  const auto command = run_jobctl({"sumary"});
  BOOST_TEST(command.status == 64);
  BOOST_TEST(contains(command.err, "Did you mean 'summary'?"));
  const auto help = run_jobctl({"help", "chekc"});
  BOOST_TEST(help.status == 64);
  BOOST_TEST(contains(help.err, "Did you mean 'check'?"));
  const auto option = run_jobctl({"ls", "--chanel", "x"});
  BOOST_TEST(option.status == 64);
  BOOST_TEST(contains(option.err, "Did you mean '--channel'?"));
  // Beginnings of options are not guessed.
  BOOST_TEST(run_jobctl({"ls", "--chan", "x"}).status == 64);
}

BOOST_AUTO_TEST_CASE(wrong_use_of_each_command_is_refused_before_anything_is_done) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--root"},
      {"--verbose", "ls"},
      {"summary", "extra"},
      {"summary", "--json=yes"},
      {"ls", "maildir"},
      {"ls", "--limit", "x"},
      {"ls", "--limit", "0"},
      {"ls", "--limit", "5", "--all"},
      {"ls", "--channel"},
      {"ls", "--channel", "a", "--channel", "b"},
      {"show"},
      {"show", "--raw", "--content", "0C9V3K8ZC4S0R.1.17"},
      {"show", "--raw", "--json", "0C9V3K8ZC4S0R.1.17"},
      {"run"},
      {"start"},
      {"stop", "fax"},
      {"stop", "--channel", "fax", "--now"},
      {"stop", "--timeout", "soon"},
      {"reload", "now"},
      {"check", "a", "b"},
      {"check", "a", "--config", "b"},
  };
  for (const auto& arguments : wrong) {
    const auto r = run_jobctl(arguments);
    std::string shown;
    for (const std::string& a : arguments) shown += a + " ";
    BOOST_TEST(r.status == 64, shown << "ended with " << r.status);
    BOOST_TEST(r.out == "", shown);
    BOOST_TEST(contains(r.err, "jobctl"), shown);
  }
  BOOST_TEST(run_jobctl({"show", "nonsense"}).status == 65);
}

BOOST_AUTO_TEST_CASE(without_a_controller_commands_say_what_to_do) {
  test::temporary_directory root;
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"summary"},
                                                                     {"ls"},
                                                                     {"run", "x"},
                                                                     {"start", "x"},
                                                                     {"stop"},
                                                                     {"reload"},
                                                                     {"stop", "--channel", "x"}}) {
    auto with_root = arguments;
    with_root.insert(with_root.end(), {"--root", root.path()});
    const auto r = run_jobctl(with_root);
    BOOST_TEST(r.status == 69, arguments[0]);
    BOOST_TEST(r.out == "");
    BOOST_TEST(contains(r.err, "jobctl " + arguments[0] + ": no controller runs for this site"));
    BOOST_TEST(contains(r.err, "jobctl serve"));
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_configuration_is_told_with_every_problem) {
  test::temporary_directory root;
  const std::string file = root.path() + "/jobctl.conf";
  std::ofstream(file) << "[jobctl]\nrooot = /x\n[channel a]\nmaxjobs = many\n";
  for (const char* command : {"summary", "check"}) {
    const auto r = run_jobctl({command, "--root", root.path()});
    BOOST_TEST(r.status == 78);
    BOOST_TEST(contains(r.err, file + ":2:"));
    BOOST_TEST(contains(r.err, file + ":4:"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(check_command)

struct files {
  test::temporary_directory directory;
  std::string file = directory.path() + "/my.conf";
  void write(const std::string& text) { std::ofstream(file) << text; }
};

BOOST_FIXTURE_TEST_CASE(a_right_file_passes, files) {
  write("[jobctl]\nroot = " + directory.path() + "\nbuiltin = no\n[channel a]\nprogram = /bin/true\n");
  const auto r = run_jobctl({"check", file});
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(contains(r.out, file + ": ok."));
  const auto shown = run_jobctl({"check", "--show", "--config", file});
  BOOST_TEST(shown.status == 0, shown.err);
  BOOST_TEST(contains(shown.out, "[channel a]"));
  // What is shown is a configuration with the same meaning.
  write(shown.out);
  BOOST_TEST(run_jobctl({"check", "--show", file}).out == shown.out);
}

BOOST_FIXTURE_TEST_CASE(programs_must_exist_and_be_executable, files) {
  write("[jobctl]\nroot = " + directory.path() +
        "\nbuiltin = no\n[channel a]\nprogram = /no/such/program\n[channel b]\nprogram = /etc/passwd\n");
  const auto r = run_jobctl({"check", file});
  BOOST_TEST(r.status == 78);
  BOOST_TEST(contains(r.err, "channel a: program"));
  BOOST_TEST(contains(r.err, "channel b: program"));
  const auto as_json = run_jobctl({"check", "--json", file});
  BOOST_TEST(as_json.status == 78);
  const auto body = json::parse(as_json.out);
  BOOST_TEST(!body.at("ok").as_bool());
  BOOST_TEST(body.at("problems").as_array().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_missing_file_is_an_error, files) {
  const auto r = run_jobctl({"check", file});
  BOOST_TEST(r.status == 78);
  BOOST_TEST(contains(r.err, file));
}

BOOST_FIXTURE_TEST_CASE(queues_without_a_channel_are_noted, files) {
  write("[jobctl]\nroot = " + directory.path() + "\nbuiltin = no\n[channel a]\nprogram = /bin/true\n");
  std::filesystem::create_directories(directory.path() + "/queue/forgotten");
  const auto r = run_jobctl({"check", file});
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(contains(r.out, "forgotten"));
}

BOOST_AUTO_TEST_SUITE_END()
