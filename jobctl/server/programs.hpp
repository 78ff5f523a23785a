// The programs that are connected, and what their frames mean to the controller (docs/protocol.md).
//
// Thread safety: none; the loop's thread. Lifetime: what `surroundings` refers to outlives it.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/server/channel_users.hpp"
#include "jobctl/server/connection.hpp"
#include "jobctl/server/server.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace jobctl {

class programs final : connection_owner {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    jobctl::controller& controller;
    server_counters& counters;
    channel_users& users;
    /// Number of a channel that is configured or has a directory.
    std::function<std::optional<channel_no>(std::string_view)> find_channel;
    /// Which of our jobs says so in its HELLO? job_no 0: none of them (an earlier controller's, or started by
    /// hand).
    std::function<job_no(std::uint64_t wire_job)> job_connected;
    /// A program that an earlier controller launched has come over to us.
    std::function<void(pid_t, channel_no)> survivor_connected;
    /// An enqueuer named this file; `look`: it asks us to read it.
    std::function<void(channel_no, file_key, bool look)> file_named;
    /// States of messages of that file were changed by a program.
    std::function<void(channel_no, file_key)> file_changed;
    /// Controller calls were made: carry out what follows.
    std::function<void()> after_events;
    /// Told to stop, and still connected after the time that programs are given to finish.
    std::function<void(const worker_info&, bool survivor)> overdue;
    /// For the event log.
    std::function<void(event_kind, channel_no, std::string)> happened;
  };

  explicit programs(surroundings);
  ~programs();

  void accepted(connection::socket, const mta::wire::peer&);

  // Actions.
  void lease(const action::lease&);
  void stop_worker(worker_no, std::string_view why, std::chrono::milliseconds patience);
  /// Sends everything that frames or actions have produced. Once a turn.
  void flush();

  /// From now on no channel program is taken in.
  void refuse_all() { refusing_ = true; }
  /// Closes every connection without telling the controller.
  void close_all();

  std::vector<worker_info> workers() const;
  std::size_t worker_count() const;
  /// Was it launched by an earlier controller?
  bool survivor(worker_no) const;

 private:
  struct session;

  void on_frame(connection&, const mta::wire::frame&) override;
  void on_turn_end() override;
  void on_output(connection&) override;
  void on_lost(connection&, std::string_view why) override;

  session* find(const connection&);
  void on_hello(session&, const mta::wire::frame&);
  void on_queued(session&, const mta::wire::frame&);
  void on_results(session&, const mta::wire::frame&);
  /// A frame that only channel programs send.
  void on_worker_frame(session&, const mta::wire::frame&);
  void refuse(session&, int code, std::string_view why);
  void violation(session&, std::string_view what);
  void end(session&);

  struct impl;
  surroundings around_;
  std::unique_ptr<impl> impl_;
  bool refusing_ = false;
};

}  // namespace jobctl
