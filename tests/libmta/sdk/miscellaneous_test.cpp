// mtaChannelGetName, mtaChannelToHost, mtaPostmasterAddress, mtaUniqueString, mtaDateTime, mtaVersion*,
// mtaStackSize, mtaBlockSize, mtaDebug, mtaLog, item lists.
#include "sdk/status.hpp"
#include "sdk_fixture.hpp"

#include <algorithm>
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <set>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

struct context {
  static constexpr unsigned live = 1;
  unsigned magic = 0;
};

/// What is written to standard output while it lives.
class captured_output {
 public:
  captured_output() : path_(directory_.path() + "/out") {
    std::fflush(stdout);
    before_ = ::dup(STDOUT_FILENO);
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::close(file);
  }
  ~captured_output() { end(); }
  std::string end() {
    if (before_ >= 0) {
      ::dup2(before_, STDOUT_FILENO);
      ::close(before_);
      before_ = -1;
    }
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  test::temporary_directory directory_;
  std::string path_;
  int before_ = -1;
};

void log_by_list(const char* format, ...) __attribute__((__format__(__printf__, 1, 2)));
void log_by_list(const char* format, ...) {
  va_list list;
  va_start(list, format);
  mtaLogv(format, list);
  va_end(list);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_miscellaneous)

// --- mtaChannelGetName

BOOST_AUTO_TEST_CASE(the_channels_name_is_that_of_the_environment) {
  const test::environment_variable channel("PMDF_CHANNEL", "tcp_local");
  char name[CHANLENGTH + 1] = "?";
  size_t length = 0;
  BOOST_TEST(mtaChannelGetName(name, &length, sizeof name) == name);
  BOOST_TEST(std::string_view(name) == "tcp_local");
  BOOST_TEST(length == 9u);
  BOOST_TEST(mtaChannelGetName(name, nullptr, sizeof name) == name);
}

BOOST_AUTO_TEST_CASE(a_channels_name_of_the_greatest_length_fits_its_buffer) {
  const std::string longest(CHANLENGTH, 'c');
  const test::environment_variable channel("PMDF_CHANNEL", longest.c_str());
  char name[CHANLENGTH + 1];
  BOOST_TEST(mtaChannelGetName(name, nullptr, sizeof name) == name);
  BOOST_TEST(std::string_view(name) == longest);
}

BOOST_AUTO_TEST_CASE(a_buffer_too_small_for_the_channels_name_is_an_error) {
  const test::environment_variable channel("PMDF_CHANNEL", "tcp_local");
  char name[9];
  BOOST_TEST(mtaChannelGetName(name, nullptr, sizeof name) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(without_the_environment_there_is_no_channels_name) {
  const test::environment_variable channel("PMDF_CHANNEL", nullptr);
  char name[CHANLENGTH + 1];
  BOOST_TEST(mtaChannelGetName(name, nullptr, sizeof name) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NO);
}

BOOST_AUTO_TEST_CASE(the_channels_name_needs_a_buffer) {
  const test::environment_variable channel("PMDF_CHANNEL", "x");
  BOOST_TEST(mtaChannelGetName(nullptr, nullptr, 33) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_BADARGS);
}

// --- mtaUniqueString

BOOST_AUTO_TEST_CASE(unique_strings_fit_twenty_bytes_and_file_names_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    char text[20];
    size_t length = 0;
    BOOST_REQUIRE(mtaUniqueString(text, &length, sizeof text) == text);
    BOOST_TEST(length == std::string_view(text).size());
    BOOST_TEST(std::all_of(text, text + length, [](unsigned char c) { return std::isalnum(c) != 0; }));
    seen.insert(text);
  }
  BOOST_TEST(seen.size() == 1000u);
}

BOOST_AUTO_TEST_CASE(a_buffer_too_small_for_a_unique_string_is_an_error) {
  char text[5];
  BOOST_TEST(mtaUniqueString(text, nullptr, sizeof text) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_STRTRUERR);
  BOOST_TEST(mtaUniqueString(nullptr, nullptr, 20) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_BADARGS);
}

// --- mtaDateTime

BOOST_AUTO_TEST_CASE(a_date_is_written_as_in_rfc_2822_in_the_local_zone) {
  const test::environment_variable zone("TZ", "XYZ-05:30");
  ::tzset();
  char date[81];
  size_t length = 0;
  BOOST_TEST(mtaDateTime(date, &length, sizeof date, 1'000'000'000) == date);
  BOOST_TEST(std::string_view(date) == "Sun, 09 Sep 2001 07:16:40 +0530");
  BOOST_TEST(length == 31u);
}

BOOST_AUTO_TEST_CASE(the_date_of_time_0_is_now) {
  char date[81], before[81], after[81];
  mtaDateTime(before, nullptr, sizeof before, std::time(nullptr));
  mtaDateTime(date, nullptr, sizeof date, 0);
  mtaDateTime(after, nullptr, sizeof after, std::time(nullptr));
  BOOST_TEST((std::string_view(date) == before || std::string_view(date) == after));
}

BOOST_AUTO_TEST_CASE(a_date_that_does_not_fit_is_cut_and_reported) {
  char date[12] = "?";
  size_t length = 0;
  BOOST_TEST(mtaDateTime(date, &length, sizeof date, 1'000'000'000) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_STRTRU);
  BOOST_TEST(std::string_view(date).substr(0, 5) == "Sun, ");
  BOOST_TEST(std::string_view(date).size() == 11u);
  BOOST_TEST(length == 11u);
  BOOST_TEST(mtaDateTime(nullptr, nullptr, 81, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_BADARGS);
}

// --- versions and sizes

BOOST_AUTO_TEST_CASE(the_version_is_the_projects) {
  const std::string version = std::to_string(mtaVersionMajor()) + '.' + std::to_string(mtaVersionMinor()) +
                              '.' + std::to_string(mtaVersionRevision());
  BOOST_TEST(version == JOBCTL_VERSION);
}

BOOST_AUTO_TEST_CASE(the_block_size_is_the_configured_one_or_1024) {
  {
    const test::site s;
    BOOST_TEST(mtaBlockSize() == 2048u);
  }
  const test::temporary_directory bare;
  const test::environment_variable root("JOBCTL_ROOT", bare.path().c_str());
  BOOST_TEST(mtaBlockSize() == 1024u);
  mtaDone();
}

extern "C" {
static void* submit_in_thread(void* result) {
  mta_nq_t* nq = nullptr;
  int status = mtaEnqueueStart(&nq, "ann@example.org", 0, 0);
  if (status == MTA_OK) status = mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0);
  if (status == MTA_OK) status = mtaEnqueueWriteLine(nq, "Subject: small stack", 0, nullptr);
  if (status == MTA_OK) status = mtaEnqueueFinish(nq, 0);
  *static_cast<int*>(result) = status;
  return nullptr;
}
}

BOOST_AUTO_TEST_CASE(a_thread_of_the_least_stack_size_can_submit_a_message) {
  const test::site s;
  BOOST_REQUIRE_EQUAL(mtaInit(0), MTA_OK);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  BOOST_REQUIRE_EQUAL(pthread_attr_setstacksize(&attributes, mtaStackSize()), 0);
  pthread_t thread{};
  int status = -1;
  BOOST_REQUIRE_EQUAL(pthread_create(&thread, &attributes, submit_in_thread, &status), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  BOOST_TEST(status == MTA_OK);
}

// --- mtaChannelToHost, mtaPostmasterAddress

BOOST_AUTO_TEST_CASE(a_channels_official_host_is_found_by_name_or_is_that_of_the_program) {
  const test::site s("[channel x]\nhost = x.example\n[channel y]\n");
  char* host = nullptr;
  size_t length = 0;
  const char* const own = mtaChannelToHost(&host, &length, 0);
  BOOST_REQUIRE(own != nullptr);
  BOOST_TEST(std::string(own) == "x.example");
  BOOST_TEST(std::string(host, length) == "x.example");
  BOOST_TEST(std::string(mtaChannelToHost(nullptr, nullptr, MTA_CHANNEL, "yes", size_t{1}, 0)) ==
             "mta.example");
}

BOOST_AUTO_TEST_CASE(errors_of_mtaChannelToHost) {
  const test::site s;
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, MTA_CHANNEL, "nosuch", size_t{0}, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHCHAN);
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, MTA_CHANNEL, static_cast<char*>(nullptr), size_t{0}, 0) ==
             nullptr);
  BOOST_TEST(mtaErrno() == MTA_BADARGS);
  int none = 0;
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, MTA_DQ_CONTEXT, &none, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_BADARGS);
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, MTA_TO, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
  const test::environment_variable unknown("PMDF_CHANNEL", nullptr);
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NO);
}

BOOST_AUTO_TEST_CASE(the_postmasters_address_is_the_configured_one) {
  const test::site s;
  const char* address = nullptr;
  size_t length = 0;
  BOOST_REQUIRE(mtaPostmasterAddress(&address, &length, 0) != nullptr);
  BOOST_TEST(std::string(address, length) == "postmaster@mta.example");
  BOOST_TEST(mtaPostmasterAddress(nullptr, nullptr, MTA_TO) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
}

BOOST_AUTO_TEST_CASE(without_a_configuration_neither_is_known) {
  const test::site s("[nonsense]\n");
  BOOST_TEST(mtaPostmasterAddress(nullptr, nullptr, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NO);
  BOOST_TEST(mtaChannelToHost(nullptr, nullptr, 0) == nullptr);
  BOOST_TEST(mtaErrno() == MTA_NO);
}

// --- mtaDebug

BOOST_AUTO_TEST_CASE(error_statuses_are_logged_while_that_is_switched_on) {
  const test::site s;
  captured_output out;
  BOOST_TEST(mtaDebug(MTA_DEBUG_SDK, 0) == MTA_OK);
  mtaAddressParse(nullptr, nullptr, "<", 0, 0);
  BOOST_TEST(mtaDebug(MTA_DEBUG_NOSDK, 0) == MTA_OK);
  mtaAddressParse(nullptr, nullptr, ">", 0, 0);
  const std::string text = out.end();
  BOOST_TEST(text.find(": mtaAddressParse: Permanent failure\n") != std::string::npos);
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(recipients_are_logged_by_mm_debug_of_any_level_but_0) {
  const test::site s;
  const auto one = [](const char* to) {
    mta_nq_t* nq = nullptr;
    mtaEnqueueStart(&nq, "", 0, 0);
    mtaEnqueueTo(nq, to, 0, 0);
    mtaEnqueueFinish(nq, MTA_ABORT, 0);
  };
  captured_output out;
  mta_item_list_t array[2];
  array[0].item_code = MTA_DEBUG_MM;
  array[0].item_length = 5;
  array[1].item_code = MTA_END_LIST;
  BOOST_TEST(mtaDebug(MTA_ITEM_LIST, array, 0) == MTA_OK);
  one("joe@example.org");
  one("joe@nowhere.example");
  BOOST_TEST(mtaDebug(MTA_DEBUG_MM, size_t{0}, 0) == MTA_OK);
  one("ann@example.org");
  const std::string text = out.end();
  BOOST_TEST(text.find(": to joe@example.org: accepted\n") != std::string::npos);
  BOOST_TEST(text.find(": to joe@nowhere.example: ") != std::string::npos);
  BOOST_TEST(text.find("ann@") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(each_part_is_logged_by_debugging_of_decodes) {
  const test::site s;
  mta_decode_read_t* const read = [](void* ctx, const char** line, size_t* length) {
    static constexpr const char* message = "Content-Type: image/gif; name=a.gif\n\nx\n";
    if (std::exchange(*static_cast<bool*>(ctx), true)) return MTA_EOF;
    *line = message;
    *length = std::strlen(message);
    return MTA_OK;
  };
  const auto one = [&] {
    bool was_read = false;
    return mtaDecodeMessage(
        &was_read, MTA_DECODE_PROC, reinterpret_cast<void*>(read), 0, nullptr,
        [](void*, mta_decode_t*, int, const char*, size_t) { return MTA_OK; }, MTA_TERM_LF, 0);
  };
  captured_output out;
  BOOST_TEST(mtaDebug(MTA_DEBUG_DECODE, 0) == MTA_OK);
  BOOST_TEST(one() == MTA_OK);
  BOOST_TEST(mtaDebug(MTA_DEBUG_NODECODE, 0) == MTA_OK);
  BOOST_TEST(one() == MTA_OK);
  const std::string text = out.end();
  BOOST_TEST(text.find(": part 0: image/gif, file a.gif\n") != std::string::npos);
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(errors_of_mtaDebug) {
  {
    const test::site s;
    BOOST_TEST(mtaDebug(MTA_DEBUG_OS, MTA_DEBUG_DECODE, MTA_DEBUG_NOOS, MTA_DEBUG_NODECODE, 0) == MTA_OK);
    BOOST_TEST(mtaDebug(MTA_TO, 0) == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDebug(MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr), 0) == MTA_BADARGS);
  }
  const test::site wrong("[nonsense]\n");
  BOOST_TEST(mtaDebug(MTA_DEBUG_OS, 0) == MTA_NO);
}

// --- mtaLog

BOOST_AUTO_TEST_CASE(each_log_call_writes_one_line_with_the_local_time) {
  captured_output out;
  mtaLog("%s has %d messages", "channel x", 7);
  log_by_list("%c%s", 'b', "y list");
  const std::string text = out.end();
  std::string shape = text;  // digits of the time as 0; the texts have none but the 7
  for (char& c : shape)
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) c = '0';
  BOOST_TEST(shape == "00:00:00.00: channel x has 0 messages\n00:00:00.00: by list\n");
  BOOST_TEST(text.find("has 7 messages") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_line_end_in_the_format_does_not_make_a_second_line) {
  captured_output out;
  mtaLog("ends\n");
  mtaLog("in the\nmiddle");
  mtaLog("%s", std::string(10'000, 'x').c_str());
  const std::string text = out.end();
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 3);
  BOOST_TEST(text.size() > 10'000u);
}

// --- item lists that grow (what the C++ wrapper of the original's author uses)

BOOST_AUTO_TEST_CASE(item_lists_grow_and_can_be_copied) {
  mta_item_list_t* items = mtaItemListInt(nullptr, MTA_DELIVERY_FLAGS, 5);
  items = mtaItemListStr(items, MTA_ENV_ID, "some id", 4);
  BOOST_REQUIRE(items != nullptr);
  BOOST_TEST(items[0].item_code == MTA_DELIVERY_FLAGS);
  BOOST_TEST(items[0].item_length == 5);
  BOOST_TEST(items[1].item_code == MTA_ENV_ID);
  BOOST_TEST(items[1].item_length == 4);
  BOOST_TEST(items[2].item_code == MTA_END_LIST);
  mta_item_list_t* const copy = mtaItemListCopy(items);
  mtaItemListDispose(items);
  BOOST_REQUIRE(copy != nullptr);
  BOOST_TEST(copy[1].item_code == MTA_ENV_ID);
  BOOST_TEST(std::string_view(static_cast<const char*>(copy[1].item_address), 4) == "some");
  BOOST_TEST(copy[2].item_code == MTA_END_LIST);
  mtaItemListDispose(copy);
  mtaItemListDispose(nullptr);
}

BOOST_AUTO_TEST_CASE(a_context_that_is_finished_twice_is_given_out_once) {
  mta::sdk::context_pool<context> pool;
  context* const finished = pool.acquire();
  std::vector<context*> others;
  for (int i = 0; i < 16; ++i) others.push_back(pool.acquire());
  pool.release(finished);
  pool.release(finished);
  for (context* const c : others) pool.release(c);
  std::set<context*> given;
  for (int i = 0; i < 40; ++i) BOOST_TEST(given.insert(pool.acquire()).second);
}

BOOST_AUTO_TEST_SUITE_END()
