// What a configuration file means, and what is said about one that is wrong.

#include "config/settings.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

using namespace mta::config;
using namespace std::chrono_literals;
using std::chrono::seconds;

namespace {

/// Settings of a text without mistakes.
settings good(const std::string& text) {
  auto read = parse(text, "/srv/site/jobctl.conf");
  BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? std::string{} : read.error().text()));
  return std::move(*read);
}

/// Everything that is said about a text with mistakes.
std::string complaint(const std::string& text) {
  const auto read = parse(text, "site.conf");
  return read ? "no complaint" : read.error().text();
}

class environment_variable {
 public:
  environment_variable(const char* name, const char* value) : name_(name) {
    if (const char* was = std::getenv(name)) before_ = was;
    set(value);
  }
  ~environment_variable() { set(before_ ? before_->c_str() : nullptr); }
  environment_variable(const environment_variable&) = delete;
  environment_variable& operator=(const environment_variable&) = delete;

 private:
  void set(const char* value) {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> before_;
};

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

BOOST_AUTO_TEST_SUITE(defaults_of_a_site)

BOOST_AUTO_TEST_CASE(a_site_without_a_file_is_complete) {
  const settings s = defaults("/srv/x");
  BOOST_TEST(s.root == "/srv/x");
  BOOST_TEST(s.queue_root() == "/srv/x/queue");
  BOOST_TEST(s.program_socket() == "/srv/x/run/jobctl.sock");
  BOOST_TEST(s.api_socket() == "/srv/x/run/api.sock");
  BOOST_TEST(s.lock_file() == "/srv/x/run/jobctl.lock");
  BOOST_TEST(s.log_directory() == "/srv/x/log");
  BOOST_TEST(!s.host.empty());
  BOOST_TEST(s.postmaster == "postmaster@" + s.host);
  BOOST_REQUIRE(s.pools.size() == 1u);
  BOOST_TEST(s.pools[0].name == "DEFAULT");
  BOOST_TEST(s.pools[0].job_limit == 10u);
  for (const char* name : {"bitbucket", "defragment", "loopback", "maildir", "pipe"}) {
    const channel* c = s.find_channel(name);
    BOOST_REQUIRE(c != nullptr);
    BOOST_REQUIRE(c->program.size() == 1u);
    BOOST_TEST(c->program[0] == name);
    BOOST_TEST(c->pool == "DEFAULT");
    BOOST_TEST(c->host == s.host);
  }
  BOOST_TEST(s.find_channel("reprocess")->program.at(0) == "loopback");
  BOOST_TEST(s.find_channel("tcp") == nullptr);
  BOOST_TEST(s.aliases == "");
  BOOST_TEST((s.accounting == accounting_form::text));
  BOOST_TEST(s.charset8 == "auto");
}

BOOST_AUTO_TEST_CASE(what_is_added_at_submission_can_be_set) {
  const settings s =
      good("[jobctl]\naliases = /etc/mail/aliases\naccounting = Both\ncharset8 = ISO-8859-1\n");
  BOOST_TEST(s.aliases == "/etc/mail/aliases");
  BOOST_TEST((s.accounting == accounting_form::both));
  BOOST_TEST(s.charset8 == "iso-8859-1");
  BOOST_TEST(to_text(good(to_text(s))) == to_text(s));
  BOOST_TEST((good("[jobctl]\naccounting = no\n").accounting == accounting_form::none));
  BOOST_TEST((good("[jobctl]\naccounting = json\n").accounting == accounting_form::json));
}

BOOST_AUTO_TEST_CASE(built_in_retries_follow_the_documented_schedule) {
  const settings s = defaults("/x");
  const channel& c = *s.find_channel("maildir");
  const auto minutes_of = [](const backoff_schedule& schedule) {
    std::vector<long> out;
    for (const auto step : schedule) out.push_back(step.count() / 60);
    return out;
  };
  const std::vector<long> urgent{30, 60, 60, 120, 120, 120, 240}, normal{60, 120, 120, 240, 240, 240, 480},
      nonurgent{120, 240, 240, 480, 480, 480, 960};
  BOOST_TEST(minutes_of(c.backoff[0]) == urgent, boost::test_tools::per_element());
  BOOST_TEST(minutes_of(c.backoff[1]) == normal, boost::test_tools::per_element());
  BOOST_TEST(minutes_of(c.backoff[2]) == nonurgent, boost::test_tools::per_element());
  BOOST_TEST((backoff_after(c.backoff[1], 1) == 60min));
  BOOST_TEST((backoff_after(c.backoff[1], 2) == 120min));
  BOOST_TEST((backoff_after(c.backoff[1], 7) == 480min));
  BOOST_TEST((backoff_after(c.backoff[1], 1000) == 480min));
}

BOOST_AUTO_TEST_CASE(built_in_routes_lead_to_built_in_channels_and_loopback_does_not_loop) {
  const settings s = defaults("/x");
  BOOST_TEST(s.find_route("example.org", "")->channel == "maildir");
  BOOST_TEST(s.find_route("[192.0.2.1]", "")->channel == "maildir");
  BOOST_TEST(s.find_route("bitbucket.invalid", "")->channel == "bitbucket");
  BOOST_TEST(s.find_route("pipe.invalid", "")->channel == "pipe");
  BOOST_TEST(s.find_route("loopback.invalid", "")->channel == "loopback");
  BOOST_TEST(s.find_route("loopback.invalid", "loopback")->channel == "maildir");
  BOOST_TEST(s.find_route("bitbucket.invalid", "loopback")->channel == "bitbucket");
}

BOOST_AUTO_TEST_CASE(an_empty_file_means_the_defaults) {
  settings s = good("# nothing\n\n");
  BOOST_TEST(s.root == "/srv/site");
  BOOST_TEST(s.config_file == "/srv/site/jobctl.conf");
  BOOST_TEST(to_text(s) == to_text(defaults("/srv/site")));
}

BOOST_AUTO_TEST_CASE(the_root_is_that_given_or_of_the_file_or_its_directory_or_the_usual_one) {
  BOOST_TEST(parse("[jobctl]\nroot = /a/b/\n", "/srv/jobctl.conf")->root == "/a/b");
  BOOST_TEST(parse("[jobctl]\nroot = /a/b\n", "/srv/jobctl.conf", "/c")->root == "/c");
  BOOST_TEST(parse("", "/srv/jobctl.conf")->root == "/srv");
  BOOST_TEST(parse("", "/etc/jobctl/jobctl.conf")->root == "/var/spool/jobctl");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_good_file)

BOOST_AUTO_TEST_CASE(every_key_of_the_site_arrives) {
  const settings s = good(R"([jobctl]
root = /var/mail/site
host = Mail.Example.ORG
postmaster = pm@Example.org
builtin = yes
block_size = 2K
stop_timeout = 5s
lease_batch = 32
relaunch_first = 250ms
relaunch_last = PT10M
log_level = Debug
[queue]
reserve = 128M 5%
sync_interval = 2m
keep_spare_files = 7
backlog_limit = 1000000
[dequeue]
retry_interval = 3
max_attempts = 0
reply_timeout = 4s
max_threads = 6
max_messages = 7
stack_size = 256K
wait_timeout = 1h
)");
  BOOST_TEST(s.root == "/var/mail/site");
  BOOST_TEST(s.host == "mail.example.org");
  BOOST_TEST(s.postmaster == "pm@example.org");
  BOOST_TEST(s.block_size == 2048u);
  BOOST_TEST((s.controller.stop_timeout == 5s));
  BOOST_TEST(s.controller.lease_batch == 32u);
  BOOST_TEST((s.controller.relaunch_first == 250ms));
  BOOST_TEST((s.controller.relaunch_last == 10min));
  BOOST_TEST(s.controller.log_level == "debug");
  BOOST_TEST(s.queue.reserve.bytes == 128u << 20);
  BOOST_TEST(s.queue.reserve.percent == 5u);
  BOOST_TEST((s.queue.sync_interval == 2min));
  BOOST_TEST(s.queue.keep_spare_files == 7u);
  BOOST_TEST(s.queue.backlog_limit == 1000000u);
  BOOST_TEST((s.dequeue.retry_interval == 3s));
  BOOST_TEST(s.dequeue.max_attempts == 0u);
  BOOST_TEST((s.dequeue.reply_timeout == 4s));
  BOOST_TEST(s.dequeue.max_threads == 6u);
  BOOST_TEST(s.dequeue.max_messages == 7u);
  BOOST_TEST(s.dequeue.stack_size == 256u << 10);
  BOOST_TEST((s.dequeue.wait_timeout == 1h));
}

BOOST_AUTO_TEST_CASE(every_key_of_a_host_arrives) {
  const settings s = good(R"([host Example.ORG]
concurrency = 0
adaptive = yes
rate = 10/s
run = 100
weight = 3
failures = 12
probe = PT1M
[host .example.org]
rate = 0
[host [192.0.2.1]]
)");
  BOOST_REQUIRE(s.hosts.size() == 3u);
  BOOST_TEST(s.hosts[0].pattern == "example.org");
  const host_settings& h = s.hosts[0].settings;
  BOOST_TEST((h.concurrency == 0u));
  BOOST_TEST((h.adaptive == true));
  BOOST_TEST((h.rate->messages == 10u && h.rate->period == 1s));
  BOOST_TEST((h.run == 100u));
  BOOST_TEST((h.weight == 3u));
  BOOST_TEST((h.failures == 12u));
  BOOST_TEST((h.probe == 60s));
  BOOST_TEST(s.hosts[1].pattern == ".example.org");
  BOOST_TEST(s.hosts[1].settings.rate->messages == 0u);
  BOOST_TEST(s.hosts[2].pattern == "[192.0.2.1]");
  BOOST_TEST(to_text(good(to_text(s))) == to_text(s));
}

BOOST_AUTO_TEST_CASE(every_key_of_a_channel_arrives) {
  const settings s = good(R"([pool DEFAULT]
job_limit = 3
[pool Slow]
job_limit = 1
[channel tcp_out]
program = /usr/lib/tcp "two words" 'it''s' plain "a \"quote\" and \\" ""
option.Port = 2525
option.GREETING = hello there = you
pool = SLOW
host = gw.example.org
maxjobs = 4
threaddepth = 128
threads = 9
backoff = "PT30M PT1H"
urgentbackoff = 1m, 2m 3m
group = host
deliveryflags = 6
logging = no
stop = yes
backlog_limit = 5000
stressblackout = 10s
stressfactor = 3
stressjobs = 4
stresstime = 1m
unstressfactor = 2
unstressjobs = 6
unstresstime = 90s
maxblocks = 100
maxlines = 2000
memory_max = 300M
cpu_max = 150
tasks_max = 70
user = fax-1
defragment = yes
weight = 7
host_concurrency = 30
host_rate = 600/1m
host_probe = 90s
[channel waiting]
program =
option_file = /etc/waiting.option
)");
  const channel& c = *s.find_channel("tcp_out");
  const std::vector<std::string> argv{"/usr/lib/tcp", "two words", "its", "plain", "a \"quote\" and \\", ""};
  BOOST_TEST(c.program == argv, boost::test_tools::per_element());
  BOOST_REQUIRE(c.options.size() == 2u);
  BOOST_TEST(c.options[0].first == "port");
  BOOST_TEST(c.options[0].second == "2525");
  BOOST_TEST(c.options[1].first == "greeting");
  BOOST_TEST(c.options[1].second == "hello there = you");
  BOOST_TEST(option_file_text(c) == "port=2525\ngreeting=hello there = you\n");
  BOOST_TEST(s.option_path(c) == "/srv/site/run/tcp_out.option");
  BOOST_TEST(c.pool == "Slow");
  BOOST_TEST(c.host == "gw.example.org");
  BOOST_TEST(c.max_jobs == 4u);
  BOOST_TEST(c.thread_depth == 128u);
  BOOST_TEST(c.threads_per_job == 9u);
  BOOST_TEST(c.weight == 7u);
  BOOST_TEST(c.backlog_limit == 5000u);
  BOOST_TEST((c.stress.blackout == 10s && c.stress.time == 60s && c.stress.untime == 90s));
  BOOST_TEST(
      (c.stress.factor == 3u && c.stress.jobs == 4u && c.stress.unfactor == 2u && c.stress.unjobs == 6u));
  BOOST_TEST((c.hosts.concurrency == 30u));
  BOOST_TEST((c.hosts.rate && c.hosts.rate->messages == 600u && c.hosts.rate->period == 60s));
  BOOST_TEST((c.hosts.probe == 90s));
  BOOST_TEST(!c.hosts.run);
  BOOST_TEST((c.backoff[0] == backoff_schedule{60s, 120s, 180s}));
  BOOST_TEST((c.backoff[1] == backoff_schedule{1800s, 3600s}));
  BOOST_TEST((c.backoff[2] == backoff_schedule{1800s, 3600s}));
  BOOST_TEST((c.group == grouping::host));
  BOOST_TEST(c.delivery_flags == 6u);
  BOOST_TEST(!c.logging);
  BOOST_TEST(c.stopped);
  BOOST_TEST(c.max_blocks == 100u);
  BOOST_TEST(c.max_lines == 2000u);
  BOOST_TEST((c.limits.memory == 300u << 20 && c.limits.cpu == 150u && c.limits.tasks == 70u));
  BOOST_TEST(!good("").find_channel("maildir")->limits.any());
  BOOST_TEST(c.user == "fax-1");
  BOOST_TEST(good(to_text(s)).find_channel("tcp_out")->user == "fax-1");
  BOOST_TEST(c.defragment);
  const channel& w = *s.find_channel("waiting");
  BOOST_TEST(w.program.empty());
  BOOST_TEST(s.option_path(w) == "/etc/waiting.option");
  BOOST_TEST(w.pool == "DEFAULT");
  BOOST_TEST(s.option_path(*s.find_channel("maildir")) == "");
}

BOOST_AUTO_TEST_CASE(a_section_named_like_a_built_in_channel_changes_only_what_it_says) {
  const settings s = good("[channel maildir]\noption.directory = /srv/%u\n");
  BOOST_REQUIRE(s.find_channel("maildir")->program.size() == 1u);
  BOOST_TEST(s.find_channel("maildir")->program[0] == "maildir");
  BOOST_TEST(s.find_channel("maildir")->options.size() == 1u);
  BOOST_TEST(s.channels.size() == 6u);
}

BOOST_AUTO_TEST_CASE(without_built_in_parts_there_is_only_what_the_file_says) {
  const settings s =
      good("[channel maildir]\n[routes]\nexample.org = maildir\n[jobctl]\nbuiltin = no\n[pool P]\n");
  BOOST_REQUIRE(s.channels.size() == 1u);
  BOOST_TEST(s.channels[0].program.empty());
  BOOST_REQUIRE(s.pools.size() == 1u);
  BOOST_TEST(s.channels[0].pool == "P");
  BOOST_REQUIRE(s.routes.size() == 1u);
  BOOST_TEST(s.find_route("other.org", "") == nullptr);
}

BOOST_AUTO_TEST_CASE(the_first_pool_of_the_file_serves_channels_that_name_none_if_default_is_among_them) {
  BOOST_TEST(good("[pool SLOW]\n").find_channel("pipe")->pool == "DEFAULT");
  BOOST_TEST(good("[pool SLOW]\n[pool default]\njob_limit = 2\n").find_channel("pipe")->pool == "SLOW");
}

BOOST_AUTO_TEST_CASE(routes_go_from_exact_to_longest_subdomain_to_default_and_those_of_the_source_first) {
  const settings s = good(R"([channel a]
[channel b]
[channel c]
[channel d]
[routes]
example.org = a
.example.org = b
.deep.Example.org = c
[192.0.2.1] = b
[*] = c via relay.example.net
* = d via Gateway.example.net
[routes from b]
example.org = d
.example.org = a
)");
  const auto to = [&](std::string_view domain, std::string_view from = {}) {
    return s.find_route(domain, from)->channel;
  };
  BOOST_TEST(to("example.org") == "a");
  BOOST_TEST(to("x.example.org") == "b");
  BOOST_TEST(to("deep.example.org") == "b");
  BOOST_TEST(to("x.deep.example.org") == "c");
  BOOST_TEST(to("y.x.deep.example.org") == "c");
  BOOST_TEST(to("notexample.org") == "d");
  BOOST_TEST(to("org") == "d");
  BOOST_TEST(to("[192.0.2.1]") == "b");
  BOOST_TEST(to("[192.0.2.2]") == "c");
  BOOST_TEST(s.find_route("[192.0.2.2]", "")->via == "relay.example.net");
  BOOST_TEST(s.find_route("else.example", "")->via == "gateway.example.net");
  BOOST_TEST(to("example.org", "b") == "d");
  BOOST_TEST(to("x.deep.example.org", "b") == "a");
  BOOST_TEST(to("else.example", "b") == "d");
  BOOST_TEST(to("example.org", "c") == "a");
}

BOOST_AUTO_TEST_CASE(comments_line_ends_case_and_a_byte_order_mark_do_not_matter) {
  const settings s = good(
      "\xEF\xBB\xBF[JobCtl]  # here\r\n  HOST=mail.example.org#and "
      "here\r\n\r\n[Queue]\r\nSync_Interval\t=\t90s");
  BOOST_TEST(s.host == "mail.example.org");
  BOOST_TEST((s.queue.sync_interval == 90s));
}

BOOST_AUTO_TEST_CASE(effective_settings_as_text_mean_the_same_settings) {
  const std::string text = R"([jobctl]
host = mail.example.org
relaunch_first = 250ms
[queue]
reserve = 5% 1G
[pool SLOW]
job_limit = 1
[channel tcp_out]
program = /usr/lib/tcp "two words" "a \"quote\" \\" ""
option.port = 25
pool = slow
urgentbackoff = 1m 90s 1h30m
group = host
[routes]
* = tcp_out via gw.example.net
[routes from tcp_out]
* = bitbucket
)";
  const settings first = good(text);
  const settings second = good(to_text(first));
  BOOST_TEST(to_text(second) == to_text(first));
  BOOST_TEST(second.find_channel("tcp_out")->program == first.find_channel("tcp_out")->program,
             boost::test_tools::per_element());
  BOOST_TEST((second.find_channel("tcp_out")->backoff == first.find_channel("tcp_out")->backoff));
  BOOST_TEST(second.queue.reserve.percent == 5u);
  BOOST_TEST(second.queue.reserve.bytes == 1u << 30);
  BOOST_TEST(second.find_route("x.example", "")->channel == "tcp_out");
  BOOST_TEST(second.find_route("x.example", "tcp_out")->channel == "bitbucket");
  BOOST_TEST(second.find_route("bitbucket.invalid", "")->channel == "bitbucket");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_wrong_file)

