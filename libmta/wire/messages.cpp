#include "wire/messages.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mta::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "integers are copied as they are");

// A list is cut into another frame when it gets beyond this, well below max_frame.
constexpr std::size_t split_at = 64 * 1024;
constexpr std::uint32_t max_capacity = 1u << 20;
constexpr std::int64_t max_time = (std::int64_t{1} << 48) - 1;
constexpr std::size_t key_size = 12;  // file, generation

// --- encoding ---

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void patch(std::string& out, std::size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof value);
}

/// Begins a frame at construction, and fills in its length at destruction.
class open_frame {
 public:
  open_frame(std::string& out, frame_type type) : out_(out), at_(out.size()) {
    put(out, std::uint32_t{0});
    put(out, static_cast<std::uint16_t>(type));
  }
  ~open_frame() { patch(out_, at_, static_cast<std::uint32_t>(out_.size() - at_ - 4)); }
  open_frame(const open_frame&) = delete;
  open_frame& operator=(const open_frame&) = delete;

  std::size_t size() const noexcept { return out_.size() - at_; }

 private:
  std::string& out_;
  std::size_t at_;
};

void put_time(std::string& out, time_point t) {
  put(out, std::clamp<std::int64_t>(t.time_since_epoch().count(), 0, max_time));
}

void put_name(std::string& out, std::string_view name) {
  name = name.substr(0, 255);
  put(out, static_cast<std::uint8_t>(name.size()));
  out += name;
}

/// A text for people; a cut never splits a UTF-8 sequence.
void put_text(std::string& out, std::string_view text) {
  if (text.size() > max_text) {
    std::size_t n = max_text;
    while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
    text = text.substr(0, n);
  }
  put(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}

void put_key(std::string& out, file_key key) {
  put(out, static_cast<std::uint64_t>(key.file));
  put(out, key.generation);
}

/// Messages as groups of one file each, from `first` on until the list or the frame is full; returns where it
/// stopped. Message: with a member `id`. put_rest: writes what follows the slot.
template <class Message, class PutRest>
std::size_t put_groups(std::string& out, const open_frame& f, std::span<const Message> list,
                       std::size_t first, std::size_t limit, PutRest put_rest) {
  const std::size_t groups_at = out.size();
  put(out, std::uint32_t{0});
  std::uint32_t groups = 0;
  std::size_t i = first;
  while (i < list.size() && f.size() < limit) {
    const file_key key = list[i].id.key();
    put_key(out, key);
    const std::size_t count_at = out.size();
    put(out, std::uint32_t{0});
    const std::size_t begin = i;
    do {
      put(out, list[i].id.slot);
      put_rest(list[i]);
      ++i;
    } while (i < list.size() && list[i].id.key() == key && f.size() < limit);
    patch(out, count_at, static_cast<std::uint32_t>(i - begin));
    ++groups;
  }
  patch(out, groups_at, groups);
  return i;
}

// --- decoding ---

/// Reads from a frame's body. After the first failure it only returns zeros and stays at the end, so that a
/// decoder checks once, at its end (and before it loops over a count).
class reader {
 public:
  explicit reader(const frame& f) : type_(f.type), p_(f.body.data()), end_(p_ + f.body.size()) {}

  template <class T>
  T get(const char* field) {
    T value{};
    if (left() < sizeof value) {
      fail(field, "is cut off");
      return value;
    }
    std::memcpy(&value, p_, sizeof value);
    p_ += sizeof value;
    return value;
  }

  /// An integer within [low, high].
  template <class T>
  T get(const char* field, T low, T high) {
    const T value = get<T>(field);
    if (ok() && (value < low || value > high)) {
      fail(field, "is out of range");
      return low;
    }
    return value;
  }

  time_point get_time(const char* field) {
    return time_point(std::chrono::milliseconds(get<std::int64_t>(field, 0, max_time)));
  }

  file_key get_key() {
    file_key key;
    key.file = static_cast<queue::file_number>(get<std::uint64_t>("file number", 1, ~std::uint64_t{0}));
    key.generation = get<std::uint32_t>("generation", 1, ~std::uint32_t{0});
    return key;
  }

  std::string_view get_name(const char* field) { return get_bytes(field, get<std::uint8_t>(field)); }
  std::string_view get_text(const char* field) {
    return get_bytes(field, get<std::uint16_t>(field, 0, std::uint16_t{max_text}));
  }

  std::string_view get_channel() {
    const std::string_view name = get_name("channel");
    if (!ok()) return {};
    const auto forbidden = [](unsigned char c) { return c <= ' ' || c == '/' || c == 0x7F; };
    if (name.empty() || name.front() == '.' || std::ranges::any_of(name, forbidden)) {
      fail("channel", "is not a channel's name");
      return {};
    }
    return name;
  }

  /// A count of things that take at least `each` bytes.
  std::size_t get_count(const char* field, std::size_t each) {
    const std::size_t count = get<std::uint32_t>(field);
    if (count > left() / each) {
      fail(field, "is more than the frame holds");
      return 0;
    }
    return count;
  }

  /// Groups of messages; get_rest(Message&) reads what follows the slot. `each`: bytes of one message.
  template <class Message, class GetRest>
  void get_groups(std::vector<Message>& list, std::size_t each, GetRest get_rest) {
    list.clear();
    const std::size_t groups = get_count("number of groups", key_size + 4 + each);
    for (std::size_t g = 0; g < groups && ok(); ++g) {
      const file_key key = get_key();
      const std::size_t count = get_count("messages of a group", each);
      if (count == 0 && ok()) fail("messages of a group", "is zero");
      if (!ok()) return;
      if (groups == 1) list.reserve(count);
      for (std::size_t i = 0; i < count && ok(); ++i) {
        Message& m = list.emplace_back();
        m.id = {key.file, key.generation, get<std::uint32_t>("slot")};
        get_rest(m);
      }
    }
  }

  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - p_); }
  bool ok() const noexcept { return problem_ == nullptr; }

  void fail(const char* field, const char* problem) {
    if (!ok()) return;
    field_ = field;
    problem_ = problem;
    p_ = end_;
  }

  /// To be called last: all right, and nothing left over?
  result<> finish() {
    if (ok() && left() != 0) fail("end", "has bytes left over");
    if (ok()) return {};
    std::string what = "read a ";
    what += name_of(type_);
    what += " frame of the job controller's protocol: its ";
    what += field_;
    what += ' ';
    what += problem_;
    return error(errc::protocol, std::move(what));
  }

 private:
  std::string_view get_bytes(const char* field, std::size_t count) {
    if (left() < count) {
      fail(field, "is cut off");
      return {};
    }
    const std::string_view bytes(p_, count);
    p_ += count;
    return bytes;
  }

  frame_type type_;
  const char* p_;
  const char* end_;
  const char* field_ = nullptr;
  const char* problem_ = nullptr;
};

