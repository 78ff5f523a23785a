#include "queue/store.hpp"

#include "queue/append_hint.hpp"
#include "queue/format.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace mta::queue {
namespace {

constexpr std::string_view suffix = ".msgs", unfinished = ".new";
constexpr auto leftover_age = std::chrono::hours(1);
constexpr std::uint64_t largest_spare_slack = 8u << 20;  // a file this much beyond its data limit is not kept
// What is moved is read into memory; and a file with so much in it is not mostly empty.
constexpr std::uint64_t largest_moved = 16u << 20;
constexpr std::size_t copy_block = 256 * 1024;

/// The record of a slot whose entry is damaged: it lies between those of its neighbours.
std::optional<entry> find_record(message_file& f, std::uint32_t slot) {
  std::uint64_t from = f.header().data_start, to = f.header().data_limit;
  const auto read = f.read_entries(0, f.header().capacity, [&](std::uint32_t s, const slot_content& content) {
    if (content.what != slot_content::kind::message || content.message.entry.record_offset == 0) return;
    const entry& e = content.message.entry;
    const std::uint64_t end =
        e.record_offset + format::record_header_size + e.envelope_length + e.content_length;
    if (s < slot) from = std::max(from, format::align(end, format::record_alignment));
    if (s > slot) to = std::min(to, e.record_offset);
  });
  if (!read) return {};
  std::vector<std::byte> block(copy_block);
  for (std::uint64_t at = from; at < to; at += block.size()) {
    const auto got = f.raw().read(at, block);
    if (!got) return {};
    for (std::uint64_t i = 0; i + format::record_header_size <= *got && at + i < to;
         i += format::record_alignment) {
      const auto raw = std::span<const std::byte>(block).subspan(i).first<format::record_header_size>();
      if (const auto header = format::decode_record_header(raw, f.id(slot))) {
        entry e;
        e.slot = slot;
        e.record_offset = at + i;
        e.envelope_length = header->envelope_length;
        e.content_length = header->content_length;
        return e;
      }
    }
    if (*got < block.size()) break;
  }
  return {};
}

}  // namespace

store::store(file_io& io, std::string queue_root) : io_(io), root_(std::move(queue_root)) {}

std::string store::channel_directory(std::string_view channel) const {
  return root_ + '/' + std::string(channel);
}

std::string store::path(std::string_view channel, file_number number) const {
  return channel_directory(channel) + '/' + to_string(number) + std::string(suffix);
}

result<> store::make_channel(std::string_view channel) {
  if (const auto made = io_.make_directory(root_); !made) return made.error();
  if (const auto made = io_.make_directory(channel_directory(channel)); !made) return made.error();
  return io_.flush_directory(root_);
}

result<std::vector<std::string>> store::channels() {
  auto names = io_.list(root_);
  if (!names) return names.error();
  std::erase_if(*names, [](const std::string& name) { return name.starts_with('.'); });
  std::ranges::sort(*names);
  return names;
}

result<std::vector<file_number>> store::files(std::string_view channel) {
  const auto names = io_.list(channel_directory(channel));
  if (!names) return names.error();
  std::vector<file_number> numbers;
  for (const std::string& name : *names)
    if (name.ends_with(suffix))
      if (const auto number =
              parse_file_number(std::string_view(name).substr(0, name.size() - suffix.size())))
        numbers.push_back(*number);
  std::ranges::sort(numbers);
  return numbers;
}

result<std::shared_ptr<message_file>> store::open(std::string_view channel, file_number number) {
  auto opened = message_file::open(io_, path(channel, number));
  if (opened && (*opened)->header().number != number)
    return error(errc::damaged, "header of " + (*opened)->path() + " (it names another file)");
  return opened;
}

result<store::found> store::scan(message_file& f, std::string_view channel, std::uint32_t first) {
  found all;
  all.capacity = f.header().capacity;
  std::vector<listed_message> copies;  // of moves that may not have been finished
  const auto read = f.read_entries(first, all.capacity, [&](std::uint32_t slot, const slot_content& content) {
    if (content.what == slot_content::kind::empty) return;
    all.used = slot + 1;
    if (content.what == slot_content::kind::damaged) {
      all.damaged.push_back(slot);
    } else if (content.message.state.live()) {
      auto& list = content.message.entry.moved_from.file != file_number::none ? copies : all.messages;
      list.push_back(content.message);
    }
  });
  if (!read) return read.error();

  // While somebody appends, what looks torn may just be half written.
  if (!all.damaged.empty()) {
    const auto idle = f.raw().is_unlocked(format::writer_lock, 1);
    if (!idle) return idle.error();
    if (!*idle) all.damaged.clear();
  }
  for (listed_message& copy : copies) {
    const auto valid = move_was_finished(channel, copy.entry.moved_from);
    if (!valid) return valid.error();
    if (*valid) {
      all.messages.push_back(std::move(copy));
      continue;
    }
    // The old record still counts: this copy never did.
    const auto locked = f.try_lock(copy.entry.slot);
    if (!locked) return locked.error();
    if (!*locked) continue;
    copy.state.phase = phase::finished;
    const auto changed = f.change_state(copy.entry.slot, copy.state);
    (void)f.unlock(copy.entry.slot);
    if (!changed) return changed.error();
  }
  std::ranges::sort(all.messages, {}, [](const listed_message& m) { return m.entry.slot; });
  return all;
}

