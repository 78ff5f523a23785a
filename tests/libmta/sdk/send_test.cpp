// mtaSend and mtaSendDispose: every item, every error, and the shapes of the four sample programs of the
// Developer's Reference ch. 7.
#include "sdk_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <pwd.h>
#include <string>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace {

using test::item_array;

constexpr const char* routes =
    "[channel x]\n[channel y]\n[channel l]\n[routes]\nexample.org = x\nother.example = y\nmta.example = x\n";

struct sent_message {
  std::string from, source_channel, header, body;
  std::vector<std::string> recipients;

  /// The text of a field, unfolded; "<none>" if there is none, "<twice>" if there are several.
  std::string field(const std::string& name) const {
    std::string found = "<none>";
    for (std::size_t at = 0; at < header.size();) {
      std::size_t end = header.find('\n', at);
      while (end + 1 < header.size() && (header[end + 1] == ' ' || header[end + 1] == '\t'))
        end = header.find('\n', end + 1);
      const std::string whole = header.substr(at, end - at);
      at = end + 1;
      const auto colon = whole.find(':');
      if (whole.substr(0, colon) != name) continue;
      if (found != "<none>") return "<twice>";
      found.clear();
      for (const char c : whole.substr(colon + 2))
        if (c != '\n' && c != '\r') found += c;
    }
    return found;
  }
};

/// A site in which mail is sent and looked at on the disk.
struct sending : test::site {
  sending() : site(routes) {}

  std::vector<sent_message> queued(const std::string& channel = "x") const {
    std::vector<sent_message> all;
    mta::queue::store store(mta::queue::real_file_io(), root() + "/queue");
    const auto files = store.files(channel);
    if (!files) return all;
    for (const auto number : *files) {
      const auto file = store.open(channel, number).value();
      for (const auto& found : store.scan(*file, channel).value().messages) {
        const auto envelope = file->read_envelope(found.entry).value();
        sent_message m;
        m.from = envelope.from;
        m.source_channel = envelope.source_channel;
        for (const auto& r : envelope.recipients) m.recipients.push_back(r.address);
        std::string text = file->read_content(found.entry).value();
        std::erase(text, '\r');
        const auto end = text.find("\n\n");
        m.header = text.substr(0, end + 1);
        m.body = end == text.npos ? "" : text.substr(end + 2);
        all.push_back(std::move(m));
      }
    }
    return all;
  }
  sent_message only() const {
    auto all = queued();
    BOOST_REQUIRE_EQUAL(all.size(), 1u);
    return all.front();
  }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(root() + "/" + name, std::ios::binary) << text;
    return root() + "/" + name;
  }
  std::string process_user() const {
    const passwd* const me = ::getpwuid(::getuid());
    return me != nullptr ? me->pw_name : "uid" + std::to_string(::getuid());
  }

  /// To bob, with a body of one line: what most tests begin with.
  item_array simple() {
    body_path = file("body", "Hello.\n");
    item_array items;
    items.add(MTA_TO, "bob@example.org").add(MTA_MSG_FILE, body_path.c_str());
    return items;
  }
  std::string body_path;
};

