// mtaDecodeMessage() and what can be asked during it.
#include "sdk/contexts.hpp"
#include "sdk_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <mutex>
#include <new>
#include <sys/resource.h>
#include <thread>

using namespace test;

namespace {

const std::string mixed =
    "Subject: two parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    "--b\nX-First: 1\n\nline one\n\nline three\n"
    "--b\nContent-Type: Image/GIF; name=\"a b.gif\"; size=7\nContent-Disposition: Attachment; "
    "filename=a.gif\n"
    "Content-Transfer-Encoding: base64\n\n/w8A\n"
    "--b--\n";

/// One call of mtaDecodeMessage, with functions of the test behind its routines.
struct decoding {
  std::function<int(mta_decode_t*, int type, std::string_view data)> inspect;
  std::function<int(const char** line, size_t* length)> read;
  std::function<int(mta_decode_t*, std::string_view line)> write;
  std::string input, written, log;
  std::size_t position = 0;

  explicit decoding(std::string text = mixed) { again(std::move(text)); }
  decoding(const decoding&) = delete;
  decoding& operator=(const decoding&) = delete;

  /// As new: reads `text` line by line, looks at nothing, collects what is written.
  void again(std::string text = mixed) {
    input = std::move(text);
    position = 0;
    written.clear();
    log.clear();
    inspect = [](auto...) { return MTA_OK; };
    read = [this](const char** line, size_t* length) {
      if (position >= input.size()) return MTA_EOF;
      const auto end = std::min(input.find('\n', position), input.size());
      *line = input.data() + position;
      *length = end - position;
      position = end + 1;
      return MTA_OK;
    };
    write = [this](mta_decode_t*, std::string_view line) {
      written.append(line).append("\n");
      return MTA_OK;
    };
  }
  /// Reads in blocks.
  void in_blocks(std::size_t size) {
    read = [this, size](const char** line, size_t* length) {
      if (position >= input.size()) return MTA_EOF;
      *line = input.data() + position;
      *length = std::min(size, input.size() - position);
      position += size;
      return MTA_OK;
    };
  }

  static int call_inspect(void* ctx, mta_decode_t* d, int type, const char* data, size_t length) {
    return static_cast<decoding*>(ctx)->inspect(d, type, std::string_view(data, length));
  }
  static int call_read(void* ctx, const char** line, size_t* length) {
    return static_cast<decoding*>(ctx)->read(line, length);
  }
  static int call_write(void* ctx, mta_decode_t* d, const char** line, size_t* length) {
    return static_cast<decoding*>(ctx)->write(d, std::string_view(*line, *length));
  }
  static void* routine(mta_decode_read_t* r) { return reinterpret_cast<void*>(r); }
  static void* routine(mta_decode_write_t* r) { return reinterpret_cast<void*>(r); }

  template <class... Items>
  int look(Items... items) {
    return mtaDecodeMessage(this, MTA_DECODE_PROC, routine(call_read), 0, nullptr, call_inspect, items..., 0);
  }
  template <class... Items>
  int rewrite(Items... items) {
    written.clear();
    return mtaDecodeMessage(this, MTA_DECODE_PROC, routine(call_read), MTA_DECODE_PROC, routine(call_write),
                            call_inspect, items..., 0);
  }
  template <class... Items>
  int look(mta_dq_t* dq, Items... items) {
    return mtaDecodeMessage(this, MTA_DECODE_DQ, dq, 0, nullptr, call_inspect, items..., 0);
  }
  template <class... Items>
  int rewrite(mta_dq_t* dq, mta_nq_t* nq, Items... items) {
    return mtaDecodeMessage(this, MTA_DECODE_DQ, dq, MTA_DECODE_NQ, nq, call_inspect, items..., 0);
  }

