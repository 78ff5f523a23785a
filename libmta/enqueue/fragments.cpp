#include "enqueue/fragments.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "enqueue/header.hpp"
#include "enqueue/submission_impl.hpp"

#include <algorithm>
#include <span>

namespace mta::enqueue {
namespace {

constexpr std::size_t longest_header = 256 * 1024;  // bytes; a message with a longer one is left whole
constexpr std::size_t chunk = 64 * 1024;            // bytes read at once
// A fragment has at least so much content, if the header alone takes the rest of what is allowed.
constexpr std::uint64_t least_bytes = 256, least_lines = 4;
// What is added to each fragment's header: Message-ID, MIME-Version, Content-Type, and to the subject.
constexpr std::uint64_t added_bytes = 320, added_lines = 7;

result<std::size_t> read_at(const queue::content_source& content, std::uint64_t offset,
                            std::span<std::byte> buffer) {
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), content.length - offset));
  if (content.spilled != nullptr) return content.spilled->read(offset, buffer.first(wanted));
  std::copy_n(content.memory.data() + offset, wanted, reinterpret_cast<char*>(buffer.data()));
  return wanted;
}

/// Calls `take(line)` for every line from `offset` on, its line end included. Lines over a chunk come in
/// pieces.
template <class Take>
result<> for_each_line(const queue::content_source& content, std::uint64_t offset, Take take) {
  std::string text;
  while (offset < content.length) {
    const std::size_t before = text.size();
    text.resize(before + chunk);
    const auto n = read_at(content, offset, std::as_writable_bytes(std::span(text)).subspan(before));
    if (!n) return n.error();
    if (*n == 0) return error(errc::damaged, "a temporary file of the message has become shorter");
    offset += *n;
    text.resize(before + *n);
    std::string_view rest = text;
    for (auto end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
      if (auto done = take(rest.substr(0, end + 1)); !done) return done;
      rest.remove_prefix(end + 1);
    }
    text.erase(0, text.size() - rest.size());
    if (text.size() > chunk) {
      if (auto done = take(std::string_view(text)); !done) return done;
      text.clear();
    }
  }
  return text.empty() ? result<>{} : take(std::string_view(text));
}

bool describes_content(std::string_view name) {
  const std::string lower = lower_case(name);
  return lower.starts_with("content-") || lower == "subject" || lower == "message-id" ||
         lower == "encrypted" || lower == "mime-version";
}

/// Is all of it fields? Something else would be in no fragment.
bool only_fields(std::string_view header) {
  std::size_t size = 0;
  for (const header_field& f : header_fields(header)) size += f.whole.size();
  return size == header.size();
}

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

/// What is left of a limit; nothing said stays so.
std::uint64_t room(std::uint64_t limit, std::uint64_t taken, std::uint64_t least) {
  return limit == 0 ? ~0ull : std::max(limit > taken ? limit - taken : 0, least);
}

class divider {
 public:
  divider(const queue::content_source& content, fragment_limits limits, const std::string& header,
          std::string_view host)
      : content_(content), limits_(limits), body_(header.size() + 2), host_(host) {
    for (const header_field& f : header_fields(header)) {
      std::string& place = describes_content(f.name) ? inner_ : outer_;
      if (equal_ignoring_case(f.name, "subject")) subject_ = std::string(trim(f.whole));
      place += f.whole;
    }
  }

  result<std::vector<fragment>> divide(queue::file_io& io, const std::string& directory) {
    if (auto planned = plan(); !planned) return planned.error();
    std::vector<fragment> all;
    if (pieces_.size() < 2) return all;
    const std::string id = unique_name() + '@' + std::string(host_);
    std::uint64_t at = body_;
    for (std::size_t n = 0; n < pieces_.size(); ++n) {
      auto buffer = std::make_unique<content_buffer>(io, directory);
      if (auto done = buffer->write(header_of(n, id)); !done) return done.error();
      if (n == 0)
        if (auto done = buffer->write(inner_ + "\r\n"); !done) return done.error();
      if (auto done = copy(at, pieces_[n], *buffer); !done) return done.error();
      if (auto done = buffer->finish(); !done) return done.error();
      at += pieces_[n];
      all.push_back({std::move(buffer)});
    }
    return all;
  }

 private:
  /// How many bytes of the body go into each fragment.
  result<> plan() {
    std::uint64_t body_lines = 0;
    if (limits_.lines != 0) {
      auto counted = for_each_line(content_, body_, [&](std::string_view) {
        ++body_lines;
        return result<>{};
      });
      if (!counted) return counted;
    }
    const std::uint64_t header_lines = lines_in(outer_) + lines_in(inner_) + 1;
    const bool too_large = limits_.bytes != 0 && content_.length > limits_.bytes;
    const bool too_long = limits_.lines != 0 && header_lines + body_lines > limits_.lines;
    if (!too_large && !too_long) return {};

    const std::uint64_t bytes =
        std::max(room(limits_.bytes, outer_.size() + subject_.size() + added_bytes, least_bytes),
                 (content_.length - body_) / max_fragments + 1);
    const std::uint64_t lines =
        std::max(room(limits_.lines, lines_in(outer_) + lines_in(subject_) + added_lines, least_lines),
                 body_lines / max_fragments + 1);
    // The first one has the inner header too.
    std::uint64_t have_bytes = std::min(inner_.size() + 2, bytes - 1),
                  have_lines = std::min(lines_in(inner_) + 1, lines - 1);
    std::uint64_t piece = 0;
    auto done = for_each_line(content_, body_, [&](std::string_view line) {
      if (piece > 0 && (have_bytes + line.size() > bytes || have_lines + 1 > lines)) {
        pieces_.push_back(std::exchange(piece, 0));
        have_bytes = have_lines = 0;
      }
      piece += line.size();
      have_bytes += line.size();
      ++have_lines;
      return result<>{};
    });
    if (!done) return done;
    if (piece > 0) pieces_.push_back(piece);
    return {};
  }