const void* procedure(ssize_t (*call)(const char**)) { return reinterpret_cast<const void*>(call); }
const void* procedure(void (*call)()) { return reinterpret_cast<const void*>(call); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(callable_send, sending)

// --- What a message is made of

BOOST_AUTO_TEST_CASE(a_simple_message_has_all_that_a_message_needs) {
  auto items = simple().add(MTA_CC, "Cat <cat@example.org>").add(MTA_SUBJECT, "greeting");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.from == process_user() + "@mta.example");
  BOOST_TEST(m.field("From") == process_user() + "@mta.example");
  BOOST_TEST(m.field("To") == "bob@example.org");
  BOOST_TEST(m.field("Cc") == "Cat <cat@example.org>");
  BOOST_TEST(m.field("Subject") == "greeting");
  BOOST_TEST(m.field("Date") != "<none>");
  BOOST_TEST(m.field("Message-ID") != "<none>");
  BOOST_TEST(m.field("Sender") == "<none>");
  BOOST_TEST(m.field("Received").starts_with("from l"));
  BOOST_TEST(m.source_channel == "l");
  BOOST_TEST(m.body == "Hello.\n");
  BOOST_TEST(m.recipients == (std::vector<std::string>{"bob@example.org", "cat@example.org"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_kind_of_address_goes_where_it_belongs) {
  auto items = simple()
                   .add(MTA_BCC, "secret@example.org")
                   .add(MTA_ENV_TO, "quiet@example.org")
                   .add(MTA_HDR_TO, "shown@nowhere.invalid")
                   .add(MTA_HDR_CC, "copied@nowhere.invalid")
                   .add(MTA_HDR_BCC, "nobody@nowhere.invalid");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.recipients ==
                 (std::vector<std::string>{"bob@example.org", "quiet@example.org", "secret@example.org"}),
             boost::test_tools::per_element());
  BOOST_TEST(m.field("To") == "bob@example.org, shown@nowhere.invalid");
  BOOST_TEST(m.field("Cc") == "copied@nowhere.invalid");
  BOOST_TEST(m.header.find("secret") == m.header.npos);
  BOOST_TEST(m.header.find("nobody") == m.header.npos);
  BOOST_TEST(m.header.find("quiet") == m.header.npos);
}

BOOST_AUTO_TEST_CASE(a_user_with_a_subaddress_is_the_sender) {
  const std::string user = process_user();
  item_array with = simple().add(MTA_USER, user.c_str()).add(MTA_SUBADDRESS, "lists");
  BOOST_TEST(mtaSend(with.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.from == user + "+lists@mta.example");
  BOOST_TEST(m.field("From") == user + "+lists@mta.example");
}

BOOST_AUTO_TEST_CASE(a_foreign_envelope_sender_leaves_from_to_the_process) {
  auto items = simple().add(MTA_ENV_FROM, "ann@far.example");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().from == "ann@far.example");
  BOOST_TEST(only().field("From") == process_user() + "@mta.example");
}

BOOST_AUTO_TEST_CASE(an_empty_envelope_sender_is_the_null_sender) {
  auto items = simple().add(MTA_ENV_FROM, "");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().from == "");
}

BOOST_AUTO_TEST_CASE(a_from_of_the_programs_choice_brings_a_sender_line) {
  auto items = simple().add(MTA_FROM, "The Boss <boss@example.org>");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("From") == "The Boss <boss@example.org>");
  BOOST_TEST(only().field("Sender") == process_user() + "@mta.example");
}

BOOST_AUTO_TEST_CASE(texts_that_are_not_ascii_become_encoded_words) {
  auto items = simple()
                   .add(MTA_SUBJECT,
                        "Gr\xC3\xBC\xC3\x9F"
                        "e")
                   .add(MTA_HDR_CC, "\"J\xC3\xBCrgen\" <j@x.example>");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.field("Subject").starts_with("=?"));
  BOOST_TEST(m.field("Cc").starts_with("=?"));
  BOOST_TEST(m.field("Cc").ends_with("<j@x.example>"));
}

BOOST_AUTO_TEST_CASE(header_lines_of_the_programs_own_are_added) {
  auto items = simple().add(MTA_HDR_LINE, "X-One: 1").add(MTA_HDR_LINE, "X-Two: 2\n 3");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("X-One") == "1");
  BOOST_TEST(only().field("X-Two") == "2 3");
}

BOOST_AUTO_TEST_CASE(header_lines_of_the_programs_own_are_treated_as_the_initial_headers) {
  const std::string us = process_user() + "@mta.example";
  auto items = simple()
                   .add(MTA_HDR_LINE, "Bcc: secret@example.org")
                   .add(MTA_HDR_LINE, "From: boss@far.example")
                   .add(MTA_HDR_LINE, "Sender: forged@far.example")
                   .add(MTA_HDR_LINE, "To: list@far.example")
                   .add(MTA_HDR_LINE, "Subject: old")
                   .add(MTA_SUBJECT, "new")
                   .add(MTA_HDR_LINE, "Content-Type: text/html")
                   .add(MTA_CTYPE, "text/x-mine")
                   .add(MTA_HDR_LINE, "MIME-Version: 1.0");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.field("Bcc") == "<none>");
  BOOST_TEST(m.field("From") == "boss@far.example");
  BOOST_TEST(m.field("Sender") == us);
  BOOST_TEST(m.field("To") == "list@far.example, bob@example.org");
  BOOST_TEST(m.field("Resent-To") == "<none>");  // only the initial header makes it a resent one
  BOOST_TEST(m.field("Subject") == "new");
  BOOST_TEST(m.field("Content-Type") == "text/x-mine");
  BOOST_TEST(m.field("MIME-Version") == "1.0");
}