  /// Logs what is presented, one line each.
  void note() {
    inspect = [this](mta_decode_t* d, int type, std::string_view data) {
      log += std::to_string(mtaDecodeMessageInfoInt(d, MTA_DECODE_PART_NUMBER));
      log += type == MTA_DATA_HEADER   ? "H "
             : type == MTA_DATA_TEXT   ? "T "
             : type == MTA_DATA_BINARY ? "B "
                                       : "N";
      log.append(data).append("\n");
      BOOST_TEST(mtaDecodeMessageInfoInt(d, MTA_DECODE_DTYPE) == type);
      return MTA_OK;
    };
  }
  /// Calls f once, when a part begins.
  void at_part(int number, std::function<void(mta_decode_t*)> f) {
    inspect = [=, done = false](mta_decode_t* d, int, std::string_view) mutable {
      if (!done && mtaDecodeMessageInfoInt(d, MTA_DECODE_PART_NUMBER) == number) {
        done = true;
        f(d);
      }
      return MTA_OK;
    };
  }
};

const std::string mixed_log =
    "0H X-First: 1\n0T line one\n0T \n0T line three\n0N\n"
    "1H Content-Type: Image/GIF; name=\"a b.gif\"; size=7\n"
    "1H Content-Disposition: Attachment; filename=a.gif\n1H Content-Transfer-Encoding: base64\n"
    "1B " +
    std::string("\xff\x0f\0", 3) + "\n1N\n";

std::string text_of(mta_decode_t* d, int item) {
  const char* text = nullptr;
  size_t length = 0;
  const char* const returned = mtaDecodeMessageInfoString(d, item, &text, &length);
  BOOST_TEST(returned == text);
  BOOST_TEST(std::strlen(text) == length);
  return text;
}

void enqueue_text(const std::string& text) {
  mta_nq_t* const nq = begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, text.data(), text.size(), nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
}

/// Enqueues a message of this text, and gives it to `use` when it is in hand.
void with_message(const std::string& text, std::function<void(mta_dq_t*)> use) {
  enqueue_text(text);
  std::size_t messages = 0;
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               ++messages;
               use(dq);
               return deliver(dq);
             }) == MTA_OK);
  BOOST_TEST(messages == 1u);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(decode)

BOOST_AUTO_TEST_CASE(a_routine_is_read_line_by_line_and_parts_are_presented_line_by_line) {
  decoding d;
  d.note();
  BOOST_TEST(d.look() == MTA_OK);
  BOOST_TEST(d.log == mixed_log);
  d.again();
  d.note();
  BOOST_TEST(d.look(MTA_TERM_NONE) == MTA_OK);
  BOOST_TEST(d.log == mixed_log);
}

BOOST_AUTO_TEST_CASE(a_block_of_the_routine_can_be_an_empty_line) {
  decoding d("A: b\n\n\nx\n");
  d.note();
  BOOST_TEST(d.look() == MTA_OK);
  BOOST_TEST(d.log == "0H A: b\n0T \n0T x\n0N\n");
}