/// A frame handed to the wrong decoder is one at the wrong time.
result<> expect(const frame& f, frame_type type) {
  if (f.type == type) return {};
  std::string what = "expected a ";
  what += name_of(type);
  what += " frame of the job controller's protocol, got ";
  what += name_of(f.type);
  return error(errc::protocol, std::move(what));
}

struct held_message {  // message_id under the name that put_groups and get_groups look for
  message_id id;
};
static_assert(sizeof(held_message) == sizeof(message_id));

}  // namespace

// --- program → controller ---

void append(std::string& out, const hello& m) {
  open_frame f(out, frame_type::hello);
  put(out, m.version);
  put(out, static_cast<std::uint8_t>(m.role));
  put(out, std::uint8_t{0});
  put(out, m.pid);
  put(out, m.job);
  put(out, m.max_threads);
  put_name(out, m.channel);
  std::vector<held_message> holding;
  holding.reserve(m.holding.size());
  for (const message_id& id : m.holding) holding.push_back({id});
  put_groups<held_message>(out, f, holding, 0, max_frame, [](const held_message&) {});
}

result<> decode(const frame& f, hello& m) {
  if (auto r = expect(f, frame_type::hello); !r) return r;
  reader in(f);
  m.version = in.get<std::uint16_t>("version");
  if (in.ok() && m.version != protocol_version) {
    return error(errc::wrong_version, "read a HELLO frame: the program speaks version " +
                                          std::to_string(m.version) +
                                          " of the job controller's protocol, this is version " +
                                          std::to_string(protocol_version));
  }
  m.role = static_cast<wire::role>(in.get<std::uint8_t>("role", 0, 1));
  in.get<std::uint8_t>("reserved byte", 0, 0);
  m.pid = in.get<std::uint32_t>("pid");
  m.job = in.get<std::uint64_t>("job");
  m.max_threads = in.get<std::uint32_t>("number of threads");
  m.channel = m.role == role::channel_program ? in.get_channel() : in.get_name("channel");
  std::vector<held_message> holding;
  in.get_groups(holding, 4, [](held_message&) {});
  if (holding.size() > max_in_hand) in.fail("list of messages held", "is too long");
  m.holding.clear();
  m.holding.reserve(holding.size());
  for (const held_message& h : holding) m.holding.push_back(h.id);
  return in.finish();
}

