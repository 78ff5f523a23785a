// http_post: posts each message to a URL, on libcurl.
//
// Options (option.NAME in the channel's section):
//   url              http:// or https://. Required
//   timeout          seconds for one request, from connecting to the last byte of the answer. Default 60
//   connect_timeout  seconds for connecting. Default 10
//   header           one more header line, such as `Authorization: Bearer 123`
//
// The body of the request is the message as it is on the wire (CRLF), as message/rfc822. The envelope is in
// header lines: Envelope-From, Envelope-To (one for each recipient), Envelope-Id if there is one; and the
// queue's id is the Idempotency-Key, by which the other side knows a message that comes again after a crash
// or a lost answer.
//
// The status says what becomes of the message: 2xx delivered; 4xx failed, except 408 (timeout) and 429 (too
// many); any other, and no answer in time: deferred. The status and the beginning of the answer are the
// reason.
//
// Each thread keeps its connection from one message to the next.
//
// Exit status: 0, or 75 when the dequeue loop could not run; the reason is in the log.
#include <mta/dequeue.hpp>
#include <mta/program.hpp>

#include <algorithm>
#include <curl/curl.h>
#include <memory>
#include <string>

namespace {

struct settings {
  std::string url, header;
  long timeout = 0, connect_timeout = 0;  // seconds
};

mta::result<settings> read_settings() {
  settings s{mta::option_or("url", ""), mta::option_or("header", "")};
  if (!s.url.starts_with("http://") && !s.url.starts_with("https://"))
    return mta::error(mta::errc::syntax, "option url: \"" + s.url + "\" must begin with http:// or https://");
  const auto timeout = mta::number_option("timeout", 60, 1, 3600);
  if (!timeout) return timeout.error();
  const auto connecting = mta::number_option("connect_timeout", 10, 1, 3600);
  if (!connecting) return connecting.error();
  s.timeout = static_cast<long>(*timeout);
  s.connect_timeout = static_cast<long>(*connecting);
  return s;
}

// What one request reads and what it is answered.
struct exchange {
  mta::message& message;
  std::uint64_t sent = 0;
  std::string failure;  // why the message cannot be read
  std::string answer;   // its beginning

  static std::size_t read(char* buffer, std::size_t one, std::size_t size, void* self) {
    auto& e = *static_cast<exchange*>(self);
    const auto got = e.message.read(e.sent, std::as_writable_bytes(std::span(buffer, one * size)));
    if (!got) {
      e.failure = got.error().message();
      return CURL_READFUNC_ABORT;
    }
    e.sent += *got;
    return *got;
  }
  // A kept connection may turn out to be dead after the first bytes; then they are sent again.
  static int seek(void* self, curl_off_t offset, int) {
    static_cast<exchange*>(self)->sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }
  static std::size_t write(const char* data, std::size_t one, std::size_t size, void* self) {
    auto& answer = static_cast<exchange*>(self)->answer;
    answer.append(data, std::min(one * size, 200 - answer.size()));
    return one * size;
  }
};

struct outcome {
  mta::disposition disposition = mta::disposition::deferred;
  std::string reason;
};

outcome judged(long status, std::string answer) {
  for (char& c : answer)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  outcome o{mta::disposition::deferred, "HTTP status " + std::to_string(status) + ": " + answer};
  if (status >= 200 && status <= 299) o.disposition = mta::disposition::delivered;
  if (status >= 400 && status <= 499 && status != 408 && status != 429)
    o.disposition = mta::disposition::failed;
  return o;
}

// A thread's own: libcurl keeps the connection in it.
class client {
 public:
  explicit client(const settings& s) : handle_(curl_easy_init(), curl_easy_cleanup) {
    if (!handle_) throw mta::exception(mta::os_error("start libcurl", ENOMEM));
    set(CURLOPT_URL, s.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);  // there are other threads
    set(CURLOPT_TIMEOUT, s.timeout);
    set(CURLOPT_CONNECTTIMEOUT, s.connect_timeout);
    set(CURLOPT_USERAGENT, "jobctl-http_post");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_READFUNCTION, exchange::read);
    set(CURLOPT_SEEKFUNCTION, exchange::seek);
    set(CURLOPT_WRITEFUNCTION, exchange::write);
  }

  outcome post(mta::message& m, const settings& s) {
    exchange e{m, 0, {}, {}};
    const auto lines = header_of(m, s);
    set(CURLOPT_HTTPHEADER, lines.get());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(m.size()));
    set(CURLOPT_READDATA, static_cast<void*>(&e));
    set(CURLOPT_SEEKDATA, static_cast<void*>(&e));
    set(CURLOPT_WRITEDATA, static_cast<void*>(&e));
    const CURLcode done = curl_easy_perform(handle_.get());
    if (!e.failure.empty()) return {mta::disposition::deferred, e.failure};
    if (done != CURLE_OK) return {mta::disposition::deferred, s.url + ": " + curl_easy_strerror(done)};
    long status = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
    return judged(status, std::move(e.answer));
  }

 private:
  using header_lines = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

  // Addresses have no control characters (docs/configuration.md), so none can add a line of its own.
  static header_lines header_of(const mta::message& m, const settings& s) {
    header_lines lines(nullptr, curl_slist_free_all);
    const auto add = [&](const std::string& line) {
      curl_slist* longer = curl_slist_append(lines.get(), line.c_str());
      if (longer == nullptr) throw std::bad_alloc();
      (void)lines.release();
      lines.reset(longer);
    };
    add("Content-Type: message/rfc822");
    add("Expect:");  // do not ask whether a large message may be sent
    add("Envelope-From: <" + std::string(m.sender()) + ">");
    for (const mta::recipient& to : m.recipients()) add("Envelope-To: <" + std::string(to.address) + ">");
    if (!m.envelope_id().empty()) add("Envelope-Id: " + std::string(m.envelope_id()));
    add("Idempotency-Key: " + std::string(m.id()));
    if (!s.header.empty()) add(s.header);
    return lines;
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode r = curl_easy_setopt(handle_.get(), option, value); r != CURLE_OK)
      throw std::runtime_error(curl_easy_strerror(r));
  }

  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
};

void process(client& c, mta::message& m, const settings& s) {
  const outcome o = c.post(m, s);
  if (o.disposition != mta::disposition::delivered) mta::log_line(std::string(m.id()) + ": " + o.reason);
  if (auto r = m.finish(o.disposition, o.reason); !r)
    mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

}  // namespace

int main() {
  const auto s = read_settings();
  if (!s) {
    mta::log_line("http_post: " + s.error().message());
    return 75;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const auto done = mta::dequeue(
      {}, [&] { return client(*s); }, [&](client& c, mta::message& m) { process(c, m, *s); });
  if (!done) mta::log_line("http_post: " + done.error().message());
  curl_global_cleanup();
  return done ? 0 : 75;
}
