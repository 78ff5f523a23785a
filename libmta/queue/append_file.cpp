#include "queue/append_file.hpp"

#include "queue/format.hpp"

#include <algorithm>
#include <array>

namespace mta::queue {
namespace {

constexpr std::size_t zero_block = 1 << 20;

result<> fill_with_zeros(file& f, std::uint64_t from, std::uint64_t to) {
  const std::vector<std::byte> zeros(
      static_cast<std::size_t>(std::min<std::uint64_t>(zero_block, to - from)));
  while (from < to) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), to - from));
    if (const auto written = f.write(from, std::span(zeros).first(now)); !written) return written.error();
    from += now;
  }
  return {};
}

}  // namespace

file_geometry geometry_step(unsigned step) {
  switch (step) {
    case 0: return {64, 512u << 10};
    case 1: return {512, 4u << 20};
    default: return {4096, 24u << 20};
  }
}

append_file::append_file(std::string path, std::unique_ptr<file> f, const file_header& h)
    : path_(std::move(path)), file_(std::move(f)), header_(h), tail_(h.data_start) {}

result<std::shared_ptr<append_file>> append_file::create(file_io& io, const std::string& directory,
                                                         const file_geometry& geometry, time_point now) {
  file_header header;
  header.number = new_file_number();
  header.generation = 1;
  header.capacity = geometry.capacity;
  header.data_start = format::data_start_for(geometry.capacity);
  header.data_limit = header.data_start + geometry.data_bytes;
  header.created = now;

  const std::string path = directory + '/' + to_string(header.number) + ".msgs";
  const std::string temporary = directory + "/." + to_string(header.number) + ".new";
  auto made = io.open(temporary, open_mode::create_new);
  if (!made) return made.error();
  std::unique_ptr<file> f = std::move(*made);

  const auto prepare = [&]() -> result<> {
    const auto locked = f->try_lock(format::writer_lock, 1);
    if (!locked) return locked.error();
    if (!*locked) return error(errc::busy, "lock " + temporary);
    std::array<std::byte, format::page> page{};
    format::encode(header, std::span(page).first<format::header_size>());
    if (const auto written = f->write(0, std::span<const std::byte>(page)); !written) return written.error();
    if (const auto filled = fill_with_zeros(*f, format::page, header.data_limit); !filled)
      return filled.error();
    if (const auto flushed = f->flush(); !flushed) return flushed.error();
    // The channel's directory may be new, too. Flushed before the file appears, so that whoever finds a
    // message file can append to it without flushing anything but the file.
    const std::string parent = directory.substr(0, directory.rfind('/'));
    if (const auto flushed = io.flush_directory(parent); !flushed) return flushed.error();
    if (const auto renamed = io.rename(temporary, path); !renamed) return renamed.error();
    return io.flush_directory(directory);
  };
  if (const auto prepared = prepare(); !prepared) {
    (void)io.remove(temporary);  // if it was renamed already, an empty message file stays: harmless
    return prepared.error();
  }
  return std::shared_ptr<append_file>(new append_file(path, std::move(f), header));
}