void append_queued(std::string& out, std::string_view channel, file_key file, std::uint32_t capacity,
                   bool complete, std::span<const new_message> messages) {
  std::size_t i = 0;
  do {
    open_frame f(out, frame_type::queued);
    put_name(out, channel);
    put_key(out, file);
    put(out, capacity);
    const std::size_t flags_at = out.size();
    put(out, std::uint8_t{0});
    const std::size_t count_at = out.size();
    put(out, std::uint32_t{0});
    const std::size_t begin = i;
    for (; i < messages.size() && f.size() < split_at; ++i) {
      const new_message& m = messages[i];
      put(out, m.slot);
      put(out, static_cast<std::uint8_t>(m.priority));
      put(out, static_cast<std::uint8_t>(m.phase));
      put(out, m.attempts);
      put(out, m.recipients);
      put(out, m.size);
      put_time(out, m.committed);
      put_time(out, m.due);
      put_name(out, m.host.size() > max_host ? std::string_view() : m.host);
    }
    // Only the last frame may say that nothing more will come.
    patch(out, flags_at, static_cast<std::uint8_t>(complete && i == messages.size() ? 1 : 0));
    patch(out, count_at, static_cast<std::uint32_t>(i - begin));
  } while (i < messages.size());
}

void append(std::string& out, const queued& m) {
  append_queued(out, m.channel, m.file, m.capacity, m.complete, m.messages);
}

result<> decode(const frame& f, queued& m) {
  if (auto r = expect(f, frame_type::queued); !r) return r;
  reader in(f);
  m.channel = in.get_channel();
  m.file = in.get_key();
  m.capacity = in.get<std::uint32_t>("capacity", 1, max_capacity);
  m.complete = in.get<std::uint8_t>("flags", 0, 1) != 0;
  m.messages.clear();
  constexpr std::size_t least = 4 + 1 + 1 + 2 + 4 + 8 + 8 + 8 + 1;
  const std::size_t count = in.get_count("number of messages", least);
  m.messages.reserve(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    new_message& n = m.messages.emplace_back();
    n.slot = in.get<std::uint32_t>("slot", 0, m.capacity - 1);
    n.priority = static_cast<queue::priority>(in.get<std::uint8_t>("priority", 0, 2));
    n.phase = static_cast<queue::phase>(in.get<std::uint8_t>("phase", 0, 2));
    n.attempts = in.get<std::uint16_t>("attempts");
    n.recipients = in.get<std::uint32_t>("recipients", 1, std::uint32_t{queue::max_recipients});
    n.size = in.get<std::uint64_t>("size");
    n.committed = in.get_time("time of commit");
    n.due = in.get_time("due time");
    n.host = in.get_name("host");
  }
  return in.finish();
}

void append(std::string& out, const ask& m) {
  open_frame f(out, frame_type::ask);
  put(out, m.more);
}

result<> decode(const frame& f, ask& m) {
  if (auto r = expect(f, frame_type::ask); !r) return r;
  reader in(f);
  m.more = in.get<std::uint32_t>("credit");
  return in.finish();
}

void append_results(std::string& out, std::span<const message_result> list) {
  for (std::size_t i = 0; i < list.size();) {
    open_frame f(out, frame_type::results);
    i = put_groups(out, f, list, i, split_at, [&](const message_result& r) {
      put(out, static_cast<std::uint8_t>(r.outcome));
      put_time(out, r.next_attempt);
    });
  }
}

void append(std::string& out, const results& m) { append_results(out, m.messages); }

result<> decode(const frame& f, results& m) {
  if (auto r = expect(f, frame_type::results); !r) return r;
  reader in(f);
  in.get_groups(m.messages, 4 + 1 + 8, [&](message_result& r) {
    r.outcome = static_cast<wire::outcome>(in.get<std::uint8_t>("outcome", 0, 6));
    r.next_attempt = in.get_time("next attempt");
  });
  return in.finish();
}

void append(std::string& out, const poll& m) {
  open_frame f(out, frame_type::poll);
  put(out, m.token);
  put(out, m.running);
}

result<> decode(const frame& f, poll& m) {
  if (auto r = expect(f, frame_type::poll); !r) return r;
  reader in(f);
  m.token = in.get<std::uint32_t>("token");
  m.running = in.get<std::uint32_t>("number of threads");
  return in.finish();
}

void append(std::string& out, const stopping&) { open_frame f(out, frame_type::stopping); }

result<> decode(const frame& f, stopping&) {
  if (auto r = expect(f, frame_type::stopping); !r) return r;
  return reader(f).finish();
}

void append(std::string& out, const bye&) { open_frame f(out, frame_type::bye); }