result<bool> store::move_was_finished(std::string_view channel, const message_id& from) {
  const auto old = open(channel, from.file);
  if (!old) {
    if (old.error().code == std::errc::no_such_file_or_directory) return true;
    return old.error();
  }
  if ((*old)->header().generation != from.generation) return true;
  const auto message = (*old)->read_entry(from.slot);
  if (!message) {
    if (message.error().code == errc::damaged || message.error().code == errc::gone) return true;
    return message.error();
  }
  return message->state.phase == phase::moved;
}

result<> store::set_aside(message_file& f, std::string_view channel, std::uint32_t slot, reason why,
                          std::string_view text) {
  const std::string directory = channel_directory(channel) + "/.bad";
  const std::string name = directory + '/' + to_string(f.id(slot));
  if (const auto made = io_.make_directory(directory); !made) return made.error();

  // The entry as it is, then the record if the entry says where it is.
  std::vector<std::byte> raw(format::entry_size);
  if (const auto read = f.raw().read(format::entry_offset(slot), raw); !read) return read.error();
  const auto message = f.read_entry(slot);
  std::optional<entry> place;
  if (message)
    place = message->entry;
  else
    place = find_record(f, slot);
  (void)io_.remove(name + ".raw");
  (void)io_.remove(name + ".txt");
  auto copy = io_.open(name + ".raw", open_mode::create_new);
  if (!copy) return copy.error();
  if (const auto written = (*copy)->write(0, std::span<const std::byte>(raw)); !written)
    return written.error();
  if (place) {
    const entry& e = *place;
    const std::uint64_t end =
        e.record_offset + format::record_header_size + e.envelope_length + e.content_length;
    std::vector<std::byte> block(copy_block);
    for (std::uint64_t at = e.record_offset; at < end;) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - at));
      const auto read = f.raw().read(at, std::span(block).first(wanted));
      if (!read || *read == 0) break;  // what can be saved has been
      const auto piece = std::span<const std::byte>(block).first(*read);
      if (const auto written = (*copy)->write(raw.size() + at - e.record_offset, piece); !written)
        return written.error();
      at += *read;
    }
  }
  if (const auto flushed = (*copy)->flush(); !flushed) return flushed.error();
  auto note = io_.open(name + ".txt", open_mode::create_new);
  if (!note) return note.error();
  const std::string line = to_string(f.id(slot)) + " of " + f.path() + ": " + std::string(text) + '\n';
  if (const auto written = (*note)->write(0, std::as_bytes(std::span(line))); !written)
    return written.error();
  if (const auto flushed = (*note)->flush(); !flushed) return flushed.error();
  if (const auto flushed = io_.flush_directory(directory); !flushed) return flushed.error();

  if (!message) return f.erase_damaged_entry(slot);
  message_state state = message->state;
  state.phase = phase::bad;
  state.why = why;
  if (const auto changed = f.change_state(slot, state); !changed) return changed.error();
  return f.flush();
}

result<store::recycled> store::recycle(std::string_view channel, file_number number, std::uint32_t generation,
                                       std::size_t keep) {
  const auto busy = [&](const char* why) {
    return error(errc::busy, "reset " + path(channel, number) + " (" + why + ")");
  };
  const auto opened = open(channel, number);
  if (!opened) return opened.error();
  message_file& f = **opened;
  if (f.header().generation != generation) return error(errc::gone, "reset " + f.path());

  const auto locked = f.raw().try_lock(format::writer_lock, 1);
  if (!locked) return locked.error();
  if (!*locked) return busy("a writer has it");
  const auto no_holder = f.nobody_holds_any();
  if (!no_holder) return no_holder.error();
  if (!*no_holder) return busy("a channel program has a message of it in hand");
  bool live = false, damaged = false;
  std::uint64_t end = f.header().data_start;
  const auto read = f.read_entries(0, f.header().capacity, [&](std::uint32_t, const slot_content& content) {
    damaged = damaged || content.what == slot_content::kind::damaged;
    if (content.what != slot_content::kind::message) return;
    live = live || content.message.state.live();
    const entry& e = content.message.entry;
    end = std::max(end, e.record_offset + format::record_header_size + e.envelope_length + e.content_length);
  });
  if (!read) return read.error();
  if (live) return busy("a message is not finished");
  if (damaged) return busy("it holds damaged entries that were not set aside");

  const std::string history = f.path().substr(0, f.path().size() - suffix.size()) + ".history";
  auto spares = read_append_hint(io_, channel_directory(channel));
  std::erase(spares, number);
  if (spares.size() >= std::min(keep, most_append_hints) ||
      end > f.header().data_limit + largest_spare_slack) {
    // After a power failure the file may be back: with its messages finished.
    if (const auto flushed = f.flush(); !flushed) return flushed.error();
    if (const auto removed = io_.remove(f.path()); !removed) return removed.error();
    (void)io_.remove(history);
    return recycled::removed;
  }
  if (const auto reset = f.reset(); !reset) return reset.error();
  (void)io_.remove(history);
  add_append_hint(io_, channel_directory(channel), number);
  return recycled::reset;
}

