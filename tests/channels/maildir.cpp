// Maildir folders: where an address's mail goes, and that a delivery is all there or not at all.
#include "channels/maildir/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace fs = std::filesystem;
using maildir::delivery;
using maildir::directory_for;

namespace {

struct scratch {
  fs::path path;
  scratch() {
    std::string pattern = (fs::temp_directory_path() / "jobctl-maildir-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~scratch() { fs::remove_all(path); }
  std::set<std::string> names(const char* folder) const {
    std::set<std::string> made;
    for (const auto& entry : fs::directory_iterator(path / "box" / folder))
      made.insert(entry.path().filename());
    return made;
  }
  std::string box() const { return (path / "box").string(); }
};

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(maildir_folder)

BOOST_AUTO_TEST_CASE(an_address_names_its_directory) {
  BOOST_TEST(directory_for("/m/%d/%u", "ann@a.example") == "/m/a.example/ann");
  BOOST_TEST(directory_for("/m/%u.%d/100%%", "ann@a.example") == "/m/ann.a.example/100%");
  BOOST_TEST(directory_for("/m/%d/%u", "ann") == "/m/localhost/ann");
  BOOST_TEST(directory_for("/m/%x/%", "ann@a.example") == "/m/%x/%");
}

BOOST_AUTO_TEST_CASE(the_case_of_an_address_does_not_matter) {
  BOOST_TEST(directory_for("/m/%d/%u", "Ann@A.Example") == directory_for("/m/%d/%u", "ann@a.example"));
}

BOOST_AUTO_TEST_CASE(no_address_leaves_its_directory) {
  BOOST_TEST(directory_for("/m/%d/%u", "../../etc/x@a.example") == "/m/a.example/%2e.%2f..%2fetc%2fx");
  BOOST_TEST(directory_for("/m/%d/%u", "..@..") == "/m/%2e./%2e.");
  BOOST_TEST(directory_for("/m/%d/%u", ".@.") == "/m/%2e/%2e");
  BOOST_TEST(directory_for("/m/%d/%u", "@") == "/m/%/%");
  BOOST_TEST(directory_for("/m/%d/%u", std::string("a\0b@c\0", 6)) == "/m/c%00/a%00b");
  BOOST_TEST(directory_for("/m/%d/%u", "%u@%d") == "/m/%25d/%25u");
  BOOST_TEST(directory_for("/m/%d/%u", "\"a b\n\"@x") == "/m/x/%22a%20b%0a%22");
  BOOST_TEST(directory_for("/m/%u", "\xc3\xbc@x") == "/m/%c3%bc");
}

BOOST_AUTO_TEST_CASE(long_addresses_get_names_that_fit_and_differ) {
  std::string a = directory_for("%u", std::string(3000, 'a') + "@x"),
              b = directory_for("%u", std::string(3001, 'a') + "@x");
  BOOST_TEST(a.size() == 200u);
  BOOST_TEST(a != b);
  BOOST_TEST(directory_for("%u", std::string(3000, 'a') + "@x") == a);
}

BOOST_AUTO_TEST_CASE(a_committed_delivery_is_in_new) {
  scratch s;
  auto d = delivery::start(s.box(), "1.Q1.host");
  BOOST_REQUIRE(d);
  std::string big(200'000, 'x');
  BOOST_TEST(bool(d->write("a\n")));
  BOOST_TEST(bool(d->write(big)));
  BOOST_TEST(s.names("new").empty());
  BOOST_TEST(bool(d->commit()));
  BOOST_TEST(s.names("new") == std::set<std::string>{"1.Q1.host"});
  BOOST_TEST(s.names("tmp").empty());
  BOOST_TEST((contents(s.path / "box/new/1.Q1.host") == "a\n" + big));
  BOOST_TEST(fs::is_directory(s.path / "box/cur"));
}

BOOST_AUTO_TEST_CASE(an_abandoned_delivery_leaves_nothing) {
  scratch s;
  {
    auto d = delivery::start(s.box(), "1.Q1.host");
    BOOST_REQUIRE(d);
    BOOST_TEST(bool(d->write("a\n")));
    BOOST_TEST(s.names("tmp").size() == 1u);
  }
  BOOST_TEST(s.names("new").empty());
  BOOST_TEST(s.names("tmp").empty());
}

BOOST_AUTO_TEST_CASE(delivering_again_replaces_the_file) {
  scratch s;
  for (const char* text : {"first and longer", "second"}) {
    auto d = delivery::start(s.box(), "1.Q1.host");
    BOOST_REQUIRE(d);
    BOOST_TEST(bool(d->write(text)));
    BOOST_TEST(bool(d->commit()));
  }
  BOOST_TEST(s.names("new").size() == 1u);
  BOOST_TEST(contents(s.path / "box/new/1.Q1.host") == "second");
}

BOOST_AUTO_TEST_CASE(a_mailbox_removed_meanwhile_is_made_again) {
  scratch s;
  for (int i = 0; i < 2; ++i) {
    auto d = delivery::start(s.box(), "1.Q1.host");
    BOOST_REQUIRE_MESSAGE(d, d.error().message());
    BOOST_TEST(bool(d->commit()));
    fs::remove_all(s.box());
  }
}

BOOST_AUTO_TEST_CASE(a_mailbox_that_cannot_be_made_is_an_error_that_names_it) {
  scratch s;
  std::ofstream(s.path / "box") << "a file";
  auto d = delivery::start(s.box(), "1.Q1.host");
  BOOST_REQUIRE(!d);
  BOOST_TEST(d.error().message().find(s.box()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_mailbox_that_can_be_made_later_is_made_then) {
  scratch s;
  std::ofstream(s.path / "box") << "a file";
  BOOST_TEST(!delivery::start(s.box(), "1.Q1.host"));
  fs::remove(s.path / "box");
  auto d = delivery::start(s.box(), "1.Q1.host");
  BOOST_REQUIRE_MESSAGE(d, d.error().message());
  BOOST_TEST(bool(d->commit()));
}

BOOST_AUTO_TEST_SUITE_END()
