#include "base/identity.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

BOOST_AUTO_TEST_SUITE(identity)

BOOST_AUTO_TEST_CASE(a_unique_name_fits_a_buffer_of_20_bytes_and_is_fit_for_a_file_name) {
  const std::string name = mta::unique_name();
  BOOST_TEST(name.size() == mta::unique_name_length);
  BOOST_TEST(name.size() < 20u);
  BOOST_TEST(name.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == name.npos);
}

BOOST_AUTO_TEST_CASE(no_two_threads_get_the_same_unique_name) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& mine : made)
    threads.emplace_back([&mine] {
      for (int i = 0; i < 20'000; ++i) mine.push_back(mta::unique_name());
    });
  for (auto& t : threads) t.join();
  std::set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  BOOST_TEST(all.size() == 80'000u);
}

BOOST_AUTO_TEST_CASE(a_forked_child_gets_other_unique_names) {
  int ends[2];
  BOOST_REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  constexpr int count = 1000;
  if (child == 0) {
    bool written = true;
    for (int i = 0; i < count; ++i) {
      const std::string name = mta::unique_name();
      written = written && ::write(ends[1], name.data(), name.size()) == static_cast<ssize_t>(name.size());
    }
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::set<std::string> all;
  for (int i = 0; i < count; ++i) all.insert(mta::unique_name());
  std::string text, part(4096, '\0');
  for (ssize_t got; (got = ::read(ends[0], part.data(), part.size())) > 0;)
    text.append(part, 0, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = -1;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  for (std::size_t i = 0; i + mta::unique_name_length <= text.size(); i += mta::unique_name_length)
    all.insert(text.substr(i, mta::unique_name_length));
  BOOST_TEST(all.size() == 2u * count);
}

BOOST_AUTO_TEST_CASE(the_host_has_a_name_in_lower_case) {
  const std::string name = mta::host_name();
  BOOST_TEST(!name.empty());
  for (const char c : name) BOOST_TEST(!(c >= 'A' && c <= 'Z'));
}

BOOST_AUTO_TEST_SUITE_END()
