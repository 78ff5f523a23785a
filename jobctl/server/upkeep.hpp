// Work on message files that the controller orders: writing states that operators chose, flushing what
// programs changed, recycling finished files, moving survivors out of mostly finished ones, setting damaged
// messages aside.
//
// The files are worked on by the pool, work on one file in order; its outcome comes back to the loop's
// thread.
//
// Thread safety: the loop's thread, except where said otherwise. Lifetime: what `surroundings` refers to
// outlives it, and the pool is stopped before it is destroyed.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/server/order_note.hpp"
#include "jobctl/server/server.hpp"
#include "jobctl/server/work_pool.hpp"
#include "queue/store.hpp"

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>

namespace jobctl {

class upkeep {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    work_pool& pool;
    mta::queue::store& store;
    mta::queue::file_io& files;
    jobctl::controller& controller;
    server_counters& counters;
    std::function<std::size_t()> spare_files;              ///< to be kept per channel
    std::function<std::uint64_t()> reserve;                ///< free bytes to be left when messages are moved
    std::function<void(channel_no, file_key)> file_reset;  ///< the key that it has now
    std::function<void(channel_no, file_key)> file_removed;  ///< the key that it had
    std::function<void(channel_no, file_key)> file_named;    ///< messages were moved to this file
    std::function<bool()> index_complete;                    ///< has every file been read once?
    std::function<void()> after_events;
    /// As an operator ordered; may be empty, as may the next one.
    std::function<void(const message_id&)> state_written{};
    /// Not yet: a program has it locked.
    std::function<void(const action::write_state&, const order_note&)> state_delayed{};
  };

  explicit upkeep(surroundings);
  ~upkeep();

  void carry_out(const action::recycle&);
  void carry_out(const action::compact&);
  void carry_out(const action::write_state&);
  void carry_out(const action::set_aside&);
  /// What the history says when the next state is written that an operator ordered of this message.
  void note(const message_id&, std::shared_ptr<const order_note>);
  /// `done` is called on the loop's thread when every state that was to be written by now has been, or could
  /// not be; those of messages that somebody has in hand wait longer.
  void when_written(std::function<void()> done);
  /// States that could not be written, since the start.
  std::uint64_t failed_writes() const;
  void set_aside(channel_no, const message_id&, mta::queue::reason, std::string why);

  /// A program changed states in this file: it will be flushed within about a second.
  void changed(channel_no, const file_key&);
  /// Flushes everything that was changed, on the pool; `done` is called on the loop's thread.
  void flush_all(std::function<void()> done);

  /// To be held shared while a file is scanned. A message is moved with it held exclusively, because a scan
  /// that sees the copy before the original is marked `moved` would take the copy for void.
  std::shared_mutex& moves();

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace jobctl