BOOST_AUTO_TEST_CASE(a_stream_is_read_in_blocks_with_each_kind_of_line_end) {
  for (const auto& [item, end] : std::initializer_list<std::pair<int, std::string>>{
           {MTA_TERM_CR, "\r"}, {MTA_TERM_CRLF, "\r\n"}, {MTA_TERM_LF, "\n"}, {MTA_TERM_LFCR, "\n\r"}}) {
    std::string text;
    for (const char c : mixed) text += c == '\n' ? end : std::string(1, c);
    for (const std::size_t size : {1u, 7u, 1000u}) {
      decoding d(text);
      d.in_blocks(size);
      d.note();
      BOOST_TEST(d.look(item) == MTA_OK);
      BOOST_TEST(d.log == mixed_log);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_part_can_be_asked_what_it_is) {
  decoding d;
  int looked = 0;
  d.inspect = [&](mta_decode_t* c, int type, std::string_view) {
    if (type != MTA_DATA_NONE) return MTA_OK;
    ++looked;
    const bool first = mtaDecodeMessageInfoInt(c, MTA_PART_NUMBER) == 0;
    BOOST_TEST(text_of(c, MTA_DECODE_CTYPE) == (first ? "text" : "image"));
    BOOST_TEST(text_of(c, MTA_DECODE_CSUBTYPE) == (first ? "plain" : "gif"));
    BOOST_TEST(text_of(c, MTA_DECODE_CCHARSET) == "us-ascii");
    BOOST_TEST(text_of(c, MTA_DECODE_CDISP) == (first ? "" : "attachment"));
    BOOST_TEST(mtaDecodeMessageInfoString(c, MTA_DECODE_CTYPE, nullptr, nullptr) != nullptr);

    char name[ALFA_SIZE + 1] = "unset";
    int size = 0;
    mta_opt_t* params = nullptr;
    mta_opt_t* const returned = mtaDecodeMessageInfoParams(c, MTA_DECODE_CTYPE_PARAMS, &params);
    BOOST_TEST(returned == params);
    BOOST_TEST(mtaOptionString(params, "NAME", 0, name, nullptr, sizeof name) == MTA_OK);
    BOOST_TEST(std::string(name) == (first ? "unset" : "a b.gif"));
    BOOST_TEST(mtaOptionInt(params, "size", 0, &size) == MTA_OK);
    BOOST_TEST(size == (first ? 0 : 7));
    params = mtaDecodeMessageInfoParams(c, MTA_DECODE_CDISP_PARAMS, nullptr);
    BOOST_TEST(mtaOptionString(params, "filename", 0, name, nullptr, sizeof name) == MTA_OK);
    BOOST_TEST(std::string(name) == (first ? "unset" : "a.gif"));
    mtaOptionFinish(params);  // forbidden, and does nothing
    BOOST_TEST(mtaOptionString(params, "filename", 0, name, nullptr, sizeof name) == MTA_OK);
    return MTA_OK;
  };
  BOOST_TEST(d.look() == MTA_OK);
  BOOST_TEST(looked == 2);
}

BOOST_AUTO_TEST_CASE(parts_are_copied_deleted_and_replaced_on_the_way_to_a_routine) {
  decoding d;
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written == mixed);

  d.again();
  int calls = 0;
  d.inspect = [&](mta_decode_t* c, int, std::string_view) {
    ++calls;
    return mtaDecodeMessagePartCopy(c, 0);
  };
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written == mixed);
  BOOST_TEST(calls == 2);  // a part that was decided about is not presented any further

  d.again();
  d.at_part(1, [](mta_decode_t* c) { BOOST_TEST(mtaDecodeMessagePartDelete(c, 0) == MTA_OK); });
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written == mixed.substr(0, mixed.find("--b\nContent-Type: Image")) + "--b--\n");

  d.again();
  d.at_part(1, [](mta_decode_t* c) {
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, "Removed.", size_t{0}, 0) == MTA_OK);
  });
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written ==
             mixed.substr(0, mixed.find("--b\nContent-Type: Image")) +
                 "--b\nContent-Type: text/plain; charset=us-ascii\nContent-Disposition: inline\n\n"
                 "Removed.\n--b--\n");

  d.again();
  d.at_part(0, [](mta_decode_t* c) {
    item_array items;
    items.add(MTA_DECODE_CTYPE, "text")
        .add(MTA_DECODE_CSUBTYPE, "htmlx", 4)
        .add(MTA_DECODE_CCHARSET, "utf-8");
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_ITEM_LIST, items.get(), MTA_DECODE_CDISP,
                                          "attachment; filename=x.html", size_t{0}, MTA_DECODE_CLANG, "en", 2,
                                          MTA_REASON, "<p>\n", 4, 0) == MTA_OK);
  });
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written.find(
                 "--b\nContent-Type: text/html; charset=utf-8\n"
                 "Content-Disposition: attachment; filename=x.html\nContent-Language: en\n\n<p>\n--b\n") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_empty_list_of_items_is_no_replacement) {
  decoding d;
  d.at_part(1, [](mta_decode_t* c) {
    item_array none;
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_ITEM_LIST, none.get(), 0) == MTA_OK);
  });
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written == mixed.substr(0, mixed.find("--b\nContent-Type: Image")) + "--b--\n");
}

