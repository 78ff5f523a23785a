// Errors that need something to go wrong around the program: memory, files, the configuration. What is wrong
// with its arguments is tested with each routine.
#include "failing_memory.hpp"
#include "sdk_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

using test::running_site;
using test::site;

namespace {

/// The statuses of a call in which each of the first allocations fails, until one is not reached.
template <class Call>
std::vector<int> without_memory(Call call) {
  std::vector<int> seen;
  for (int n = 0; n < 3; ++n) {
    test::fail_allocation(n);
    const int status = call();
    if (!test::allocation_has_failed()) break;
    seen.push_back(status);
  }
  return seen;
}

/// No file of this process may grow beyond so many bytes, while the object lives.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

/// No file can be opened while the object lives; those that are open stay so.
class no_more_files {
 public:
  no_more_files() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~no_more_files() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_more_files(const no_more_files&) = delete;
  no_more_files& operator=(const no_more_files&) = delete;

 private:
  rlimit before_{};
};

/// Where there is no configuration file.
struct no_site : site {
  test::environment_variable nowhere{"JOBCTL_ROOT", nullptr};
  test::environment_variable missing{"JOBCTL_CONFIG", "/nowhere/jobctl.conf"};
};

const std::string much(8u << 20, 'm');  // more than is kept in memory

mta_nq_t* begin_to_bob() {
  mta_nq_t* const nq = test::begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0), MTA_OK);
  return nq;
}

/// Changes a byte of each text.
void damage_messages(const std::string& directory) {
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::fstream f(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(f), {}};
    const auto at = text.find("Hello.");
    if (at == text.npos) continue;
    f.clear();
    f.seekp(static_cast<std::streamoff>(at));
    f << "Jello.";
  }
}

int look_at_nothing(void*, mta_decode_t*, int, const char*, size_t) { return MTA_OK; }
int copy_at_once(void*, mta_decode_t* part, int, const char*, size_t) {
  return mtaDecodeMessagePartCopy(part, 0);
}

int lines_to_read = 0;
int read_a_line(void*, const char** line, size_t* length) {
  if (lines_to_read == 0) return MTA_EOF;
  --lines_to_read;
  *line = lines_to_read == 199'999   ? "Subject: x"
          : lines_to_read == 199'998 ? ""
                                     : "a line of some forty bytes, as lines have";
  *length = std::string_view(*line).size();
  return MTA_OK;
}

int never_called(void**, void*, mta_dq_t*, const char*, size_t) { return MTA_OK; }

}  // namespace

BOOST_AUTO_TEST_SUITE(errors)

// --- Memory