BOOST_AUTO_TEST_CASE(a_chosen_from_leaves_one_sender_line) {
  const std::string header = file("header", "Sender: forged@far.example\n");
  body_path = file("body", "Hello.\n");
  item_array items;
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_FROM, "boss@far.example")
      .add(MTA_HDR_FILE, header.c_str())
      .add(MTA_MSG_FILE, body_path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("From") == "boss@far.example");
  BOOST_TEST(only().field("Sender") == process_user() + "@mta.example");
}

// --- The initial header

BOOST_AUTO_TEST_CASE(an_initial_header_is_kept_and_sender_says_who_sent_it) {
  const std::string header =
      file("header", "From: ann@far.example\nSubject: old\nX-Mark: yes\nBcc: hidden@far.example\n");
  item_array items;
  body_path = file("body", "Hello.\n");
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_HDR_FILE, header.c_str())
      .add(MTA_SUBJECT, "new")
      .add(MTA_MSG_FILE, body_path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.field("From") == "ann@far.example");
  BOOST_TEST(m.field("Sender") == process_user() + "@mta.example");
  BOOST_TEST(m.field("Subject") == "new");
  BOOST_TEST(m.field("X-Mark") == "yes");
  BOOST_TEST(m.field("Bcc") == "<none>");
  BOOST_TEST(m.field("To") == "bob@example.org");
  BOOST_TEST(m.body == "Hello.\n");
}

BOOST_AUTO_TEST_CASE(the_blank_line_between_header_and_body_may_be_in_either_source_or_asked_for) {
  for (const auto& [header, blank, body] :
       std::vector<std::tuple<std::string, int, std::string>>{{"X-A: 1\n\n", MTA_NOBLANK, "Text.\n"},
                                                              {"X-A: 1\n", MTA_NOBLANK, "\nText.\n"},
                                                              {"X-A: 1\n", MTA_BLANK, "Text.\n"},
                                                              {"X-A: 1\n", MTA_NOBLANK, "Text.\n"}}) {
    const std::string header_path = file("header", header), path = file("text", body);
    item_array items;
    items.add(MTA_TO, "bob@other.example")
        .add(MTA_HDR_FILE, header_path.c_str())
        .add(blank)
        .add(MTA_MSG_FILE, path.c_str());
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
    BOOST_TEST(queued("y").back().body == "Text.\n");
    BOOST_TEST(queued("y").back().field("X-A") == "1");
  }
  BOOST_TEST(queued("y").size() == 4u);
}

BOOST_AUTO_TEST_CASE(one_source_may_have_header_and_body) {
  const std::string path = file("message",
                                "Subject: all\nContent-Type: text/html\nContent-Transfer-Encoding: "
                                "7bit\nMIME-Version: 1.0\n\n<p>\n\nEnd\n");
  item_array items;
  items.add(MTA_TO, "bob@example.org").add(MTA_HDRMSG_FILE, path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.field("Subject") == "all");
  BOOST_TEST(m.field("Content-Type") == "text/html");
  BOOST_TEST(m.field("Content-Transfer-Encoding") == "7bit");
  BOOST_TEST(m.field("MIME-Version") == "1.0");
  BOOST_TEST(m.body == "<p>\n\nEnd\n");
}

BOOST_AUTO_TEST_CASE(recipients_of_the_initial_header_count_only_when_asked_for) {
  const std::string path = file("message", "To: cat@example.org\nBcc: dan@example.org\n\nText\n");
  for (const int how : {MTA_HDR_NOADRS, MTA_HDR_ADRS}) {
    item_array items;
    items.add(MTA_TO, "bob@example.org").add(how).add(MTA_HDRMSG_FILE, path.c_str());
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  }
  const auto all = queued();
  BOOST_REQUIRE_EQUAL(all.size(), 2u);
  BOOST_TEST(all[0].recipients.size() == 1u);
  BOOST_TEST(all[1].recipients.size() == 3u);
  for (const auto& m : all) {
    BOOST_TEST(m.field("To") == "cat@example.org");  // stays
    BOOST_TEST(m.field("Bcc") == "<none>");          // never leaks
  }
}