BOOST_AUTO_TEST_CASE(a_note_beyond_ascii_is_not_called_ascii) {
  for (const auto& [text, charset] : std::initializer_list<std::pair<std::string, std::string>>{
           {"weg f\xc3\xbcr immer", "utf-8"}, {"weg f\xfcr immer", "unknown-8bit"}}) {
    decoding d;
    d.at_part(0, [&](mta_decode_t* c) {
      BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, text.c_str(), size_t{0}, 0) == MTA_OK);
    });
    BOOST_TEST(d.rewrite() == MTA_OK);
    BOOST_TEST(d.written.find("Content-Type: text/plain; charset=" + charset + "\n") != std::string::npos);
    BOOST_TEST(d.written.find("Content-Transfer-Encoding: quoted-printable\n") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(no_line_or_block_is_over_bigalfa_size) {
  const std::string line(5000, 'x');
  decoding d("X-Long: " + line + "\nContent-Type: text/plain\n\n" + line + "\nshort\n");
  std::string content;
  d.inspect = [&](mta_decode_t*, int type, std::string_view data) {
    BOOST_TEST(data.size() <= std::size_t{BIGALFA_SIZE});
    if (type == MTA_DATA_TEXT) content += data;
    return MTA_OK;
  };
  d.write = [&](mta_decode_t*, std::string_view text) {
    BOOST_TEST(text.size() <= std::size_t{BIGALFA_SIZE});
    d.written.append(text).append("\n");
    return MTA_OK;
  };
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(content == line + "short");
  decoding again(d.written);
  content.clear();
  again.inspect = [&](mta_decode_t*, int type, std::string_view data) {
    if (type == MTA_DATA_TEXT) content += data;
    return MTA_OK;
  };
  BOOST_TEST(again.look() == MTA_OK);
  BOOST_TEST(content == line + "short");
}

BOOST_AUTO_TEST_CASE(levels_and_parts_have_limits) {
  decoding d;
  d.note();
  BOOST_TEST(d.look(MTA_DECODE_LEVELS_MAX, 0) == MTA_OK);
  BOOST_TEST(d.log.starts_with("0H Subject: two parts\n"));
  BOOST_TEST(d.log.find("0T --b\n") != std::string::npos);
  d.again();
  d.note();
  BOOST_TEST(d.look(MTA_DECODE_PARTS_MAX, size_t{1}) == MTA_OK);
  BOOST_TEST(d.log == mixed_log.substr(0, mixed_log.find("1H")));
  d.again();
  item_array items;
  items.add(MTA_DECODE_PARTS_MAX, nullptr, 2).add(MTA_DECODE_LEVELS_MAX, nullptr, 1);
  d.note();
  BOOST_TEST(d.look(MTA_ITEM_LIST, items.get()) == MTA_OK);
  BOOST_TEST(d.log == mixed_log);
}

BOOST_AUTO_TEST_CASE(old_formats_are_converted_when_asked) {
  const std::string old = "Subject: x\n\nbegin 644 f\n#86)C\n`\nend\n";
  decoding d(old);
  d.note();
  BOOST_TEST(d.look() == MTA_OK);
  BOOST_TEST(d.log.find("0T begin 644 f\n") != std::string::npos);
  for (const int item : {MTA_DECODE_THURMAN, MTA_DECODE_THRURMAN}) {
    d.again(old);
    d.note();
    BOOST_TEST(d.look(item) == MTA_OK);
    BOOST_TEST(d.log.find("0B abc\n") != std::string::npos);
  }
  d.again(old);
  BOOST_TEST(d.rewrite(MTA_DECODE_THURMAN) == MTA_OK);
  BOOST_TEST(d.written.find("Content-Transfer-Encoding: base64\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_callback_returns_ends_the_decode_and_is_returned) {
  decoding d;
  int calls = 0;
  d.inspect = [&](mta_decode_t*, int, std::string_view) { return ++calls == 2 ? 4711 : MTA_OK; };
  BOOST_TEST(d.look() == 4711);
  BOOST_TEST(mtaErrno() == 4711);
  BOOST_TEST(calls == 2);

  d.again();
  d.read = [n = 0](const char** line, size_t* length) mutable {
    *line = "A: b";
    *length = 4;
    return ++n == 3 ? MTA_NETWORK : MTA_OK;
  };
  BOOST_TEST(d.look() == MTA_NETWORK);

  d.again();
  d.write = [](mta_decode_t*, std::string_view line) { return line == "line one" ? MTA_FIO : MTA_OK; };
  BOOST_TEST(d.rewrite() == MTA_FIO);

  d.again();
  d.read = [](const char** line, size_t* length) {
    *line = nullptr;
    *length = 4;
    return MTA_OK;
  };
  BOOST_TEST(d.look() == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(wrong_arguments_are_refused) {
  decoding d;
  void* const read = decoding::routine(decoding::call_read);
  void* const write = decoding::routine(decoding::call_write);
  const auto call = [&](int in_type, void* in, int out_type, void* out, mta_decode_inspect_t* inspect) {
    return mtaDecodeMessage(&d, in_type, in, out_type, out, inspect, 0);
  };
  BOOST_TEST(call(MTA_DECODE_PROC, nullptr, 0, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_DQ, nullptr, 0, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_DQ, &d, 0, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_NQ, read, 0, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(0, read, 0, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_PROC, read, MTA_DECODE_PROC, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_PROC, read, MTA_DECODE_NQ, nullptr, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_PROC, read, MTA_DECODE_NQ, &d, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_PROC, read, MTA_DECODE_DQ, write, decoding::call_inspect) == MTA_BADARGS);
  BOOST_TEST(call(MTA_DECODE_PROC, read, 0, nullptr, nullptr) == MTA_BADARGS);
  BOOST_TEST(d.look(MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr)) == MTA_BADARGS);
  BOOST_TEST(d.look(MTA_SUBJECT) == MTA_NOSUCHITEM);
  BOOST_TEST(d.look(MTA_DECODE_CTYPE) == MTA_NOSUCHITEM);
  BOOST_TEST(d.look() == MTA_OK);
}

BOOST_AUTO_TEST_CASE(questions_have_wrong_forms_too) {
  decoding d;
  mta_decode_t* stale = nullptr;
  d.at_part(0, [&](mta_decode_t* c) {
    stale = c;
    BOOST_TEST(mtaDecodeMessageInfoInt(c, MTA_DECODE_CTYPE) == -1);
    BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDecodeMessageInfoString(c, MTA_DECODE_DTYPE, nullptr, nullptr) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDecodeMessageInfoParams(c, MTA_DECODE_CDISP, nullptr) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDecodeMessagePartCopy(c, MTA_REASON) == MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_SUBJECT, 0) == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, static_cast<char*>(nullptr), size_t{0}, 0) ==
               MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr), 0) ==
               MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_DECODE_CDISP, "a\nBcc: x", size_t{0}, 0) == MTA_BADARGS);
    const std::string long_text(BIGALFA_SIZE + 1, 'x');
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_DECODE_CLANG, long_text.c_str(), size_t{0}, 0) ==
               MTA_STRTRUERR);
    BOOST_TEST(mtaDecodeMessagePartCopy(c, 0) == MTA_OK);
    BOOST_TEST(mtaDecodeMessagePartCopy(c, 0) == MTA_NO);  // decided already
    BOOST_TEST(mtaDecodeMessagePartDelete(c, 0) == MTA_NO);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, "x", size_t{0}, 0) == MTA_NO);
  });
  BOOST_TEST(d.rewrite() == MTA_OK);

  for (mta_decode_t* const wrong : {static_cast<mta_decode_t*>(nullptr), stale}) {
    mta_opt_t* params = nullptr;
    BOOST_TEST(mtaDecodeMessageInfoInt(wrong, MTA_DECODE_DTYPE) == -1);
    BOOST_TEST(mtaErrno() == MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessageInfoString(wrong, MTA_DECODE_CTYPE, nullptr, nullptr) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessageInfoParams(wrong, MTA_DECODE_CTYPE_PARAMS, &params) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessagePartCopy(wrong, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDecodeMessagePartDelete(wrong, 0) == MTA_BADARGS);
  }
}