struct mistake {
  const char* text;
  const char* complaint;
};

BOOST_AUTO_TEST_CASE(each_mistake_is_named_with_file_line_key_and_what_was_expected) {
  const mistake mistakes[] = {
      // Lines and sections.
      {"[jobctl]\nhost", "site.conf:2: \"host\": expected \"key = value\" or \"[section]\""},
      {"[jobctl]\n= x", "site.conf:2: \"= x\": expected \"key = value\" or \"[section]\""},
      {"host = a", "site.conf:1: host: expected a section, such as [jobctl], before the first key"},
      {"[jobctl]\nhost = a\x01"
       "b",
       "site.conf:2: \"host = a?b\": expected text without control characters"},
      {"[jobctrl]\nx = y\n", "site.conf:1: unknown section \"[jobctrl]\"; did you mean [jobctl]?"},
      {"[]\n", "site.conf:1: unknown section \"[]\"; did you mean [http]?"},
      {"[chanel x]\n", "site.conf:1: unknown section \"[chanel x]\"; did you mean [channel NAME]?"},
      {"[host *]\n",
       "site.conf:1: \"[host *]\": expected [host NAME] with a domain (example.org), its subdomains "
       "(.example.org) or an address literal ([192.0.2.1])"},
      {"[host x]\nrate = 5\n",
       "site.conf:2: [host x] rate: expected messages in a time, such as \"10/s\", \"100/1m\" or "
       "\"500/PT1H\" "
       "(times from 1ms to 1d), or 0: no limit, found \"5\""},
      {"[jobctl x]\n", "site.conf:1: unknown section \"[jobctl x]\"; did you mean [jobctl]?"},
      {"[routes to x]\n", "site.conf:1: unknown section \"[routes to x]\"; did you mean [routes]?"},
      {"[queue]\n\n[queue]\n",
       "site.conf:3: [queue]: there is such a section already, on line 1; expected each section once"},
      {"[channel]\n",
       "site.conf:1: \"[channel]\": expected [channel NAME] with a name of 1 to 32 lower case letters, "
       "digits, \"-\", \"_\" and "
       "\".\", beginning with a letter or digit"},
      {"[channel Tcp]\n",
       "site.conf:1: \"[channel Tcp]\": expected [channel NAME] with a name of 1 to 32 lower case letters, "
       "digits, \"-\", \"_\" "
       "and \".\", beginning with a letter or digit"},
      {"[channel abcdefghijklmnopqrstuvwxyz0123456]\n",
       "site.conf:1: \"[channel abcdefghijklmnopqrstuvwxyz0123456]\": expected [channel NAME] with a name of "
       "1 to 32 lower case "
       "letters, digits, \"-\", \"_\" and \".\", beginning with a letter or digit"},
      {"[pool a/b]\n",
       "site.conf:1: \"[pool a/b]\": expected [pool NAME] with a name of 1 to 32 letters, digits, \"-\", "
       "\"_\" and \".\", "
       "beginning with a letter or digit"},
      {"[pool A]\n[pool a]\n",
       "site.conf:2: [pool a]: there is such a section already, on line 1; expected each section once"},
      // Keys.
      {"[queue]\nreserv = 1\n", "site.conf:2: [queue] reserv: unknown key; did you mean \"reserve\"?"},
      {"[channel x]\nmaxjob = 1\n",
       "site.conf:2: [channel x] maxjob: unknown key; did you mean \"maxjobs\"?"},
      {"[channel x]\noptoin.port = 1\n",
       "site.conf:2: [channel x] optoin.port: unknown key; did you mean \"option.NAME\"?"},
      {"[jobctl]\nhost = a\nhost = b\n",
       "site.conf:3: [jobctl] host: given already on line 2; expected once"},
      {"[channel x]\noption.a = 1\noption.A = 2\n",
       "site.conf:3: [channel x] option.a: given already on line 2; expected once"},
      // Values.
      {"[jobctl]\nroot = var/x\n", "site.conf:2: [jobctl] root: expected an absolute path, found \"var/x\""},
      {"[jobctl]\nhost = a b\n",
       "site.conf:2: [jobctl] host: expected a domain name, such as mail.example.org, found \"a b\""},
      {"[jobctl]\npostmaster = joe\n",
       "site.conf:2: [jobctl] postmaster: expected an address, such as postmaster@example.org, found "
       "\"joe\""},
      {"[jobctl]\nbuiltin = maybe\n", "site.conf:2: [jobctl] builtin: expected yes or no, found \"maybe\""},
      {"[jobctl]\nblock_size = 0\n",
       "site.conf:2: [jobctl] block_size: expected a number of bytes from 1 to 1G (K, M, G and T are units), "
       "found \"0\""},
      {"[jobctl]\nlease_batch = -1\n",
       "site.conf:2: [jobctl] lease_batch: expected a whole number from 1 to 4096, found \"-1\""},
      {"[jobctl]\nlease_batch = 99999999999999999999999\n",
       "site.conf:2: [jobctl] lease_batch: expected a whole number from 1 to 4096, found "
       "\"99999999999999999999999\""},
      {"[jobctl]\nstop_timeout = 2h\n",
       "site.conf:2: [jobctl] stop_timeout: expected a duration from 0s to 1h in whole seconds, such as "
       "\"90s\", \"1h30m\" or "
       "\"PT1H30M\", found \"2h\""},
      {"[jobctl]\nrelaunch_first = soon\n",
       "site.conf:2: [jobctl] relaunch_first: expected a duration from 1ms to 1h, such as \"90s\", \"1h30m\" "
       "or \"PT1H30M\", "
       "found \"soon\""},
      {"[jobctl]\nrelaunch_last = 5ms\n",
       "site.conf:1: [jobctl] relaunch_last: expected no less than relaunch_first"},
      {"[jobctl]\naliases = etc/aliases\n",
       "site.conf:2: [jobctl] aliases: expected an absolute path, found \"etc/aliases\""},
      {"[jobctl]\naccounting = xml\n",
       "site.conf:2: [jobctl] accounting: expected text, json, both or no, found \"xml\""},
      {"[jobctl]\ncharset8 = utf 8\n",
       "site.conf:2: [jobctl] charset8: expected auto, no, or the name of a charset, such as iso-8859-1, "
       "found \"utf 8\""},
      {"[jobctl]\nlog_level = loud\n",
       "site.conf:2: [jobctl] log_level: expected debug, info, warning or error, found \"loud\""},
      {"[queue]\nreserve = 5% 6%\n",
       "site.conf:2: [queue] reserve: expected free space to keep, in bytes or in percent of the file "
       "system, or both: \"64M\", "
       "\"5%\", \"64M 5%\", found \"5% 6%\""},
      {"[queue]\nsync_interval = 1500ms\n",
       "site.conf:2: [queue] sync_interval: expected a duration from 1s to 366d in whole seconds, such as "
       "\"90s\", \"1h30m\" or "
       "\"PT1H30M\", found \"1500ms\""},
      {"[queue]\nsync_interval =\n",
       "site.conf:2: [queue] sync_interval: expected a duration from 1s to 366d in whole seconds, such as "
       "\"90s\", \"1h30m\" or "
       "\"PT1H30M\", found \"\""},
      {"[dequeue]\nstack_size = 1K\n",
       "site.conf:2: [dequeue] stack_size: expected a number of bytes from 64K to 1G (K, M, G and T are "
       "units), found \"1K\""},
      {"[pool P]\njob_limit = 0\n",
       "site.conf:2: [pool P] job_limit: expected a whole number from 1 to 100000, found \"0\""},
      {"[channel x]\nprogram = bin/x\n",
       "site.conf:2: [channel x] program: expected the program's absolute path, or its bare name, and then "
       "its arguments, found "
       "\"bin/x\""},
      {"[channel x]\nprogram = /bin/x \"a\n",
       "site.conf:2: [channel x] program: expected a closing quote: words are separated by blanks, or stand "
       "in '…' or \"…\", "
       "found \"/bin/x \"a\""},
      {"[channel x]\nbackoff = 1m 2m 3m 4m 5m 6m 7m 8m 9m\n",
       "site.conf:2: [channel x] backoff: expected 1 to 8 durations from 1s to 366d in whole seconds, such "
       "as \"30m 1h 4h\" or "
       "\"PT30M PT1H PT4H\", found \"1m 2m 3m 4m 5m 6m 7m 8m 9m\""},
      {"[channel x]\nnonurgentbackoff = PT1X\n",
       "site.conf:2: [channel x] nonurgentbackoff: expected 1 to 8 durations from 1s to 366d in whole "
       "seconds, such as \"30m 1h "
       "4h\" or \"PT30M PT1H PT4H\", found \"PT1X\""},
      {"[channel x]\ngroup = both\n",
       "site.conf:2: [channel x] group: expected channel (one message for all recipients) or host (one "
       "message for each "
       "destination host), found \"both\""},
      {"[channel x]\npool = a b\n",
       "site.conf:2: [channel x] pool: expected the name of a pool, found \"a b\""},
      {"[channel x]\nuser = a b\n",
       "site.conf:2: [channel x] user: expected the name of a user of this host, found \"a b\""},
      {"[channel x]\nuser = -root\n",
       "site.conf:2: [channel x] user: expected the name of a user of this host, found \"-root\""},
      {"[channel x]\noption. = 1\n",
       "site.conf:2: [channel x] option.: expected \"option.NAME = value\" with a name of 1 to 256 bytes and "
       "no blanks"},
      {"[channel x]\noption_file = /f\noption.a = 1\n",
       "site.conf:2: [channel x] option_file: expected either option_file or option.NAME keys, found both"},
      {"[routes]\nexample..org = maildir\n",
       "site.conf:2: [routes] example..org: expected a domain (example.org), its subdomains (.example.org), "
       "an address literal "
       "([192.0.2.1]), any literal ([*]) or the default (*)"},
      {"[routes]\nexample.org = maildir by x\n",
       "site.conf:2: [routes] example.org: expected the name of a channel, or CHANNEL via HOST, found "
       "\"maildir by x\""},
      {"[routes]\na.org = maildir\nA.ORG = pipe\n",
       "site.conf:3: [routes] a.org: given already on line 2; expected once"},
      // Several sections.
      {"[channel x]\npool = DEFALT\n",
       "site.conf:2: [channel x] pool: expected the name of a pool of this file, found \"DEFALT\"; did you "
       "mean \"DEFAULT\"?"},
      {"[routes]\n* = mildir\n",
       "site.conf:2: [routes] *: expected the name of a configured channel, found \"mildir\"; did you mean "
       "\"maildir\"?"},
      {"[routes from tcp]\n",
       "site.conf:1: [routes from tcp]: expected the name of a configured channel, found \"tcp\"; did you "
       "mean \"pipe\"?"},
  };
  for (const mistake& m : mistakes) BOOST_TEST(complaint(m.text) == m.complaint);
}