BOOST_AUTO_TEST_CASE(further_addresses_go_into_resent_fields_or_beside_the_others) {
  const std::string path = file("message", "From: ann@far.example\nTo: cat@far.example\n\nText\n");
  for (const int how : {MTA_HDR_RESENT, MTA_HDR_NORESENT}) {
    item_array items;
    items.add(MTA_TO, "bob@example.org")
        .add(MTA_CC, "dan@example.org")
        .add(how)
        .add(MTA_HDRMSG_FILE, path.c_str());
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  }
  const auto all = queued();
  BOOST_REQUIRE_EQUAL(all.size(), 2u);
  BOOST_TEST(all[0].field("To") == "cat@far.example");
  BOOST_TEST(all[0].field("Resent-To") == "bob@example.org");
  BOOST_TEST(all[0].field("Resent-Cc") == "dan@example.org");
  BOOST_TEST(all[0].field("Resent-From") == process_user() + "@mta.example");
  BOOST_TEST(all[0].field("Resent-Date") != "<none>");
  BOOST_TEST(all[0].field("Resent-Message-ID") != "<none>");
  BOOST_TEST(all[1].field("To") == "cat@far.example, bob@example.org");
  BOOST_TEST(all[1].field("Cc") == "dan@example.org");
  BOOST_TEST(all[1].field("Resent-To") == "<none>");
}

// --- The body

BOOST_AUTO_TEST_CASE(sources_are_appended_with_a_blank_line_between_if_asked_for) {
  const std::string one = file("one", "1\r\n"), two = file("two", "2"), three = file("three", "3\n");
  item_array items;
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_MSG_FILE, one.c_str())
      .add(MTA_MSG_FILE, two.c_str())
      .add(MTA_BLANK)
      .add(MTA_MSG_FILE, three.c_str())
      .add(MTA_NOBLANK)
      .add(MTA_MSG_FILE, one.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().body == "1\n2\n\n3\n1\n");
}

BOOST_AUTO_TEST_CASE(an_encoded_file_is_labelled_with_type_encoding_and_name) {
  const std::string path = file("data", std::string("\x00\x01\xFF\n\r\n", 6));
  item_array items;
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_CTYPE, "image/png")
      .add(MTA_CFILENAME, "picture.png")
      .add(MTA_MODE_BINARY)
      .add(MTA_ENC_BASE64)
      .add(MTA_MSG_FILE, path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.field("Content-Type") == "image/png; name=\"picture.png\"");
  BOOST_TEST(m.field("Content-Transfer-Encoding") == "base64");
  BOOST_TEST(m.field("Content-Disposition") == "attachment; filename=\"picture.png\"");
  BOOST_TEST(m.field("MIME-Version") == "1.0");
  BOOST_TEST(m.body == "AAH/Cg0K\n");
}

BOOST_AUTO_TEST_CASE(text_is_encoded_with_the_line_ends_of_mail) {
  const std::string path = file("text", "a\nb\r\n");
  item_array items;
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_CFILENAME, "x")
      .add(MTA_CFILENAME_NONE)
      .add(MTA_MODE_BINARY)
      .add(MTA_MODE_TEXT)
      .add(MTA_ENC_BASE64)
      .add(MTA_MSG_FILE, path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  BOOST_TEST(m.body == "YQ0KYg0K\n");
  BOOST_TEST(m.field("Content-Type") == "text/plain; charset=us-ascii");
  BOOST_TEST(m.field("Content-Disposition") == "<none>");
}

BOOST_AUTO_TEST_CASE(sources_of_different_encodings_become_parts) {
  const std::string note = file("note", "See below.\n"), data = file("data", "\xFF");
  item_array items;
  items.add(MTA_TO, "bob@example.org")
      .add(MTA_CTYPE, "application/x-thing")
      .add(MTA_ENC_NONE)
      .add(MTA_MSG_FILE, note.c_str())
      .add(MTA_ENC_BASE64)
      .add(MTA_MODE_BINARY)
      .add(MTA_MSG_FILE, data.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const sent_message m = only();
  const std::string type = m.field("Content-Type");
  BOOST_REQUIRE(type.starts_with("multipart/mixed; boundary=\""));
  const std::string boundary = "--" + type.substr(27, type.size() - 28);
  BOOST_TEST(m.body ==
             boundary + "\nContent-Type: text/plain; charset=us-ascii\n\nSee below.\n\n" + boundary +
                 "\nContent-Type: application/x-thing\nContent-Transfer-Encoding: base64\n\n/w==\n\n" +
                 boundary + "--\n");
}

BOOST_AUTO_TEST_CASE(every_encoding_has_its_label) {
  const std::string path = file("text", "text\n");
  const std::map<int, std::string> labels{{MTA_ENC_NONE, "<none>"},
                                          {MTA_ENC_UNKNOWN, "<none>"},
                                          {MTA_ENC_BASE64, "base64"},
                                          {MTA_ENC_QUOTED_PRINTABLE, "quoted-printable"},
                                          {MTA_ENC_BASE85, "x-base85"},
                                          {MTA_ENC_BINHEX, "x-binhex40"},
                                          {MTA_ENC_BTOA, "x-btoa"},
                                          {MTA_ENC_HEXADECIMAL, "x-hexadecimal"},
                                          {MTA_ENC_UUENCODE, "x-uuencode"},
                                          {MTA_ENC_COMPRESSED_BASE64, "base64"},
                                          {MTA_ENC_COMPRESSED_BINARY, "base64"},
                                          {MTA_ENC_COMPRESSED_UUENCODE, "x-uuencode"},
                                          {MTA_ENC_PATHWORKS, "base64"}};
  for (const auto& [code, label] : labels) {
    item_array items;
    items.add(MTA_TO, "bob@example.org").add(code).add(MTA_MSG_FILE, path.c_str());
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
    BOOST_TEST(queued().back().field("Content-Transfer-Encoding") == label, "item " << code);
    const bool packed = code >= MTA_ENC_COMPRESSED_BASE64 && code <= MTA_ENC_COMPRESSED_UUENCODE;
    BOOST_TEST((queued().back().field("Content-Type") == "application/gzip") == packed, "item " << code);
  }
}

BOOST_AUTO_TEST_CASE(a_message_may_be_without_a_body) {
  item_array items;
  items.add(MTA_TO, "bob@example.org").add(MTA_SUBJECT, "ring me");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("Subject") == "ring me");
  BOOST_TEST(only().body == "");
}

