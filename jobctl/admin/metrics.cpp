#include "jobctl/admin/metrics.hpp"

#include "jobctl/admin/message_report.hpp"
#include "jobctl/version.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

namespace jobctl::admin {
namespace {

// Everything that is said of one channel.
struct channel_row {
  std::string name;
  channel_figures now;
  channel_totals totals;
};

class exposition {
 public:
  using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  template <class Number>
  void sample(labels all, Number value) {
    text_ += name_;
    char before = '{';
    for (const auto& [label, content] : all) {
      text_ += std::exchange(before, ',');
      text_ += label;
      text_ += "=\"";
      append_escaped(content);
      text_ += '"';
    }
    if (before == ',') text_ += '}';
    fmt::format_to(std::back_inserter(text_), " {}\n", value);
  }
  std::string take() { return std::move(text_); }

 private:
  void append_escaped(std::string_view s) {
    for (const char c : s) {
      if (c == '\\' || c == '"') text_ += '\\';
      if (c == '\n')
        text_ += "\\n";
      else
        text_ += c;
    }
  }

  std::string text_;
  std::string_view name_;
};

void add(channel_row& to, const channel_row& other) {
  to.now.ready += other.now.ready;
  to.now.in_hand += other.now.in_hand;
  to.now.deferred += other.now.deferred;
  to.now.held += other.now.held;
  to.now.bytes += other.now.bytes;
  to.now.workers += other.now.workers;
  to.now.jobs += other.now.jobs;
  to.now.full = to.now.full || other.now.full;
  to.now.stressed = to.now.stressed || other.now.stressed;
  to.now.dead_destinations += other.now.dead_destinations;
  if (other.now.oldest != time_point{} && (to.now.oldest == time_point{} || other.now.oldest < to.now.oldest))
    to.now.oldest = other.now.oldest;
  to.totals.enqueued += other.totals.enqueued;
  to.totals.left += other.totals.left;
  to.totals.finished += other.totals.finished;
  to.totals.returned += other.totals.returned;
  to.totals.bad += other.totals.bad;
  to.totals.failed_attempts += other.totals.failed_attempts;
  to.totals.warned += other.totals.warned;
}

std::vector<channel_row> channel_rows(const controller& state) {
  std::vector<channel_row> rows;
  for (const channel_no c : state.channels())
    rows.push_back({state.channel_name(c), state.figures(c), state.totals(c)});
  std::ranges::sort(rows, {}, &channel_row::name);
  if (rows.size() <= labelled_channels) return rows;
  channel_row other;
  other.name = "other";
  for (std::size_t i = labelled_channels; i < rows.size(); ++i) add(other, rows[i]);
  rows.resize(labelled_channels);
  rows.push_back(std::move(other));
  return rows;
}

double seconds_since(time_point t, time_point now) {
  return t == time_point{} ? 0 : std::max(0.0, std::chrono::duration<double>(now - t).count());
}

void add_channels(exposition& out, const std::vector<channel_row>& rows, time_point now) {
  out.family("jobctl_messages", "gauge", "Messages in the queue, by channel and state.");
  for (const channel_row& r : rows) {
    out.sample({{"channel", r.name}, {"state", "ready"}}, r.now.ready);
    out.sample({{"channel", r.name}, {"state", "in-hand"}}, r.now.in_hand);
    out.sample({{"channel", r.name}, {"state", "deferred"}}, r.now.deferred);
    out.sample({{"channel", r.name}, {"state", "held"}}, r.now.held);
  }
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out.family(name, type, help);
    for (const channel_row& r : rows) out.sample({{"channel", r.name}}, value(r));
  };
  each("jobctl_queue_bytes", "gauge", "Content of the messages in the queue.",
       [](const channel_row& r) { return r.now.bytes; });
  each("jobctl_oldest_ready_seconds", "gauge", "Age of the oldest message that waits for a program; 0: none.",
       [now](const channel_row& r) { return seconds_since(r.now.oldest, now); });
  each("jobctl_jobs", "gauge", "Processes launched and not ended.",
       [](const channel_row& r) { return r.now.jobs; });
  each("jobctl_programs", "gauge", "Channel programs connected.",
       [](const channel_row& r) { return r.now.workers; });
  each("jobctl_channel_stopped", "gauge", "1 for a channel that is stopped.",
       [](const channel_row& r) { return r.now.stopped ? 1 : 0; });
  each("jobctl_dead_destinations", "gauge",
       "Destination hosts that count as dead: one message is tried at a time, the others wait.",
       [](const channel_row& r) { return r.now.dead_destinations; });
  each("jobctl_channel_full", "gauge", "1 for a channel that holds its backlog_limit: enqueuers are refused.",
       [](const channel_row& r) { return r.now.full ? 1 : 0; });
  each("jobctl_channel_stressed", "gauge", "1 for a channel whose program has reported an overloaded target.",
       [](const channel_row& r) { return r.now.stressed ? 1 : 0; });
  each("jobctl_enqueued_total", "counter", "Messages that came into the channel.",
       [](const channel_row& r) { return r.totals.enqueued; });
  each("jobctl_left_total", "counter", "Messages that left the channel, for whatever reason.",
       [](const channel_row& r) { return r.totals.left; });
  each("jobctl_finished_total", "counter", "Messages all of whose recipients are done with.",
       [](const channel_row& r) { return r.totals.finished; });
  each("jobctl_returned_total", "counter", "Messages returned because they had waited too long.",
       [](const channel_row& r) { return r.totals.returned; });
  each("jobctl_bad_total", "counter", "Messages set aside because they were damaged.",
       [](const channel_row& r) { return r.totals.bad; });
  each("jobctl_failed_attempts_total", "counter", "Attempts after which a message was deferred.",
       [](const channel_row& r) { return r.totals.failed_attempts; });
  each("jobctl_warned_total", "counter", "Notices to senders about delays.",
       [](const channel_row& r) { return r.totals.warned; });
}

void add_destinations(exposition& out, const controller& state) {
  const destination_counts found = state.largest_destinations(labelled_destinations);
  out.family("jobctl_destinations", "gauge", "Destination hosts, of all channels, for which messages wait.");
  out.sample({}, found.count);
  out.family("jobctl_destination_messages", "gauge",
             "Messages in the queue for the destinations with the most; the rest is host \"other\".");
  for (const destination_count& d : found.largest)
    out.sample({{"channel", state.channel_name(d.channel)}, {"host", d.host}}, d.messages);
  out.sample({{"channel", ""}, {"host", "other"}}, found.others);
}

void add_controller(exposition& out, backend& b) {
  const server_counters n = b.counters();
  const scan_progress p = b.progress();
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out.family(name, type, help);
    out.sample({}, value);
  };
  out.family("jobctl_build_info", "gauge", "1, with the version of the controller.");
  out.sample({{"version", version}}, 1);
  one("jobctl_start_time_seconds", "gauge", "When this controller started, in seconds since 1970.",
      std::chrono::duration<double>(b.started().time_since_epoch()).count());
  one("jobctl_index_complete", "gauge", "1 when the whole queue has been read since the start.",
      p.complete ? 1 : 0);
  const auto full = b.state().full_backlogs();
  one("jobctl_queue_full", "gauge", "1 when the whole queue holds its backlog_limit: enqueuers are refused.",
      !full.empty() && full.front().channel == no_channel ? 1 : 0);
  one("jobctl_stopped_hosts", "gauge", "Hosts that an operator has stopped, in one channel or in all.",
      std::ranges::count_if(b.state().stops(), [](const standing_stop& s) { return !s.host.empty(); }));
  one("jobctl_index_bytes", "gauge", "Memory of the index.", b.state().memory());
  one("jobctl_queue_files", "gauge", "Message files.", p.files);
  one("jobctl_damaged_total", "counter", "Entries and files found damaged since the start.", p.damaged);
  one("jobctl_launches_total", "counter", "Programs launched since the start.", n.launches);
  one("jobctl_launch_failures_total", "counter", "Programs that could not be launched, since the start.",
      n.launch_failures);
  one("jobctl_unclean_exits_total", "counter", "Programs that ended with an error, since the start.",
      n.unclean_exits);
  one("jobctl_connections_total", "counter", "Connections of programs since the start.", n.connections);
  one("jobctl_protocol_errors_total", "counter", "Connections that broke the protocol, since the start.",
      n.protocol_errors);
  one("jobctl_io_errors_total", "counter", "I/O errors of scans and maintenance since the start.",
      n.io_errors);
  one("jobctl_events_total", "counter", "Events recorded since the start.", b.events().next() - 1);
}

}  // namespace

std::string metrics_text(backend& b) {
  exposition out;
  add_channels(out, channel_rows(b.state()), b.now());
  add_destinations(out, b.state());
  add_controller(out, b);
  return out.take();
}

health health_of(backend& b) {
  const bool complete = b.progress().complete;
  time_point oldest{};
  for (const channel_no c : b.state().channels()) {
    const time_point t = b.state().figures(c).oldest;
    if (t != time_point{} && (oldest == time_point{} || t < oldest)) oldest = t;
  }
  health h;
  h.ready = complete && !b.stopping();
  h.body = {{"ready", h.ready},
            {"state", b.stopping() ? "stopping"
                      : complete   ? "running"
                                   : "starting"},
            {"messages", b.state().message_count()},
            {"oldest_ready", json_time(oldest)},
            {"oldest_ready_seconds", seconds_since(oldest, b.now())}};
  return h;
}

}  // namespace jobctl::admin