BOOST_AUTO_TEST_CASE(all_mistakes_of_a_file_are_told_in_its_order) {
  const std::string said = complaint(
      "[channel x]\nmaxjobs = none\npool = P\n\n[queue]\nreserv = 1\nsync_interval = x\n[what]\nkey = "
      "1\n[jobctl]\nhost = .\n");
  const std::vector<std::string> starts{"site.conf:2: [channel x] maxjobs: expected a whole number",
                                        "site.conf:3: [channel x] pool: expected the name",
                                        "site.conf:6: [queue] reserv: unknown key",
                                        "site.conf:7: [queue] sync_interval: expected a duration",
                                        "site.conf:8: unknown section",
                                        "site.conf:11: [jobctl] host: expected a domain"};
  std::size_t at = 0;
  for (const std::string& start : starts) {
    BOOST_TEST(said.compare(at, start.size(), start) == 0, said << "\nlacks, in its place: " << start);
    at = std::min(said.find('\n', at), said.size() - 1) + 1;
  }
  BOOST_TEST(at == said.size());
}

BOOST_AUTO_TEST_CASE(a_long_option_value_is_refused) {
  const std::string said = complaint("[channel x]\noption.a = " + std::string(1025, 'v') + "\n");
  BOOST_TEST(said == "site.conf:2: [channel x] option.a: expected a value of at most 1024 bytes, found 1025");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named_with_the_reason) {
  const test::temporary_directory directory;
  const auto missing = load(directory.path() + "/jobctl.conf");
  BOOST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().code == std::errc::no_such_file_or_directory));
  BOOST_TEST(missing.error().text() ==
             directory.path() +
                 "/jobctl.conf: cannot be read (No such file or directory); expected a "
                 "configuration file of at most 16 MiB");
  BOOST_TEST(!load(directory.path()).has_value());
}