// --- Input procedures

namespace {
std::vector<std::string> lines_left;
int after_the_lines = -1;
ssize_t next_line(const char** line) {
  static std::string current;
  if (lines_left.empty()) return after_the_lines;
  current = lines_left.front();
  lines_left.erase(lines_left.begin());
  *line = current.c_str();
  return static_cast<ssize_t>(current.size());
}
}  // namespace

BOOST_AUTO_TEST_CASE(a_procedure_gives_header_or_body_line_by_line) {
  for (const int code : {MTA_HDRMSG_PROC, MTA_HDR_PROC, MTA_MSG_PROC}) {
    lines_left = {"X-Mark: 1", "", "Text", "", "End"};
    if (code == MTA_HDR_PROC) lines_left.resize(1);
    after_the_lines = -1;
    item_array items;
    items.add(MTA_TO, "bob@example.org").add(MTA_MODE_BINARY).add(code, procedure(next_line));
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
    const sent_message m = queued().back();
    BOOST_TEST(m.field("X-Mark") == (code == MTA_MSG_PROC ? "<none>" : "1"));
    BOOST_TEST(m.body == (code == MTA_HDR_PROC   ? ""
                          : code == MTA_MSG_PROC ? "X-Mark: 1\n\nText\n\nEnd\n"
                                                 : "Text\n\nEnd\n"));
  }
}

BOOST_AUTO_TEST_CASE(an_error_of_a_procedure_stops_the_send) {
  lines_left = {"Text"};
  after_the_lines = -2;
  item_array items;
  items.add(MTA_TO, "bob@example.org").add(MTA_MSG_PROC, procedure(next_line));
  BOOST_TEST(mtaSend(items.get()) == MTA_NO);
  BOOST_TEST(queued().empty());
}

namespace {
std::string calls;
void enable() { calls += "enable "; }
void disable() { calls += "disable "; }
}  // namespace

BOOST_AUTO_TEST_CASE(privileges_are_switched_on_and_off_around_the_enqueue) {
  calls.clear();
  auto items =
      simple().add(MTA_PRIV_ENABLE_PROC, procedure(enable)).add(MTA_PRIV_DISABLE_PROC, procedure(disable));
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(calls == "enable disable ");
  calls.clear();
  auto refused = simple()
                     .add(MTA_TO, "x@nowhere.invalid")
                     .add(MTA_PRIV_ENABLE_PROC, procedure(enable))
                     .add(MTA_PRIV_DISABLE_PROC, procedure(disable));
  BOOST_TEST(mtaSend(refused.get()) == MTA_NO);
  BOOST_TEST(calls == "");
}

// --- Status of addresses, and errors that may be ignored

