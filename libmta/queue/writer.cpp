#include "queue/writer.hpp"

#include "queue/append_file.hpp"
#include "queue/append_hint.hpp"
#include "queue/format.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace mta::queue {
namespace {

constexpr std::uint64_t space_check_interval = 16u
                                               << 20;  // bytes committed between two looks at the free space
constexpr auto space_check_period = std::chrono::milliseconds(200);
constexpr std::size_t copy_block = 256 * 1024;

result<std::uint64_t> check_of(const content_source& content, const message_id& id) {
  if (content.spilled == nullptr)
    return format::check(std::as_bytes(std::span(content.memory)), format::seed(id));
  format::running_check sum(format::seed(id));
  std::vector<std::byte> block(copy_block);
  for (std::uint64_t at = 0; at < content.length;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), content.length - at));
    const auto read = content.spilled->read(at, std::span(block).first(wanted));
    if (!read) return read.error();
    if (*read == 0) return error(errc::damaged, "temporary file of a message (cut off)");
    sum.add(std::span(block).first(*read));
    at += *read;
  }
  return sum.value();
}

result<> copy_spilled(append_file& target, std::uint64_t offset, const content_source& content) {
  std::vector<std::byte> block(copy_block);
  for (std::uint64_t at = 0; at < content.length;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), content.length - at));
    const auto read = content.spilled->read(at, std::span(block).first(wanted));
    if (!read) return read.error();
    if (*read == 0) return error(errc::damaged, "temporary file of a message (cut off)");
    const std::span<const std::byte> piece = std::span(block).first(*read);
    if (const auto written = target.write(offset + at, std::span(&piece, 1)); !written)
      return written.error();
    at += *read;
  }
  return {};
}

}  // namespace

/// What a channel's directory is to one writer.
struct channel_appender {
  std::string directory;
  std::mutex mutex;
  bool exists = false;
  std::atomic<unsigned> step{0};  // size of the next file to be made; also by the preparer, without the mutex
  std::shared_ptr<append_file> current;
  std::shared_ptr<append_file> next;  // made ready ahead of need
  bool preparing = false;
};

struct writer::impl {
  file_io& io;
  const std::string root;
  const writer_options options;

  std::mutex mutex;
  std::map<std::string, std::shared_ptr<channel_appender>, std::less<>> channels;

  std::mutex space_mutex;
  std::uint64_t until_space_check = 0;
  std::uint64_t space_left = 0;
  std::chrono::steady_clock::time_point space_checked{};

  // Makes files ready before they are needed; started with the first request.
  std::mutex preparer_mutex;
  std::condition_variable preparer_wakes;
  std::deque<std::shared_ptr<channel_appender>> to_prepare;
  bool stopping = false;
  std::thread preparer;

  impl(file_io& i, std::string r, writer_options o) : io(i), root(std::move(r)), options(o) {}

  ~impl() {
    {
      const std::scoped_lock guard(preparer_mutex);
      stopping = true;
    }
    preparer_wakes.notify_all();
    if (preparer.joinable()) preparer.join();
    leave_hints();
  }

  /// Files that still have room are worth telling the next program.
  void leave_hints() {
    for (const auto& [name, channel] : channels)
      for (const auto& f : {channel->current, channel->next})
        if (f && !f->full() && !f->failed()) {
          const auto known = read_append_hint(io, channel->directory);
          if (std::ranges::find(known, f->header().number) == known.end())
            add_append_hint(io, channel->directory, f->header().number);
        }
  }

  std::shared_ptr<channel_appender> appender(std::string_view name) {
    const std::scoped_lock guard(mutex);
    const auto found = channels.find(name);
    if (found != channels.end()) return found->second;
    auto made = std::make_shared<channel_appender>();
    made->directory = root + '/' + std::string(name);
    channels.emplace(name, made);
    return made;
  }