result<append_file::reopened> append_file::reopen(file_io& io, const std::string& directory,
                                                  file_number number) {
  const std::string path = directory + '/' + to_string(number) + ".msgs";
  auto opened = io.open(path, open_mode::read_write);
  if (!opened) return opened.error();
  const auto locked = (*opened)->try_lock(format::writer_lock, 1);
  if (!locked) return locked.error();
  if (!*locked) return reopened{nullptr, true};
  // Before we had the lock the file may have been removed (store::recycle); what is written to it then is
  // lost.
  if (const auto still_there = io.open(path, open_mode::read_write); !still_there) return still_there.error();

  // Read the header and the table under the lock: the file may have been reset a moment ago.
  std::array<std::byte, format::page> page;
  const auto head = (*opened)->read(0, page);
  if (!head) return head.error();
  const auto found = format::decode_header_page(std::span(page).first(*head));
  if (!found || found->header.number != number) return error(errc::damaged, "header of " + path);
  std::shared_ptr<append_file> again(new append_file(path, std::move(*opened), found->header));

  std::vector<std::byte> table(std::size_t{found->header.capacity} * format::entry_size);
  const auto read = again->file_->read(format::table_start, table);
  if (!read) return read.error();
  for (std::uint32_t slot = 0; slot < found->header.capacity; ++slot) {
    const auto raw =
        std::span<const std::byte>(table).subspan(slot * format::entry_size).first<format::entry_size>();
    format::state_copies copies;
    const auto content = format::decode_entry(raw, {number, found->header.generation, slot}, copies);
    if (content.what == slot_content::kind::damaged) return reopened{};
    if (content.what == slot_content::kind::empty) continue;
    const entry& e = content.message.entry;
    again->next_slot_ = slot + 1;
    again->tail_ = std::max(again->tail_, format::align(e.record_offset + format::record_header_size +
                                                            e.envelope_length + e.content_length,
                                                        format::record_alignment));
  }
  if (again->full()) return reopened{};
  if (again->next_slot_ == 0) {
    // A reset whose flush failed may have left this header where it can be read, but will never reach the
    // disk. Written again, it is covered by the flush of the first message.
    std::array<std::byte, format::header_size> raw;
    format::encode(found->header, raw);
    if (const auto written =
            again->file_->write(found->copy * format::header_copy_distance, std::span<const std::byte>(raw));
        !written)
      return written.error();
  }
  return reopened{std::move(again), false};
}

std::optional<append_file::place> append_file::reserve(std::uint64_t size) {
  if (full() || failed()) return {};
  const place p{next_slot_++, tail_};
  tail_ = format::align(tail_ + size, format::record_alignment);
  return p;
}

bool append_file::nearly_full() const noexcept {
  return next_slot_ > header_.capacity / 2 ||
         tail_ - header_.data_start > (header_.data_limit - header_.data_start) / 2;
}

result<> append_file::write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces) {
  auto written = file_->write(offset, pieces);
  if (!written) failed_.store(true, std::memory_order_release);
  return written;
}

result<> append_file::join_flush() {
  std::shared_ptr<batch> mine;
  bool leader = false;
  {
    const std::scoped_lock guard(mutex_);
    if (!open_) {
      open_ = std::make_shared<batch>();
      leader = true;
    }
    mine = open_;
  }
  if (!leader) {
    std::uint32_t state = mine->state.load(std::memory_order_acquire);
    while (state == 0) {
      mine->state.wait(0, std::memory_order_acquire);
      state = mine->state.load(std::memory_order_acquire);
    }
    if (state == 2) return mine->failure;
    return {};
  }

  // The first of a batch flushes for all of it, as soon as the flush before has ended; until then others
  // join.
  std::uint32_t idle = 0;
  while (!flushing_.compare_exchange_weak(idle, 1, std::memory_order_acquire)) {
    if (idle != 0) flushing_.wait(idle, std::memory_order_relaxed);
    idle = 0;
  }
  {
    const std::scoped_lock guard(mutex_);
    open_.reset();
  }
  result<> flushed = failed() ? result<>(error(std::make_error_code(std::errc::io_error), "flush " + path_))
                              : file_->flush();
  if (!flushed) {
    failed_.store(true, std::memory_order_release);
    mine->failure = flushed.error();
  }
  flushing_.store(0, std::memory_order_release);
  flushing_.notify_one();
  mine->state.store(flushed ? 1 : 2, std::memory_order_release);
  mine->state.notify_all();
  return flushed;
}

void append_file::withdraw(std::uint32_t slot) noexcept {
  const std::array<std::byte, format::entry_size> nothing{};
  // Flushed, or a power failure may bring back what was written of it: perhaps all.
  if (file_->write(format::entry_offset(slot), std::span<const std::byte>(nothing))) (void)file_->flush();
}

}  // namespace mta::queue