BOOST_AUTO_TEST_CASE(without_an_output_and_from_the_output_routine_nothing_is_copied_or_deleted) {
  decoding d;
  d.at_part(0, [](mta_decode_t* c) {
    BOOST_TEST(mtaDecodeMessagePartCopy(c, 0) == MTA_NO);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, 0) == MTA_NO);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, "x", size_t{0}, 0) == MTA_NO);
  });
  BOOST_TEST(d.look() == MTA_OK);

  d.again();
  int lines = 0;
  d.write = [&](mta_decode_t* c, std::string_view) {
    if (++lines == 1) {  // before the first part
      BOOST_TEST(text_of(c, MTA_DECODE_CTYPE) == "text");
      BOOST_TEST(text_of(c, MTA_DECODE_CSUBTYPE) == "plain");
      BOOST_TEST(text_of(c, MTA_DECODE_CCHARSET) == "us-ascii");
      BOOST_TEST(text_of(c, MTA_DECODE_CDISP) == "");
      BOOST_TEST(mtaDecodeMessageInfoInt(c, MTA_DECODE_PART_NUMBER) == 0);
      BOOST_TEST(mtaDecodeMessageInfoInt(c, MTA_DECODE_DTYPE) == MTA_DATA_NONE);
    }
    BOOST_TEST(mtaDecodeMessagePartCopy(c, 0) == MTA_NO);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, 0) == MTA_NO);
    return MTA_OK;
  };
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(lines == std::count(mixed.begin(), mixed.end(), '\n'));
}