result<> decode(const frame& f, bye&) {
  if (auto r = expect(f, frame_type::bye); !r) return r;
  return reader(f).finish();
}

void append(std::string& out, const sync& m) {
  open_frame f(out, frame_type::sync);
  put(out, m.token);
}

result<> decode(const frame& f, sync& m) {
  if (auto r = expect(f, frame_type::sync); !r) return r;
  reader in(f);
  m.token = in.get<std::uint32_t>("token");
  return in.finish();
}

void append(std::string& out, const stress& m) {
  open_frame f(out, frame_type::stress);
  put_text(out, m.why);
}

result<> decode(const frame& f, stress& m) {
  if (auto r = expect(f, frame_type::stress); !r) return r;
  reader in(f);
  m.why = in.get_text("reason");
  return in.finish();
}

// --- controller → program ---

void append(std::string& out, const welcome& m) {
  open_frame f(out, frame_type::welcome);
  put(out, m.version);
  put(out, m.session);
}

result<> decode(const frame& f, welcome& m) {
  if (auto r = expect(f, frame_type::welcome); !r) return r;
  reader in(f);
  m.version = in.get<std::uint16_t>("version", protocol_version, protocol_version);
  m.session = in.get<std::uint64_t>("session");
  return in.finish();
}

void append(std::string& out, const refused& m) {
  open_frame f(out, frame_type::refused);
  put(out, static_cast<std::uint8_t>(m.code));
  put_text(out, m.why);
}

result<> decode(const frame& f, refused& m) {
  if (auto r = expect(f, frame_type::refused); !r) return r;
  reader in(f);
  m.code = static_cast<refusal>(in.get<std::uint8_t>("code", 1, 5));
  m.why = in.get_text("reason");
  return in.finish();
}

void append_lease(std::string& out, std::string_view channel, std::span<const leased_message> list) {
  for (std::size_t i = 0; i < list.size();) {
    open_frame f(out, frame_type::lease);
    put_name(out, channel);
    i = put_groups(out, f, list, i, split_at, [&](const leased_message& m) {
      put(out, m.attempts);
      put(out, static_cast<std::uint8_t>(m.priority));
    });
  }
}

void append(std::string& out, const lease& m) { append_lease(out, m.channel, m.messages); }

result<> decode(const frame& f, lease& m) {
  if (auto r = expect(f, frame_type::lease); !r) return r;
  reader in(f);
  m.channel = in.get_channel();
  in.get_groups(m.messages, 4 + 2 + 1, [&](leased_message& l) {
    l.attempts = in.get<std::uint16_t>("attempts");
    l.priority = static_cast<queue::priority>(in.get<std::uint8_t>("priority", 0, 2));
  });
  return in.finish();
}

void append(std::string& out, const polled& m) {
  open_frame f(out, frame_type::polled);
  put(out, m.token);
  put(out, m.pending);
  put(out, m.threads);
}

result<> decode(const frame& f, polled& m) {
  if (auto r = expect(f, frame_type::polled); !r) return r;
  reader in(f);
  m.token = in.get<std::uint32_t>("token");
  m.pending = in.get<std::uint64_t>("number of pending messages");
  m.threads = in.get<std::uint32_t>("number of threads");
  return in.finish();
}

void append(std::string& out, const stop& m) {
  open_frame f(out, frame_type::stop);
  put_text(out, m.why);
}

result<> decode(const frame& f, stop& m) {
  if (auto r = expect(f, frame_type::stop); !r) return r;
  reader in(f);
  m.why = in.get_text("reason");
  return in.finish();
}

void append(std::string& out, const synced& m) {
  open_frame f(out, frame_type::synced);
  put(out, m.token);
}

result<> decode(const frame& f, synced& m) {
  if (auto r = expect(f, frame_type::synced); !r) return r;
  reader in(f);
  m.token = in.get<std::uint32_t>("token");
  return in.finish();
}

std::string_view name_of(frame_type type) noexcept {
  switch (type) {
    case frame_type::hello: return "HELLO";
    case frame_type::queued: return "QUEUED";
    case frame_type::ask: return "ASK";
    case frame_type::results: return "RESULTS";
    case frame_type::poll: return "POLL";
    case frame_type::stopping: return "STOPPING";
    case frame_type::bye: return "BYE";
    case frame_type::sync: return "SYNC";
    case frame_type::stress: return "STRESS";
    case frame_type::welcome: return "WELCOME";
    case frame_type::refused: return "REFUSED";
    case frame_type::lease: return "LEASE";
    case frame_type::polled: return "POLLED";
    case frame_type::stop: return "STOP";
    case frame_type::synced: return "SYNCED";
  }
  return "?";
}

}  // namespace mta::wire
