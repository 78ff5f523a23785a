// Lines for systemd's journal, and the fields that they are given.
#include "jobctl/server/journal.hpp"

#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using jobctl::fields_of;
using fields = std::vector<std::pair<std::string_view, std::string_view>>;

namespace {

// The other end: a datagram socket such as the journal's.
class receiver {
 public:
  explicit receiver(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~receiver() { ::close(socket_); }
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;
  std::string receive() const {
    char buffer[4096];
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }

 private:
  int socket_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_lines)

BOOST_AUTO_TEST_CASE(a_line_says_what_it_is_about) {
  BOOST_TEST((fields_of("channel fax: program started (process 7)") == fields{{"CHANNEL", "fax"}}));
  BOOST_TEST((fields_of("channel fax: message 0C9V3K8ZC4S0R.1.17 is delayed") ==
              fields{{"CHANNEL", "fax"}, {"QUEUE_ID", "0C9V3K8ZC4S0R.1.17"}}));
  BOOST_TEST(
      (fields_of("set aside (0C9V3K8ZC4S0R.1.17): damaged") == fields{{"QUEUE_ID", "0C9V3K8ZC4S0R.1.17"}}));
  BOOST_TEST(fields_of("the index is complete: 5 messages, version 1.0.0").empty());
  BOOST_TEST(fields_of("").empty());
}

BOOST_AUTO_TEST_CASE(lines_are_sent_in_the_form_of_the_journal) {
  const test::temporary_directory directory;
  const receiver there(directory.path() + "/socket");
  const jobctl::journal here(directory.path() + "/socket");
  BOOST_TEST(here.send(4, "channel fax: paper is out"));
  BOOST_TEST(there.receive() ==
             "MESSAGE=channel fax: paper is out\nPRIORITY=4\nSYSLOG_IDENTIFIER=jobctl\nCHANNEL=fax\n");
  BOOST_TEST(here.send(6, "two\nlines"));
  BOOST_TEST(there.receive().starts_with(std::string("MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n", 26)));
}

BOOST_AUTO_TEST_CASE(without_a_journal_that_is_said) {
  const test::temporary_directory directory;
  BOOST_TEST(!jobctl::journal(directory.path() + "/none").send(6, "x"));
  ::unsetenv("JOURNAL_STREAM");
  BOOST_TEST(!jobctl::standard_error_is_journal());
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  BOOST_TEST(!jobctl::standard_error_is_journal());
  ::unsetenv("JOURNAL_STREAM");
}

BOOST_AUTO_TEST_SUITE_END()