BOOST_AUTO_TEST_CASE(a_context_that_another_thread_uses_is_refused) {
  decoding d;
  d.at_part(0, [&](mta_decode_t* c) {
    std::promise<void> locked, done;
    std::thread other([&] {
      const std::scoped_lock use(reinterpret_cast<mta::sdk::decode_context*>(c)->in_use);
      locked.set_value();
      done.get_future().wait();
    });
    locked.get_future().wait();
    BOOST_TEST(mtaDecodeMessageInfoInt(c, MTA_DECODE_DTYPE) == -1);
    BOOST_TEST(mtaErrno() == MTA_THREAD);
    BOOST_TEST(mtaDecodeMessageInfoString(c, MTA_DECODE_CTYPE, nullptr, nullptr) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_THREAD);
    BOOST_TEST(mtaDecodeMessageInfoParams(c, MTA_DECODE_CTYPE_PARAMS, nullptr) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_THREAD);
    BOOST_TEST(mtaDecodeMessagePartCopy(c, 0) == MTA_THREAD);
    BOOST_TEST(mtaDecodeMessagePartDelete(c, 0) == MTA_THREAD);
    done.set_value();
    other.join();
  });
  BOOST_TEST(d.rewrite() == MTA_OK);
  BOOST_TEST(d.written == mixed);
}

BOOST_AUTO_TEST_CASE(contexts_that_another_thread_uses_are_not_decoded) {
  const running_site s;
  with_message(mixed, [&](mta_dq_t* dq) {
    (void)all_recipients(dq);
    mta_nq_t* const nq = begin();
    BOOST_TEST(mtaEnqueueTo(nq, "carl@other.example", 0, MTA_ENV_TO, 0) == MTA_OK);
    decoding d;
    const auto while_used = [](std::mutex& in_use, auto f) {
      std::promise<void> locked, done;
      std::thread other([&] {
        const std::scoped_lock use(in_use);
        locked.set_value();
        done.get_future().wait();
      });
      locked.get_future().wait();
      f();
      done.set_value();
      other.join();
    };
    while_used(static_cast<mta::sdk::dequeue_context*>(dq)->in_use,
               [&] { BOOST_TEST(d.look(dq) == MTA_THREAD); });
    while_used(static_cast<mta::sdk::enqueue_context*>(nq)->in_use,
               [&] { BOOST_TEST(d.rewrite(dq, nq) == MTA_THREAD); });
    BOOST_TEST(d.rewrite(dq, nq) == MTA_OK);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  });
}

BOOST_AUTO_TEST_CASE(running_out_of_memory_is_an_error) {
  decoding d;
  d.inspect = [](mta_decode_t*, int, std::string_view) -> int { throw std::bad_alloc(); };
  BOOST_TEST(d.look() == MTA_NOMEM);
}

BOOST_AUTO_TEST_CASE(a_part_that_has_to_wait_needs_a_temporary_file) {
  const environment_variable directory("TMPDIR", "/nonexistent");
  std::string big = "A: b\n\n";
  while (big.size() < 2'000'000) big += "a line of a part that does not fit into memory\n";
  decoding d(big);
  BOOST_TEST(d.rewrite() == MTA_FOPEN);
  d.again(big);
  BOOST_TEST(d.look() == MTA_OK);  // nothing waits
}

BOOST_AUTO_TEST_CASE(an_enqueue_context_that_cannot_be_written_is_an_error_of_files) {
  const site s;
  decoding d("A: b\n\n" + std::string(6'000'000, 'x') + "\n");  // more than is kept in memory
  const auto into_new_message = [&] {
    mta_nq_t* const nq = begin();
    BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
    d.position = 0;
    d.inspect = [](mta_decode_t* c, int, std::string_view) { return mtaDecodeMessagePartCopy(c, 0); };
    const int status = mtaDecodeMessage(&d, MTA_DECODE_PROC, decoding::routine(decoding::call_read),
                                        MTA_DECODE_NQ, nq, decoding::call_inspect, 0);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
    return status;
  };
  BOOST_TEST(into_new_message() == MTA_OK);
  {
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1u << 20, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    const int status = into_new_message();
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    BOOST_TEST(status == MTA_FIO);
  }
  std::filesystem::remove_all(s.root() + "/queue");
  BOOST_TEST(into_new_message() == MTA_FCREATE);
}