BOOST_AUTO_TEST_CASE(an_enqueue_that_finds_no_memory_is_mta_nomem) {
  const site s;
  BOOST_REQUIRE(mtaEnqueueFinish(begin_to_bob(), MTA_ABORT, 0) == MTA_OK);  // everything is initialised
  const auto seen = without_memory([] {
    mta_nq_t* nq = nullptr;
    const int status = mtaEnqueueStart(&nq, "somebody.with.a.rather.long.name@example.org", 0, MTA_ENV_ID,
                                       "an-id-that-is-long-too", 0, 0);
    if (status == MTA_OK) mtaEnqueueFinish(nq, MTA_ABORT, 0);
    return status;
  });
  BOOST_REQUIRE(!seen.empty());
  for (const int status : seen) BOOST_TEST(status == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(a_loop_that_finds_no_memory_is_mta_nomem) {
  const site s;
  BOOST_REQUIRE(mtaInit(0) == MTA_OK);
  const auto seen = without_memory([] { return mtaDequeueStart(nullptr, never_called, nullptr, 0); });
  BOOST_REQUIRE(!seen.empty());
  BOOST_TEST(seen.front() == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(an_address_list_that_finds_no_memory_is_mta_nomem) {
  const auto seen = without_memory([] {
    mta_adr_t* addresses = nullptr;
    const int status =
        mtaAddressParse(&addresses, nullptr, "Somebody Important <somebody.important@far.example>", 0, 0);
    mtaAddressFinish(addresses);
    return status;
  });
  BOOST_REQUIRE(!seen.empty());
  for (const int status : seen) BOOST_TEST(status == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(an_option_file_that_finds_no_memory_is_mta_nomem) {
  const site s;
  const std::string path = s.root() + "/options";
  std::ofstream(path) << "name=value\n";
  const auto seen = without_memory([&] {
    mta_opt_t* options = nullptr;
    const int status = mtaOptionStart(&options, path.c_str(), 0, 0);
    mtaOptionFinish(options);
    return status;
  });
  BOOST_REQUIRE(!seen.empty());
  BOOST_TEST(seen.front() == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(a_send_that_finds_no_memory_is_mta_nomem) {
  const site s;
  BOOST_REQUIRE(mtaInit(0) == MTA_OK);
  test::item_array items;
  items.add(MTA_TO, "bob@example.org").add(MTA_SUBJECT, "a subject that needs memory");
  const auto seen = without_memory([&] { return mtaSend(items.get()); });
  BOOST_REQUIRE(!seen.empty());
  BOOST_TEST(seen.front() == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(an_option_needs_a_name) {
  const site s;
  const std::string path = s.root() + "/options";
  std::ofstream(path) << "name=value\n";
  mta_opt_t* options = nullptr;
  BOOST_REQUIRE(mtaOptionStart(&options, path.c_str(), 0, 0) == MTA_OK);
  int number = 0;
  double real = 0;
  char text[8];
  BOOST_TEST(mtaOptionInt(options, nullptr, 0, &number) == MTA_BADARGS);
  BOOST_TEST(mtaOptionFloat(options, nullptr, 0, &real) == MTA_BADARGS);
  BOOST_TEST(mtaOptionString(options, nullptr, 0, text, nullptr, sizeof text) == MTA_BADARGS);
  mtaOptionFinish(options);
}

// --- Files

BOOST_AUTO_TEST_CASE(content_that_cannot_be_written_is_mta_fio) {
  const site s;
  for (const bool line : {false, true}) {
    mta_nq_t* const nq = begin_to_bob();
    int status = MTA_OK;
    {
      const file_size_limit small(1u << 20);
      status = line ? mtaEnqueueWriteLine(nq, much.data(), much.size(), nullptr)
                    : mtaEnqueueWrite(nq, much.data(), much.size(), nullptr);
    }
    BOOST_TEST(status == MTA_FIO);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_cannot_be_kept_is_mta_fcreate) {
  const site s;
  mta_nq_t* const nq = begin_to_bob();
  std::filesystem::remove_all(s.root() + "/queue");
  BOOST_TEST(mtaEnqueueWriteLine(nq, much.data(), much.size(), nullptr) == MTA_FCREATE);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(a_message_that_cannot_be_written_to_the_queue_is_mta_fio) {
  const site s;
  mta_nq_t* const nq = begin_to_bob();
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  int status = MTA_OK;
  {
    const file_size_limit nothing(0);
    status = mtaEnqueueFinish(nq, 0);
  }
  BOOST_TEST(status == MTA_FIO);
}

BOOST_AUTO_TEST_CASE(a_copy_that_cannot_be_kept_is_mta_fcreate_or_mta_fio) {
  running_site s;
  mta_nq_t* const nq = begin_to_bob();
  BOOST_REQUIRE(mtaEnqueueWrite(nq, "Subject: x\n\n", 0, much.data(), much.size(), nullptr) == MTA_OK);
  BOOST_REQUIRE(mtaEnqueueFinish(nq, 0) == MTA_OK);
  s.until([](const auto& x) { return x.ready == 1; }, "the message to be known");
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               test::all_recipients(dq);
               mta_nq_t* copy = begin_to_bob();
               int status = MTA_OK;
               {
                 const file_size_limit small(1u << 20);
                 status = mtaEnqueueCopyMessage(copy, dq, 1);
               }
               BOOST_TEST(status == MTA_FIO);
               mtaEnqueueFinish(copy, MTA_ABORT, 0);
               copy = begin_to_bob();
               BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_OK);
               {
                 const no_more_files none;
                 status = mtaEnqueueCopyMessage(copy, dq, 1);
               }
               BOOST_TEST(status == MTA_FCREATE);
               mtaEnqueueFinish(copy, MTA_ABORT, 0);
               return test::deliver(dq);
             }) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_damaged_on_the_disk_is_mta_fio) {
  running_site s;
  test::enqueue({"bob@example.org"});
  s.until([](const auto& x) { return x.ready == 1; }, "the message to be known");
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               test::all_recipients(dq);
               damage_messages(s.root() + "/queue/x");
               BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_FIO);
               return MTA_OK;
             }) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(a_result_that_cannot_be_written_is_mta_no_and_the_message_stays) {
  running_site s;
  test::enqueue({"bob@example.org"});
  s.until([](const auto& x) { return x.ready == 1; }, "the message to be known");
  int attempts = 0;
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               ++attempts;
               test::all_recipients(dq);
               int status = MTA_OK;
               {
                 const file_size_limit nothing(0);
                 status = test::deliver(dq);
               }
               BOOST_TEST(status == MTA_NO);
               return MTA_OK;
             }) == MTA_OK);
  BOOST_TEST(attempts >= 1);
  s.until([](const auto& x) { return x.finished == 0 && x.ready + x.deferred == 1; },
          "the message to be back");
}

BOOST_AUTO_TEST_CASE(a_damaged_message_cannot_be_decoded) {
  running_site s;
  test::enqueue({"bob@example.org"});
  s.until([](const auto& x) { return x.ready == 1; }, "the message to be known");
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               test::all_recipients(dq);
               damage_messages(s.root() + "/queue/x");
               const int status =
                   mtaDecodeMessage(nullptr, MTA_DECODE_DQ, dq, 0, nullptr, look_at_nothing, 0);
               BOOST_TEST(status == MTA_NO);
               return MTA_OK;
             }) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(a_decoded_message_that_cannot_be_kept_is_mta_fcreate_or_mta_fio) {
  const site s;
  for (const bool no_files : {false, true}) {
    mta_nq_t* const nq = begin_to_bob();
    lines_to_read = 200'000;
    int status = MTA_OK;
    {
      const file_size_limit small(no_files ? RLIM_INFINITY : 1u << 20);
      std::optional<no_more_files> none;
      if (no_files) none.emplace();
      status = mtaDecodeMessage(nullptr, MTA_DECODE_PROC, reinterpret_cast<void*>(read_a_line), MTA_DECODE_NQ,
                                nq, copy_at_once, 0);
    }
    BOOST_TEST(status == (no_files ? MTA_FCREATE : MTA_FIO));
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  }
}

// --- The configuration

BOOST_AUTO_TEST_CASE(without_a_configuration_every_routine_that_needs_it_is_mta_fopen) {
  const no_site s;
  mta_nq_t* nq = nullptr;
  char channel[CHANLENGTH + 1];
  BOOST_TEST(mtaInit(0) == MTA_FOPEN);
  BOOST_TEST(mtaDebug(MTA_DEBUG_OS, 0) == MTA_FOPEN);
  BOOST_TEST(mtaEnqueueStart(&nq, "ann@example.org", 0, 0) == MTA_FOPEN);
  BOOST_TEST(mtaDequeueStart(nullptr, never_called, nullptr, 0) == MTA_FOPEN);
  const auto last_error_is_fopen = [](const void* result) {
    return result == nullptr && mtaErrno() == MTA_FOPEN;
  };
  BOOST_TEST(last_error_is_fopen(mtaChannelToHost(nullptr, nullptr, 0)));
  mtaInit(999);  // another error in between
  BOOST_TEST(last_error_is_fopen(mtaPostmasterAddress(nullptr, nullptr, 0)));
  mtaInit(999);
  BOOST_TEST(last_error_is_fopen(
      mtaAddressToChannel(channel, nullptr, sizeof channel, "bob@example.org", 0, MTA_ENV_TO, 0)));
  mtaInit(999);
  BOOST_TEST(mtaBlockSize() == 0u);
  BOOST_TEST(mtaErrno() == MTA_FOPEN);
}

BOOST_AUTO_TEST_CASE(with_a_mistake_in_the_configuration_every_routine_that_needs_it_is_mta_no) {
  const site s("[nonsense]\n");
  mta_nq_t* nq = nullptr;
  char channel[CHANLENGTH + 1];
  BOOST_TEST(mtaEnqueueStart(&nq, "ann@example.org", 0, 0) == MTA_NO);
  BOOST_TEST(mtaDequeueStart(nullptr, never_called, nullptr, 0) == MTA_NO);
  mtaInit(999);
  BOOST_TEST(mtaAddressToChannel(channel, nullptr, sizeof channel, "bob@example.org", 0, MTA_ENV_TO, 0) ==
             nullptr);
  BOOST_TEST(mtaErrno() == MTA_NO);
}

BOOST_AUTO_TEST_SUITE_END()