void store::offer_empty(std::string_view channel, file_number number) {
  const std::string directory = channel_directory(channel);
  const auto known = read_append_hint(io_, directory);
  if (known.size() < most_append_hints && std::ranges::find(known, number) == known.end())
    add_append_hint(io_, directory, number);
}

result<> store::remove_leftovers(std::string_view channel) {
  const auto names = io_.list(channel_directory(channel));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.starts_with('.') || !name.ends_with(unfinished)) continue;
    const auto number =
        parse_file_number(std::string_view(name).substr(1, name.size() - 1 - unfinished.size()));
    if (!number || std::chrono::system_clock::now() - made_at(*number) < leftover_age) continue;
    const std::string whole = channel_directory(channel) + '/' + name;
    auto opened = io_.open(whole, open_mode::read_write);
    if (!opened) continue;  // finished or removed meanwhile
    const auto locked = (*opened)->try_lock(format::writer_lock, 1);
    if (!locked) return locked.error();
    if (!*locked) continue;  // it is still being made
    if (const auto removed = io_.remove(whole); !removed) return removed.error();
  }
  return {};
}

result<committed> store::move(message_file& f, std::string_view channel, std::uint32_t slot, writer& to) {
  const auto locked = f.try_lock(slot);
  if (!locked) return locked.error();
  if (!*locked) return error(errc::busy, "move message " + to_string(f.id(slot)));
  struct unlock_at_end {
    message_file& file;
    std::uint32_t number;
    ~unlock_at_end() { (void)file.unlock(number); }
  } unlocker{f, slot};

  const auto message = f.read_entry(slot);
  if (!message) return message.error();
  if (!message->state.live()) return error(errc::gone, "move message " + to_string(f.id(slot)));
  if (message->entry.content_length > largest_moved)
    return error(errc::busy, "move message " + to_string(f.id(slot)) + " (too large)");
  const auto env = f.read_envelope(message->entry);
  if (!env) return env.error();
  const auto content = f.read_content(message->entry);
  if (!content) return content.error();

  commit_request request;
  request.channel = channel;
  request.envelope = &*env;
  request.host = message->entry.host;
  request.priority = message->entry.priority;
  request.now = message->entry.committed;
  request.not_before = message->entry.not_before;
  request.content.memory = *content;
  request.content.facts = message->entry.facts;
  request.content.longest_line = message->entry.longest_line;
  request.moved_from = f.id(slot);
  request.initial_state = &message->state;
  auto copy = to.commit(request);
  if (!copy) return copy.error();

  message_state state = message->state;
  state.phase = phase::moved;
  auto switched = f.change_state(slot, state);
  // Before anybody processes the copy: or the old record would be back after a power failure.
  if (switched) switched = f.flush();
  if (!switched) {
    // The old one is processed, and its file recycled: then nothing tells any more that the copy is void.
    if (const auto still = f.read_entry(slot); still && still->state.live()) void_copy(channel, copy->id);
    return switched.error();
  }
  if (const auto history = f.read_history(slot))
    for (const std::string& line : *history) copy_history(channel, copy->id, line);
  return copy;
}

void store::void_copy(std::string_view channel, const message_id& copy) {
  const auto target = open(channel, copy.file);
  if (!target) return;
  const auto locked = (*target)->try_lock(copy.slot);
  if (!locked || !*locked) return;
  if (auto message = (*target)->read_entry(copy.slot)) {
    message->state.phase = phase::finished;
    if ((*target)->change_state(copy.slot, message->state)) (void)(*target)->flush();
  }
  (void)(*target)->unlock(copy.slot);
}

void store::copy_history(std::string_view channel, const message_id& to, std::string_view line) {
  const auto target = open(channel, to.file);
  if (!target) return;
  // Past {"generation":G,"slot":S, which the new place writes itself.
  const auto comma = line.find(',', line.find(',') + 1);
  if (comma == std::string_view::npos) return;
  (*target)->note_history(to.slot, '{' + std::string(line.substr(comma + 1)));
}

}  // namespace mta::queue