  std::string header_of(std::size_t n, const std::string& id) const {
    const std::string number = std::to_string(n + 1), total = std::to_string(pieces_.size());
    std::string out = outer_;
    out += "Message-ID: <" + unique_name() + '@' + std::string(host_) + ">\r\n";
    if (!subject_.empty()) out += subject_ + " (part " + number + " of " + total + ")\r\n";
    out += "MIME-Version: 1.0\r\nContent-Type: message/partial;\r\n\tid=\"" + id +
           "\";\r\n\tnumber=" + number + "; total=" + total + "\r\n\r\n";
    return out;
  }

  result<> copy(std::uint64_t from, std::uint64_t length, content_buffer& to) const {
    std::string text;
    while (length > 0) {
      text.resize(static_cast<std::size_t>(std::min<std::uint64_t>(length, chunk)));
      const auto n = read_at(content_, from, std::as_writable_bytes(std::span(text)));
      if (!n) return n.error();
      if (*n == 0) return error(errc::damaged, "a temporary file of the message has become shorter");
      if (auto done = to.write(std::string_view(text).substr(0, *n)); !done) return done;
      from += *n;
      length -= *n;
    }
    return {};
  }

  const queue::content_source& content_;
  fragment_limits limits_;
  std::uint64_t body_;  // where it begins
  std::string_view host_;
  std::string outer_, inner_, subject_;
  std::vector<std::uint64_t> pieces_;
};

}  // namespace

result<std::string> read_header(const queue::content_source& content) {
  std::string text;
  while (text.size() < longest_header && text.size() < content.length) {
    const std::size_t before = text.size();
    text.resize(before + chunk);
    const auto n = read_at(content, before, std::as_writable_bytes(std::span(text)).subspan(before));
    if (!n) return n.error();
    text.resize(before + *n);
    const auto end = text.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end != text.npos) return text.substr(0, end + 2);
    if (*n == 0) break;
  }
  return text;
}

bool is_fragment(std::string_view header) {
  for (const header_field& f : header_fields(header)) {
    if (!equal_ignoring_case(f.name, "content-type")) continue;
    const std::string type = lower_case(f.value);
    return type.starts_with("message/partial") &&
           type.find_first_of("abcdefghijklmnopqrstuvwxyz0123456789-", 15) != 15;
  }
  return false;
}

result<std::vector<fragment>> make_fragments(const queue::content_source& content, fragment_limits limits,
                                             std::string_view host, queue::file_io& io,
                                             const std::string& directory) {
  std::vector<fragment> none;
  if (limits.lines == 0 && (limits.bytes == 0 || content.length <= limits.bytes)) return none;
  if ((content.facts & (queue::facts::eight_bit | queue::facts::long_line)) != 0) return none;
  const auto header = read_header(content);
  if (!header) return header.error();
  if (header->size() + 2 >= content.length || is_fragment(*header))
    return none;  // or: no body, no end in sight
  if (header->size() >= longest_header || !only_fields(*header)) return none;
  return divider(content, limits, *header, host).divide(io, directory);
}

/// Fragments go to the channel that puts them together first, if that is wanted where they are going.
void submission::impl::divert_fragments() {
  if (source_channel == config::defragment_channel) return;
  if (std::none_of(recipients.begin(), recipients.end(), [this](const pending& p) {
        const config::channel* const c = site->find_channel(p.way.channel);
        return c != nullptr && c->defragment;
      }))
    return;
  if (const auto header = read_header(content.content()); !header || !is_fragment(*header)) return;
  if (site->find_channel(config::defragment_channel) == nullptr) return;
  for (pending& p : recipients)
    if (const config::channel* const c = site->find_channel(p.way.channel); c != nullptr && c->defragment)
      p.way.channel = std::string(config::defragment_channel);
}

/// The stricter of what the message and its channel say.
result<std::vector<fragment>> submission::impl::fragments_of(const record& r) {
  const config::channel* const c = site->find_channel(r.channel);
  const auto stricter = [](std::uint64_t a, std::uint64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; };
  fragment_limits limits;
  const std::uint64_t blocks = stricter(options.fragment_blocks, c != nullptr ? c->max_blocks : 0);
  limits.bytes = blocks > ~0ull / site->block_size ? 0 : blocks * site->block_size;
  limits.lines = stricter(options.fragment_lines, c != nullptr ? c->max_lines : 0);
  return make_fragments(content.content(), limits, site->host, files, site->queue_root());
}

}  // namespace mta::enqueue