  result<> check_space(std::uint64_t size) {
    const std::scoped_lock guard(space_mutex);
    const auto now = std::chrono::steady_clock::now();
    if (until_space_check < size || now - space_checked > space_check_period) {
      const auto left = io.free_space(root);
      if (!left) return left.error();
      space_left = *left;
      space_checked = now;
      until_space_check = space_check_interval + size;
    }
    if (space_left < options.reserve_bytes || space_left - options.reserve_bytes < size) {
      until_space_check = 0;
      return error(errc::no_space, "queue a message in " + root + " (" + std::to_string(space_left) +
                                       " bytes free, reserve " + std::to_string(options.reserve_bytes) + ")");
    }
    until_space_check -= size;
    space_left -= size;
    return {};
  }

  /// A file with room: one named by the hint that nobody else writes to, or a new one.
  result<std::shared_ptr<append_file>> obtain(channel_appender& channel, time_point now) {
    auto known = read_append_hint(io, channel.directory);
    const std::size_t before = known.size();
    for (std::size_t i = known.size(); i-- > 0;) {
      auto again = append_file::reopen(io, channel.directory, known[i]);
      if (again && again->in_use) continue;
      if (!again && again.error().code != std::errc::no_such_file_or_directory &&
          again.error().code != errc::damaged)
        continue;  // this program's trouble, or one that passes: others may be able to use it
      if (!again || !again->file) {  // full, gone or damaged: of no use to anybody
        known.erase(known.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      if (known.size() != before) replace_append_hint(io, channel.directory, known);
      return again->file;
    }
    if (known.size() != before) replace_append_hint(io, channel.directory, known);
    const unsigned step = options.one_shot && known.size() > 2 ? 1 : channel.step.load();
    auto made = append_file::create(io, channel.directory, geometry_step(step), now);
    if (!made) return made.error();
    channel.step = std::min(step + 1, 2u);
    add_append_hint(io, channel.directory, (*made)->header().number);
    return *made;
  }

  void ask_for_next(const std::shared_ptr<channel_appender>& channel) {
    const std::scoped_lock guard(preparer_mutex);
    if (stopping) return;
    channel->preparing = true;
    to_prepare.push_back(channel);
    if (!preparer.joinable()) preparer = std::thread([this] { prepare_files(); });
    preparer_wakes.notify_one();
  }

  void prepare_files() {
    std::unique_lock guard(preparer_mutex);
    while (true) {
      preparer_wakes.wait(guard, [this] { return stopping || !to_prepare.empty(); });
      if (stopping) return;
      const auto channel = to_prepare.front();
      to_prepare.pop_front();
      guard.unlock();
      const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
      auto made = obtain(*channel, now);
      {
        const std::scoped_lock channel_guard(channel->mutex);
        if (made) channel->next = *made;  // else: the next commit makes one, and meets the error itself
        channel->preparing = false;
      }
      guard.lock();
    }
  }

  struct reservation {
    std::shared_ptr<append_file> file;
    append_file::place place;
  };

  /// Room for one record; `size_at(slot)` is its size there.
  template <class SizeAt>
  result<reservation> reserve(const std::shared_ptr<channel_appender>& channel, time_point now,
                              SizeAt size_at) {
    const std::scoped_lock guard(channel->mutex);
    if (!channel->exists) {
      if (const auto made = io.make_directory(channel->directory); !made) return made.error();
      channel->exists = true;
    }
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (!channel->current || channel->current->full() || channel->current->failed()) {
        channel->current = std::move(channel->next);
        channel->next.reset();
        if (!channel->current) {
          auto obtained = obtain(*channel, now);
          if (!obtained) return obtained.error();
          channel->current = *obtained;
        }
      }
      append_file& f = *channel->current;
      if (const auto place = f.reserve(size_at(f))) {
        if (!options.one_shot && !channel->next && !channel->preparing && f.nearly_full())
          ask_for_next(channel);
        return reservation{channel->current, *place};
      }
    }
    return error(std::make_error_code(std::errc::io_error),
                 "find room for a message in " + channel->directory);
  }
};

writer::writer(file_io& io, std::string queue_root, writer_options options)
    : impl_(std::make_unique<impl>(io, std::move(queue_root), options)) {}
writer::~writer() = default;

result<committed> writer::commit(const commit_request& request) {
  const envelope& env = *request.envelope;
  if (env.recipients.empty() || env.recipients.size() > max_recipients)
    return error(errc::out_of_range,
                 "queue a message with " + std::to_string(env.recipients.size()) + " recipients");
  const std::uint64_t content_length =
      request.content.spilled != nullptr ? request.content.length : request.content.memory.size();

  // All of the envelope but the id, whose place in the text is first and whose length depends on the slot.
  const std::string rest = format_envelope(env, {}).substr(std::string_view("id \n").size());
  const auto id_line = [](const message_id& id) { return "id " + to_string(id) + '\n'; };
  constexpr std::uint64_t longest_id_line = 3 + 13 + 1 + 10 + 1 + 10 + 1;
  if (rest.size() + longest_id_line > format::largest_envelope)  // nobody would read it
    return error(errc::out_of_range, "queue a message with an envelope of " + std::to_string(rest.size()) +
                                         " bytes (at most " + std::to_string(format::largest_envelope) + ")");
  if (const auto space = impl_->check_space(rest.size() + content_length + format::page); !space)
    return space.error();

  const auto channel = impl_->appender(request.channel);
  const std::uint64_t size_without_id = format::record_header_size + rest.size() + content_length;
  auto reserved = impl_->reserve(channel, request.now,
                                 [&](const append_file&) { return size_without_id + longest_id_line; });
  if (!reserved) return reserved.error();
  append_file& f = *reserved->file;

  committed done;
  done.id = {f.header().number, f.header().generation, reserved->place.slot};
  const std::string envelope_text = id_line(done.id) + rest;
  done.capacity = f.header().capacity;
  done.last_slot = done.id.slot + 1 == done.capacity;
  entry& e = done.entry;
  e.slot = done.id.slot;
  e.priority = request.priority;
  e.facts = request.content.facts;
  e.recipients = static_cast<std::uint16_t>(env.recipients.size());
  e.record_offset = reserved->place.offset;
  e.content_length = content_length;
  e.envelope_length = static_cast<std::uint32_t>(envelope_text.size());
  e.longest_line = request.content.longest_line;
  e.committed = request.now;
  e.not_before = request.not_before;
  e.moved_from = request.moved_from;
  e.host = std::string(request.host);

  const auto write_all = [&]() -> result<> {
    const auto content_check = check_of(request.content, done.id);
    if (!content_check) return content_check.error();
    const auto envelope_bytes = std::as_bytes(std::span(envelope_text));
    std::array<std::byte, format::record_header_size> head;
    format::encode(
        format::record_header{e.envelope_length, content_length,
                              format::check(envelope_bytes, format::seed(done.id)), *content_check},
        done.id, head);
    const std::array<std::span<const std::byte>, 3> record{
        head, envelope_bytes,
        request.content.spilled == nullptr ? std::as_bytes(std::span(request.content.memory))
                                           : std::span<const std::byte>{}};
    if (const auto written = f.write(e.record_offset, record); !written) return written.error();
    if (request.content.spilled != nullptr) {
      const std::uint64_t at = e.record_offset + head.size() + envelope_bytes.size();
      if (const auto copied = copy_spilled(f, at, request.content); !copied) return copied.error();
    }
    std::array<std::byte, format::entry_size> table_entry{};
    format::encode(e, done.id, std::span(table_entry).first<format::entry_constant_size>());
    if (request.initial_state != nullptr) done.phase = request.initial_state->phase;
    if (request.initial_state != nullptr)
      format::encode(*request.initial_state, 1, format::seed(done.id),
                     std::span(table_entry).subspan<format::entry_constant_size, format::state_size>());
    const std::span<const std::byte> piece = table_entry;
    return f.write(format::entry_offset(e.slot), std::span(&piece, 1));
  };
  result<> outcome = write_all();
  if (outcome) outcome = f.join_flush();
  if (!outcome) {
    f.withdraw(e.slot);
    return outcome.error();
  }
  return done;
}

}  // namespace mta::queue
