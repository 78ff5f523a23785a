// Configurations of legacy MTAs become ours, and nothing is left out in silence.
#include "config/settings.hpp"
#include "jobctl/cli/legacy/conversion.hpp"
#include "jobctl/cli/legacy/keywords.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

using namespace jobctl::cli::legacy;
using namespace std::chrono_literals;

namespace {

const char* const job_controller = R"(!VERSION=5.0
! The shipped file, and what a site added to it.
tcp_port=27442
secret=9Y6bXxkXbY
slave_command=NULL
max_life_age=3600
synch_time=/4:00
max_messages=100000
rebuild_parallel_channel=12
stressblackout=60
[POOL=DEFAULT]
job_limit=10
[POOL=SMTP_POOL]
job_limit=5
[CHANNEL=l]
master_command=IMTA_BIN:l_master
[CHANNEL=ims-ms*]
master_command=/opt/SUNWmsgsr/lib/ims_master
max_life_age=14400
max_life_conns=20000
[CHANNEL=tcp_*]
anon_host=0
master_command=IMTA_BIN:tcp_smtp_client
[CHANNEL=tcp_slow]
master_command=/usr/local/libexec/slow_smtp --quiet
nonurgent_delivery=20:00-06:00
[CHANNEL=reprocess]
master_command=IMTA_BIN:reprocess
[CHANNEL=bsmtp*]
master_command=IMTA_BIN:bsout_master
slave_command=IMTA_BIN:bsin_master
[PERIODIC_JOB=return]
command=/opt/SUNWmsgsr/lib/return.sh
time=00:30/24:00
[PERIODIC_JOB=purge]
command=/opt/SUNWmsgsr/lib/purge --days 7
time=02:00/7:15
)";

const char* const imta = R"(! part I: rewrite rules
$*                      $E$F$U%$H$V$H@mailhost
example.com             $U%$D@tcp_local-daemon
[]                      $U%[$L]@tcp_intranet-daemon

! part II: channels
defaults notices 1 2 4 7 copywarnpost copysendpost immnonurgent maxjobs 7 defaulthost example.com

l subdirs 20 viaaliasrequired pool DEFAULT
mailhost.example.com

tcp_local smtp mx single_sys maxjobs 20 pool SMTP_POOL \
 threaddepth 30 backoff "pt15m" "pt30m" "pt1h" urgentblocklimit 100 normalblocklimit 500 nonurgentblocklimit 1000
tcp-daemon

tcp_slow smtp daemon gateway.example.com pool NO_SUCH_POOL nonurgentnotices 1 2 \
 deliveryflags 2 filesperjob 100 holdlimit 20 user slowmail
gw.example.com
other.example.com

reprocess
reprocess-daemon

ims-ms defragment subdirs 20 pool SMTP_POOL maxblocks 2000 nologging xyzzy
ims-ms-daemon

bsmtp_out
bsmtp-daemon
)";