BOOST_AUTO_TEST_CASE(each_address_has_a_status_and_a_text_that_are_freed) {
  body_path = file("body", "Hello.\n");
  mta_item_list_t items[7];
  std::memset(items, 0xAA, sizeof items);  // as on a stack
  const auto set = [&](int n, int code, const char* text) {
    items[n].item_code = code;
    items[n].item_address = text;
    items[n].item_length = 0;
  };
  set(0, MTA_ADR_STATUS, nullptr);
  set(1, MTA_IGNORE_ERRORS, nullptr);
  set(2, MTA_TO, "Bob <bob@EXAMPLE.org>");
  set(3, MTA_TO, "x@nowhere.invalid");
  set(4, MTA_CC, "not an address");
  set(5, MTA_MSG_FILE, body_path.c_str());
  set(6, MTA_END_LIST, nullptr);
  BOOST_TEST(mtaSend(items) == MTA_OK);
  BOOST_TEST(items[2].item_status == MTA_OK);
  BOOST_TEST(items[2].item_smessage == std::string("bob@example.org"));
  BOOST_TEST(items[3].item_status == MTA_NO);
  BOOST_TEST(std::string(items[3].item_smessage).find("no route") != std::string::npos);
  BOOST_TEST(items[4].item_status == MTA_NO);
  BOOST_TEST(std::string(items[4].item_smessage) != "");
  mtaSendDispose(items);
  BOOST_TEST(items[2].item_smessage == nullptr);
  mtaSendDispose(items);  // nothing left to free
  BOOST_TEST(only().recipients.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_dispose_after_a_send_without_statuses_frees_nothing) {
  mta_item_list_t items[2];
  std::memset(items, 0xAA, sizeof items);
  items[0].item_code = MTA_TO;
  items[1].item_code = MTA_END_LIST;
  mtaSendDispose(items);
  mtaSendDispose(nullptr);
  BOOST_TEST(items[0].item_smessage != nullptr);
}

BOOST_AUTO_TEST_CASE(one_bad_address_or_source_stops_the_send_unless_errors_are_ignored) {
  auto bad_address = simple().add(MTA_TO, "x@nowhere.invalid");
  BOOST_TEST(mtaSend(bad_address.get()) == MTA_NO);
  auto bad_source = simple().add(MTA_MSG_FILE, "/nowhere/at/all");
  BOOST_TEST(mtaSend(bad_source.get()) == MTA_FOPEN);
  BOOST_TEST(queued().empty());
  auto ignored =
      simple().add(MTA_TO, "x@nowhere.invalid").add(MTA_MSG_FILE, "/nowhere/at/all").add(MTA_IGNORE_ERRORS);
  BOOST_TEST(mtaSend(ignored.get()) == MTA_OK);
  BOOST_TEST(only().body == "Hello.\n");
}

BOOST_AUTO_TEST_CASE(without_one_good_address_and_source_nothing_is_sent_whatever_is_ignored) {
  item_array nobody;
  body_path = file("body", "Hello.\n");
  nobody.add(MTA_IGNORE_ERRORS).add(MTA_TO, "x@nowhere.invalid").add(MTA_MSG_FILE, body_path.c_str());
  BOOST_TEST(mtaSend(nobody.get()) == MTA_NO);
  item_array nothing;
  nothing.add(MTA_IGNORE_ERRORS).add(MTA_TO, "bob@example.org").add(MTA_MSG_FILE, "/nowhere/at/all");
  BOOST_TEST(mtaSend(nothing.get()) == MTA_FOPEN);
  auto taken_back = simple().add(MTA_IGNORE_ERRORS).add(MTA_NOIGNORE_ERRORS).add(MTA_TO, "x@nowhere.invalid");
  BOOST_TEST(mtaSend(taken_back.get()) == MTA_NO);
  BOOST_TEST(queued().empty());
}

// --- Other items

BOOST_AUTO_TEST_CASE(a_list_may_continue_in_another_one) {
  auto rest = simple().add(MTA_SUBJECT, "from the second");
  item_array items;
  items.add(MTA_CC, "cat@example.org").add(MTA_ITEM_LIST, rest.get()).add(MTA_SUBJECT, "never read");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("Subject") == "from the second");
  BOOST_TEST(only().recipients.size() == 2u);
}

BOOST_AUTO_TEST_CASE(recipients_are_divided_among_copies_of_the_size_asked_for) {
  auto items =
      simple().add(MTA_MAX_TO, nullptr, 2).add(MTA_TO, "cat@example.org").add(MTA_TO, "dan@example.org");
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  const auto all = queued();
  BOOST_REQUIRE_EQUAL(all.size(), 2u);
  BOOST_TEST(all[0].recipients.size() + all[1].recipients.size() == 3u);
}