BOOST_AUTO_TEST_CASE(a_damaged_message_in_hand_is_an_error) {
  const running_site s;
  enqueue_text(mixed);
  int messages = 0;
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               ++messages;
               (void)all_recipients(dq);
               for (const auto& file : std::filesystem::recursive_directory_iterator(s.root() + "/queue")) {
                 if (!file.is_regular_file()) continue;
                 std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
                 const std::string all((std::istreambuf_iterator<char>(bytes)), {});
                 const auto at = all.find("line three");
                 if (at == all.npos) continue;
                 bytes.clear();
                 bytes.seekp(static_cast<std::streamoff>(at));
                 bytes << "LINE";
               }
               decoding d;
               BOOST_TEST(d.look(dq) == MTA_NO);
               return MTA_OK;
             }) == MTA_OK);
  BOOST_TEST(messages == 1);
}

BOOST_AUTO_TEST_CASE(a_message_in_hand_is_decoded_from_its_read_point) {
  const running_site s;
  with_message(mixed, [&](mta_dq_t* dq) {
    decoding d;
    d.note();
    BOOST_TEST(d.look(dq) == MTA_ORDER);  // recipients first
    BOOST_TEST(all_recipients(dq).size() == 1u);
    BOOST_TEST(d.look(dq, MTA_TERM_CR) == MTA_OK);
    BOOST_TEST(d.log == mixed_log);
    BOOST_TEST(d.look(dq) == MTA_ORDER);  // it has been read to its end
    BOOST_TEST(rest_of_lines(dq).empty());
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    BOOST_TEST(rest_of_lines(dq).ends_with(mixed));
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    d.log.clear();
    BOOST_TEST(d.look(dq) == MTA_OK);
    BOOST_TEST(d.log == mixed_log);
  });
}

BOOST_AUTO_TEST_CASE(contexts_may_be_asked_during_a_decode) {
  const running_site s;
  with_message(mixed, [&](mta_dq_t* dq) {
    (void)all_recipients(dq);
    mta_nq_t* const nq = begin();
    BOOST_TEST(mtaEnqueueTo(nq, "carl@other.example", 0, MTA_ENV_TO, 0) == MTA_OK);
    decoding d;
    d.inspect = [&](mta_decode_t*, int, std::string_view) {
      const char* text = nullptr;
      BOOST_TEST(mtaDequeueInfo(dq, MTA_CHANNEL, &text, static_cast<size_t*>(nullptr), 0) == MTA_OK);
      BOOST_TEST(mtaEnqueueInfo(nq, MTA_ENV_FROM, &text, static_cast<size_t*>(nullptr), 0) == MTA_OK);
      return MTA_OK;
    };
    BOOST_TEST(d.rewrite(dq, nq) == MTA_OK);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  });
}

BOOST_AUTO_TEST_CASE(a_message_in_hand_is_rewritten_into_a_new_one) {
  const running_site s;
  std::string arrived;
  decoding d;
  enqueue_text(mixed);
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               if (all_recipients(dq).at(0) == "carl@example.org") {
                 arrived = rest_of_lines(dq);
                 return deliver(dq);
               }
               mta_nq_t* const nq = begin();
               BOOST_TEST(d.rewrite(dq, nq) == MTA_ORDER);  // no recipient yet
               BOOST_TEST(mtaEnqueueTo(nq, "carl@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
               d.at_part(0, [](mta_decode_t* c) {
                 BOOST_TEST(mtaDecodeMessagePartDelete(c, MTA_REASON, "changed", size_t{0}, 0) == MTA_OK);
               });
               BOOST_TEST(d.rewrite(dq, nq) == MTA_OK);
               BOOST_TEST(mtaEnqueueTo(nq, "dora@example.org", 0, MTA_ENV_TO, 0) ==
                          MTA_ORDER);  // it has content
               BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
               return deliver(dq);
             }) == MTA_OK);
  BOOST_TEST(arrived.find(
                 "\n--b\nContent-Type: text/plain; charset=us-ascii\nContent-Disposition: inline\n\nchanged\n"
                 "--b\nContent-Type: Image/GIF") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_message_in_hand_is_copied_byte_for_byte) {
  const running_site s;
  std::string arrived, sent;
  decoding d;
  enqueue_text(mixed);
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               const bool copy = all_recipients(dq).at(0) == "carl@example.org";
               (copy ? arrived : sent) = rest_of_lines(dq);
               if (copy) return deliver(dq);
               mta_nq_t* const nq = begin();
               BOOST_TEST(mtaEnqueueTo(nq, "carl@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
               BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
               BOOST_TEST(d.rewrite(dq, nq) == MTA_OK);
               BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
               return deliver(dq);
             }) == MTA_OK);
  BOOST_TEST(sent.ends_with(mixed));
  BOOST_TEST(arrived.ends_with(sent));  // after the new Received: line
}