std::string converted(std::string_view jobs, std::string_view channels) {
  return convert(read_job_controller(jobs), read_channels(channels));
}
mta::config::settings accepted(const std::string& text) {
  auto read = mta::config::parse(text, "made.conf");
  BOOST_REQUIRE_MESSAGE(read, read.error().text() << "\n" << text);
  return std::move(*read);
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(import)

BOOST_AUTO_TEST_CASE(a_site_becomes_a_configuration_that_is_accepted) {
  const std::string made = converted(job_controller, imta);
  const auto s = accepted(made);
  BOOST_TEST(s.find_pool("SMTP_POOL")->job_limit == 5u);
  const auto& local = *s.find_channel("tcp_local");
  BOOST_TEST(local.max_jobs == 20u);
  BOOST_TEST(local.thread_depth == 30u);
  BOOST_TEST(local.pool == "SMTP_POOL");
  BOOST_TEST((local.group == mta::config::grouping::host));
  BOOST_TEST((local.backoff[1] == mta::config::backoff_schedule{15min, 30min, 1h}));
  BOOST_TEST(local.block_limits[0] == 100u);
  BOOST_TEST(local.block_limits[1] == 500u);
  BOOST_TEST((local.max_life_time == 1h));
  BOOST_TEST((local.notices[0] == mta::config::notice_schedule{24h, 48h, 96h, 168h}));
  BOOST_TEST((local.send_post == mta::config::post_copy::unless_empty));
  BOOST_TEST(local.program.empty());
  const auto& slow = *s.find_channel("tcp_slow");
  BOOST_TEST(slow.max_jobs == 7u);
  BOOST_TEST(slow.program.front() == "/usr/local/libexec/slow_smtp");
  BOOST_TEST(mta::config::to_text(slow.windows[2]) == "20:00-06:00");
  BOOST_TEST((slow.notices[2] == mta::config::notice_schedule{24h, 48h}));
  BOOST_TEST(slow.host == "gw.example.com");
  BOOST_TEST(slow.files_per_job == 100u);
  BOOST_TEST(slow.delivery_flags == 2u);
  BOOST_TEST(slow.user == "slowmail");
  BOOST_TEST(s.find_channel("reprocess")->program.front() == "loopback");
  const auto& store = *s.find_channel("ims-ms");
  BOOST_TEST((store.max_life_time == 4h));
  BOOST_TEST(store.max_life_askwork == 20'000u);
  BOOST_TEST(store.max_blocks == 2000u);
  BOOST_TEST(!store.logging);
  BOOST_TEST(store.defragment);
  BOOST_TEST((s.queue.sync_interval == 4h));
  BOOST_TEST(s.periodic.size() == 2u);
  BOOST_TEST(mta::config::times_text(s.periodic[1].schedule.at) == "00:30");
  BOOST_TEST((s.periodic[0].schedule.every == 7h + 15min));
}

BOOST_AUTO_TEST_CASE(what_is_not_carried_over_is_named_with_the_reason) {
  const std::string made = converted(job_controller, imta);
  for (const char* part :
       {"# line 3: tcp_port = 27442: ", "secret",
        "# line 8: max_messages = 100000: ", "rebuild_parallel_channel", "stressblackout",
        "# master_command = IMTA_BIN:tcp_smtp_client: no program of that work",
        "# slave_command = IMTA_BIN:bsin_master: ", "# anon_host = 0: ",
        "# nonurgentblocklimit 1000: there is no priority below nonurgent", "# holdlimit 20: ",
        "# subdirs 20: ", "# daemon gateway.example.com: ", "# pool no_such_pool: there is no such pool",
        "# xyzzy: not a keyword", "# immnonurgent: ", "other.example.com", "3 lines of rewrite rules",
        "# defaulthost example.com: "})
    BOOST_TEST((has(made, part) || has(made,
                                       [&] {
                                         std::string p(part);
                                         if (const auto at = p.find("no_such_pool"); at != p.npos)
                                           p.replace(at, 12, "NO_SUCH_POOL");
                                         return p;
                                       }())),
               part << " is not in\n"
                    << made);
}

BOOST_AUTO_TEST_CASE(every_keyword_becomes_a_setting_or_a_comment) {
  for (const keyword& k : keywords()) {
    std::string argument = k.key == "pool"               ? " DEFAULT"
                           : k.name.ends_with("backoff") ? " PT1H"
                           : k.arguments > 0             ? " 3"
                                                         : "";
    const std::string made = converted("[POOL=DEFAULT]\njob_limit=3\n",
                                       "\n\nx " + std::string(k.name) + argument + "\nx-daemon\n");
    accepted(made);
    if (k.what == treatment::dropped)
      BOOST_TEST(has(made, "# " + std::string(k.name) + argument + ": " + std::string(k.text)), made);
    else
      BOOST_TEST(has(made, "\n" + std::string(k.key) + " = "), k.name << " is not in\n" << made);
    if (k.what == treatment::dropped) BOOST_TEST(k.text.size() > 10u);
  }
}

BOOST_AUTO_TEST_CASE(without_channel_blocks_classes_of_one_channel_are_channels) {
  const std::string made = converted(job_controller, "");
  const auto s = accepted(made);
  BOOST_TEST(s.find_channel("tcp_slow") != nullptr);
  BOOST_TEST(has(made, "[CHANNEL=tcp_*] is for all channels of such names"));
}

BOOST_AUTO_TEST_CASE(whatever_the_files_are_the_result_has_no_syntax_errors) {
  std::mt19937 random(7);
  const std::string pieces[] = {job_controller, imta};
  for (int round = 0; round < 300; ++round) {
    std::string texts[2] = {pieces[0], pieces[1]};
    for (std::string& t : texts)
      for (int n = 0; n < 20; ++n) {
        const std::size_t at = random() % t.size();
        switch (random() % 4) {
          case 0: t[at] = static_cast<char>(random()); break;
          case 1: t.erase(at, random() % 40); break;
          case 2: t.insert(at, t.substr(random() % t.size(), random() % 40)); break;
          case 3: t.insert(at, 1, "\n[]=! #\"\\"[random() % 9]); break;
        }
      }
    const auto read = mta::config::parse(converted(texts[0], texts[1]), "made.conf");
    // What concerns several sections may be wrong; what stands in a line may not.
    if (read) continue;
    for (const auto& p : read.error().problems)
      BOOST_TEST((has(p.text, "defragment") || has(p.text, "option_file") ||
                  has(p.text, "such a section already") || has(p.text, "expected the command")),
                 p.text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