BOOST_AUTO_TEST_CASE(large_messages_are_divided_as_the_items_say) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "a line of some forty bytes, as lines have\n";
  const std::string path = file("large", text);
  for (const auto& [code, limit] : {std::pair(MTA_FRAGMENT_BLOCKS, 2), std::pair(MTA_FRAGMENT_LINES, 100)}) {
    item_array items;
    items.add(MTA_TO, "bob@other.example").add(code, nullptr, limit).add(MTA_MSG_FILE, path.c_str());
    BOOST_TEST(mtaSend(items.get()) == MTA_OK);
    mta_nq_t* nq = nullptr;
    BOOST_REQUIRE(mtaEnqueueStart(&nq, "ann@example.org", 0, code, limit, 0) == MTA_OK);
    BOOST_TEST(mtaEnqueueTo(nq, "bob@other.example", 0, 0) == MTA_OK);
    BOOST_TEST(mtaEnqueueWrite(nq, "Subject: x\n\n", 0, text.c_str(), 0, nullptr) == MTA_OK);
    BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
  }
  const auto all = queued("y");
  BOOST_TEST(all.size() > 4u * 2);
  for (const sent_message& m : all) {
    BOOST_TEST(m.field("Content-Type").starts_with("message/partial;"));
    BOOST_TEST((m.header + m.body).size() <= 5000u);
    BOOST_TEST(m.recipients.size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(misspelt_constants_of_the_book_are_there) {
  BOOST_TEST(MTA_ITEM_END == MTA_END_LIST);
  BOOST_TEST(MTA_MM_DEBUG == MTA_DEBUG_MM);
  BOOST_TEST(MTA_PART_NUMBER == MTA_DECODE_PART_NUMBER);
  BOOST_TEST(MTA_DECODE_THRURMAN == MTA_DECODE_THURMAN);
}

BOOST_AUTO_TEST_CASE(the_channel_may_be_chosen_and_is_optional) {
  auto chosen = simple().add(MTA_CHANNEL, "y").add(MTA_INTERACTIVE).add(MTA_ADR_STATUS).add(MTA_ADR_NOSTATUS);
  BOOST_TEST(mtaSend(chosen.get()) == MTA_OK);
  BOOST_TEST(only().source_channel == "y");
  configure("[channel z]\n[routes]\nexample.org = z\n");
  mtaDone();
  auto none = simple();
  BOOST_TEST(mtaSend(none.get()) == MTA_OK);
  BOOST_TEST(queued("z").at(0).source_channel == "");
}

BOOST_AUTO_TEST_CASE(lengths_end_strings) {
  body_path = file("body", "Hello.\n");
  item_array items;
  items.add(MTA_TO, "bob@example.orgXXX", 15)
      .add(MTA_SUBJECT, "short and long", 5)
      .add(MTA_MSG_FILE, body_path.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().field("To") == "bob@example.org");
  BOOST_TEST(only().field("Subject") == "short");
}

// --- Errors

BOOST_AUTO_TEST_CASE(errors_of_mtaSend_in_items) {
  BOOST_TEST(mtaSend(nullptr) == MTA_BADARGS);
  const std::string long_text(ALFA_SIZE + 1, 'x'), long_channel(CHANLENGTH + 1, 'x');
  const std::vector<std::tuple<int, const void*, int, int>> cases{
      {MTA_DQ_CONTEXT, "x", 0, MTA_NOSUCHITEM},
      {999, nullptr, 0, MTA_NOSUCHITEM},
      {MTA_TO, nullptr, 0, MTA_BADARGS},
      {MTA_MSG_PROC, nullptr, 0, MTA_BADARGS},
      {MTA_ITEM_LIST, nullptr, 0, MTA_BADARGS},
      {MTA_PRIV_ENABLE_PROC, nullptr, 0, MTA_BADARGS},
      {MTA_SUBJECT, long_text.c_str(), 0, MTA_STRTRUERR},
      {MTA_TO, long_text.c_str(), 0, MTA_STRTRUERR},
      {MTA_CHANNEL, long_channel.c_str(), 0, MTA_STRTRUERR},
      {MTA_CHANNEL, "unknown", 0, MTA_NOSUCHCHAN},
      {MTA_SUBJECT, "a\nX-Smuggled: b", 0, MTA_BADARGS},
      {MTA_HDR_LINE, "no colon", 0, MTA_BADARGS},
      {MTA_HDR_LINE, "X-A: 1\nX-B: 2", 0, MTA_BADARGS},
      {MTA_MAX_TO, nullptr, -1, MTA_BADARGS},
      {MTA_TO, "bob@example.org, cat@example.org", 0, MTA_NO},
      {MTA_ENV_FROM, "bad@@", 0, MTA_NO},
      {MTA_MSG_FILE, "/", 0, MTA_FIO}};
  for (const auto& [code, address, length, expected] : cases) {
    auto items = simple().add(code, address, length);
    BOOST_TEST(mtaSend(items.get()) == expected, "item " << code);
    BOOST_TEST(mtaErrno() == expected);
  }
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(a_file_name_cannot_bring_header_fields) {
  const std::string path = file("data", "x");
  for (const char* name : {"a\nX-Smuggled: b", "a\r\n b", "a\tb", "a\x7f"})
    for (const int encoding : {MTA_ENC_BASE64, MTA_ENC_UUENCODE}) {
      item_array items;
      items.add(MTA_TO, "bob@example.org")
          .add(encoding)
          .add(MTA_CFILENAME, name)
          .add(MTA_MSG_FILE, path.c_str());
      BOOST_TEST(mtaSend(items.get()) == MTA_BADARGS);
    }
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(items_that_may_come_once_do_not_come_twice) {
  for (const int code : {MTA_CTYPE, MTA_ENV_FROM, MTA_FROM, MTA_SUBADDRESS, MTA_SUBJECT, MTA_USER}) {
    auto items = simple().add(code, "x").add(code, "x");
    BOOST_TEST(mtaSend(items.get()) == MTA_BADARGS, "item " << code);
  }
  auto both = simple().add(MTA_USER, "x").add(MTA_ENV_FROM, "x@example.org");
  BOOST_TEST(mtaSend(both.get()) == MTA_BADARGS);
  const std::string header = file("header", "X-A: 1\n");
  item_array two;
  two.add(MTA_TO, "bob@example.org").add(MTA_HDR_FILE, header.c_str()).add(MTA_HDR_FILE, header.c_str());
  BOOST_TEST(mtaSend(two.get()) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(an_initial_header_cannot_follow_a_body_source) {
  const std::string header = file("header", "X-A: 1\n");
  auto items = simple().add(MTA_HDR_FILE, header.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(a_message_to_nobody_is_out_of_order) {
  item_array items;
  items.add(MTA_HDR_TO, "bob@example.org").add(MTA_SUBJECT, "x");
  BOOST_TEST(mtaSend(items.get()) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(an_endless_header_is_over_a_limit) {
  const std::string header = file("header", "X-A: " + std::string(300 * 1024, 'x') + "\n");
  item_array items;
  items.add(MTA_TO, "bob@example.org").add(MTA_HDR_FILE, header.c_str());
  BOOST_TEST(mtaSend(items.get()) == MTA_SIZE);
}

BOOST_AUTO_TEST_CASE(lists_that_continue_one_another_in_a_circle_are_refused) {
  mta_item_list_t circle[2]{};
  circle[0].item_code = MTA_ITEM_LIST;
  circle[0].item_address = circle;
  BOOST_TEST(mtaSend(circle) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(without_a_configuration_nothing_is_sent) {
  auto items = simple();
  test::environment_variable nowhere("JOBCTL_ROOT", nullptr);
  test::environment_variable missing("JOBCTL_CONFIG", "/nowhere/jobctl.conf");
  mtaDone();
  BOOST_TEST(mtaSend(items.get()) == MTA_FOPEN);
  configure("nonsense");
}

BOOST_AUTO_TEST_CASE(a_mistake_in_the_configuration_stops_a_send) {
  auto items = simple();
  configure("[channel x]\nnonsense = 1\n");
  mtaDone();
  BOOST_TEST(mtaSend(items.get()) == MTA_NO);
}

BOOST_AUTO_TEST_CASE(too_little_space_is_an_error_of_the_send) {
  configure(std::string("[queue]\nreserve = 99%\n") + routes);
  mtaDone();
  auto items = simple();
  BOOST_TEST(mtaSend(items.get()) == MTA_FCREATE);
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_for_now) {
  std::filesystem::create_directories(root() + "/run");
  std::ofstream(root() + "/run/full") << "* 9 8\n";
  mtaDone();
  auto items = simple();
  BOOST_TEST(mtaSend(items.get()) == MTA_AGAIN);
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(another_users_name_needs_the_rights_of_the_site) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("only root can try that");
    return;
  }
  BOOST_REQUIRE(::setresuid(65534, 0, 0) == 0);  // the real one decides
  auto items = simple().add(MTA_USER, "somebody_else");
  const int sent = mtaSend(items.get());
  BOOST_REQUIRE(::setresuid(0, 0, 0) == 0);
  BOOST_TEST(sent == MTA_ACCESS);
  BOOST_TEST(mtaSend(items.get()) == MTA_OK);
  BOOST_TEST(only().from == "somebody_else@mta.example");
}

BOOST_AUTO_TEST_SUITE_END()