BOOST_AUTO_TEST_CASE(a_load_error_becomes_one_error_or_exception) {
  const auto read = parse("[queue]\nx = 1\n", "f");
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST((read.error().to_error().code == mta::errc::syntax));
  BOOST_CHECK_THROW(read.value(), mta::exception);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(which_site)

BOOST_AUTO_TEST_CASE(explicit_ones_win_over_the_environment_and_files_over_directories) {
  const test::temporary_directory directory;
  const std::string with_file = directory.path() + "/with", without = directory.path() + "/without";
  std::filesystem::create_directory(with_file);
  std::filesystem::create_directory(without);
  write_file(with_file + "/jobctl.conf", "[jobctl]\nhost = with.example.org\nroot = /elsewhere\n");
  write_file(directory.path() + "/other.conf", "[jobctl]\nhost = other.example.org\n");

  const environment_variable config("JOBCTL_CONFIG", nullptr);
  const environment_variable root("JOBCTL_ROOT", without.c_str());
  BOOST_TEST(find_site()->root == without);
  BOOST_TEST(find_site()->config_file == "");
  BOOST_TEST(find_site({}, with_file + "/")->host == "with.example.org");
  BOOST_TEST(find_site({}, with_file)->root == with_file);
  BOOST_TEST(find_site(with_file + "/jobctl.conf")->root == "/elsewhere");
  BOOST_TEST(find_site(directory.path() + "/other.conf", without)->root == without);
  BOOST_TEST(find_site(directory.path() + "/other.conf", without)->host == "other.example.org");
  {
    const environment_variable both("JOBCTL_CONFIG", (directory.path() + "/other.conf").c_str());
    BOOST_TEST(find_site()->host == "other.example.org");
    BOOST_TEST(find_site()->root == without);
    BOOST_TEST(find_site({}, with_file)->host == "with.example.org");
  }
}

BOOST_AUTO_TEST_CASE(a_relative_directory_is_taken_from_the_current_one) {
  const auto site = find_site({}, "some/site");
  BOOST_REQUIRE(site.has_value());
  BOOST_TEST(site->root == (std::filesystem::current_path() / "some/site").string());
}

BOOST_AUTO_TEST_CASE(a_damaged_site_file_is_an_error_not_the_defaults) {
  const test::temporary_directory directory;
  write_file(directory.path() + "/jobctl.conf", "nonsense\n");
  BOOST_TEST(!find_site({}, directory.path()).has_value());
}

BOOST_AUTO_TEST_CASE(channel_programs_are_looked_up_by_bare_name_in_the_listed_directories) {
  const test::temporary_directory directory;
  std::filesystem::create_directory(directory.path() + "/a");
  std::filesystem::create_directory(directory.path() + "/b");
  write_file(directory.path() + "/b/prog", "#!/bin/sh\n");
  const std::string path = directory.path() + "/a::" + directory.path() + "/b";
  const environment_variable where("JOBCTL_CHANNEL_PATH", path.c_str());

  const auto not_executable = find_program("prog");
  BOOST_REQUIRE(!not_executable.has_value());
  if (::geteuid() != 0 || ::access((directory.path() + "/b/prog").c_str(), X_OK) != 0)
    BOOST_TEST((not_executable.error().code == std::errc::permission_denied));

  std::filesystem::permissions(directory.path() + "/b/prog", std::filesystem::perms::owner_all);
  BOOST_TEST(find_program("prog").value() == directory.path() + "/b/prog");
  BOOST_TEST(find_program(directory.path() + "/b/prog").value() == directory.path() + "/b/prog");

  const auto missing = find_program("nothing");
  BOOST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().code == std::errc::no_such_file_or_directory));
  BOOST_TEST(missing.error().context == "find channel program nothing (looked for " + directory.path() +
                                            "/a/nothing, " + directory.path() + "/b/nothing)");
}

BOOST_AUTO_TEST_SUITE_END()