BOOST_AUTO_TEST_CASE(the_cpp_interface_takes_messages_in_hand_and_submissions) {
  const running_site s;
  std::string arrived;
  enqueue_text(mixed);
  mta::dequeue_options options;
  options.max_attempts = 0;
  options.retry_interval = std::chrono::milliseconds(0);
  options.max_threads = 1;
  const auto done = mta::dequeue(options, [&](mta::message& m) {
    if (m.recipients()[0].address == "carl@example.org") {
      for (const std::string_view line : m.lines()) arrived.append(line).append("\n");
      BOOST_TEST(m.finish(mta::disposition::delivered).has_value());
      return;
    }
    std::size_t pieces = 0;
    BOOST_TEST(
        mta::mime::decode(m, [&](mta::mime::part&, const mta::mime::piece&) { ++pieces; }).has_value());
    BOOST_TEST(pieces == 10u);
    BOOST_TEST(!m.next_line().value().has_value());  // it was read to its end
    m.rewind();
    auto copy = mta::submission::start(m.sender()).value();
    BOOST_TEST(copy.add("carl@example.org").has_value());
    const auto rewritten = mta::mime::rewrite(m, copy, [](mta::mime::part& p, const mta::mime::piece& x) {
      if (x.kind == mta::mime::piece_kind::end && p.filename() == "a.gif")
        BOOST_TEST(p.replace({.text = "A picture was here.\n"}).has_value());
    });
    BOOST_REQUIRE(rewritten.has_value());
    BOOST_TEST(rewritten->parts == 2u);
    BOOST_TEST(rewritten->changed);
    BOOST_TEST(copy.finish().has_value());
    BOOST_TEST(m.finish(mta::disposition::relayed).has_value());
  });
  BOOST_TEST(done.has_value());
  BOOST_TEST(
      arrived.ends_with("\nline three\n--b\nContent-Type: text/plain; charset=us-ascii\n"
                        "Content-Disposition: inline\n\nA picture was here.\n--b--\n"));
}

BOOST_AUTO_TEST_CASE(an_abandoned_enqueue_context_ends_the_decode) {
  const running_site s;
  with_message(mixed, [&](mta_dq_t* dq) {
    (void)all_recipients(dq);
    mta_nq_t* const nq = begin();
    BOOST_TEST(mtaEnqueueTo(nq, "carl@other.example", 0, MTA_ENV_TO, 0) == MTA_OK);
    decoding d;
    d.at_part(0, [&](mta_decode_t*) { BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK); });
    BOOST_TEST(d.rewrite(dq, nq) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    BOOST_TEST(d.rewrite(dq, nq) == MTA_BADARGS);
  });
}

BOOST_AUTO_TEST_CASE(a_message_that_was_finished_ends_the_decode) {
  const running_site s;
  std::string big = "A: b\n\n";
  while (big.size() < 1'000'000) big += "more than one block\n";
  with_message(big, [&](mta_dq_t* dq) {
    (void)all_recipients(dq);
    decoding d;
    d.at_part(0, [&](mta_decode_t*) { BOOST_TEST(deliver(dq) == MTA_OK); });
    BOOST_TEST(d.look(dq) != MTA_OK);
    BOOST_TEST(d.look(dq) != MTA_OK);
  });
}

BOOST_AUTO_TEST_SUITE_END()
