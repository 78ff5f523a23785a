// jobctl top: the controller at work, full screen, or as JSON lines.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/figures.hpp"
#include "jobctl/cli/screen.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;
using std::chrono::milliseconds;

constexpr milliseconds shortest_interval{100}, longest_interval{3'600'000};

void describe(po::options_description& options) {
  options.add_options()  //
      ("watch", po::value<std::string>()->value_name("TIME"),
       "time between two looks (default 1s; 100ms to 1h); with --json: go on, a line each time")  //
      ("count", po::value<std::size_t>()->value_name("N"), "end after so many looks")             //
      ("json", po::bool_switch(), "print the figures as one JSON object, instead of the screen");
}

// --- the screen
// ---------------------------------------------------------------------------------------------------------

enum class view { channels, destinations, jobs, messages };

/// A cell, and what it is sorted by.
struct cell {
  std::string text;
  double number = 0;
};

struct grid {
  std::vector<column> columns;
  std::vector<std::vector<cell>> rows;
  std::vector<std::pair<std::string, std::string>> targets;  ///< by row: channel, host
};

std::string rate_text(double r) {
  return r == 0 ? "-" : r < 10 ? fmt::format("{:.1f}", r) : fmt::format("{:.0f}", r);
}

cell number(std::uint64_t n) { return {n ? std::to_string(n) : "-", static_cast<double>(n)}; }
cell rate(double r) { return {rate_text(r), r}; }
cell age(const std::string& since, time_point now) {
  const auto t = parse_time(since, now);
  if (since.empty() || !t) return {"-", -1};
  return {human_duration(now - *t), static_cast<double>((now - *t).count())};
}

std::string remarks(const channel_sample& c) {
  std::string text;
  const auto add = [&](const std::string& remark) { text += (text.empty() ? "" : ", ") + remark; };
  if (c.stopped) add("stopped");
  if (c.full) add("full");
  if (c.stressed) add("stressed");
  if (c.dead_destinations > 0) add(fmt::format("{} dead", c.dead_destinations));
  return text;
}

/// What keeps a destination's messages back.
std::string state_text(const destination_sample& d, time_point now) {
  if (d.dead && d.barrier != "dead") return "dead, being tried";
  const auto until = parse_time(d.until, now);
  const std::string wait =
      d.until.empty() || !until || *until <= now ? "" : " for " + human_duration(*until - now);
  return d.barrier + wait;
}

grid channel_grid(const sample& s) {
  grid g{{{"CHANNEL"},
          {"READY", true},
          {"IN-HAND", true},
          {"DEFERRED", true},
          {"HELD", true},
          {"SIZE", true},
          {"OLDEST", true},
          {"JOBS", true},
          {"PROGRAMS", true},
          {"FINISHED/s", true},
          {"FAILED/s", true},
          {""}},
         {},
         {}};
  for (const channel_sample& c : s.channels) {
    g.rows.push_back({{c.name},
                      number(c.ready),
                      number(c.in_hand),
                      number(c.deferred),
                      number(c.held),
                      {human_size(c.bytes), static_cast<double>(c.bytes)},
                      age(c.oldest, s.when),
                      number(c.jobs),
                      number(c.programs),
                      rate(c.finished_rate),
                      rate(c.failed_rate),
                      {remarks(c)}});
    g.targets.emplace_back(c.name, "");
  }
  return g;
}

grid destination_grid(const sample& s, const std::string& channel) {
  grid g{{{"HOST"}, {"CHANNEL"}, {"MESSAGES", true}, {"STATE"}}, {}, {}};
  for (const destination_sample& d : s.destinations) {
    if (!channel.empty() && d.channel != channel) continue;
    g.rows.push_back(
        {{d.host.empty() ? "(none)" : d.host}, {d.channel}, number(d.messages), {state_text(d, s.when)}});
    g.targets.emplace_back(d.channel, d.host);
  }
  return g;
}

grid job_grid(const sample& s) {
  grid g{{{"CHANNEL"},
          {"PROCESS", true},
          {"STATE"},
          {"SINCE", true},
          {"THREADS", true},
          {"GIVEN", true},
          {"RESULTS", true},
          {"RESULTS/s", true}},
         {},
         {}};
  for (const job_sample& j : s.jobs) {
    g.rows.push_back({{j.channel},
                      number(j.pid),
                      {j.state},
                      age(j.since, s.when),
                      number(j.threads),
                      number(j.leased),
                      number(j.results),
                      rate(j.rate)});
    g.targets.emplace_back(j.channel, "");
  }
  return g;
}

grid message_grid(const std::vector<json::object>& rows, time_point now) {
  grid g{{{"ID"}, {"STATE"}, {"PRIORITY"}, {"ATT", true}, {"SIZE", true}, {"AGE", true}, {"HOST"}}, {}, {}};
  for (const json::object& m : rows) {
    const auto size = number_field(m, "size");
    g.rows.push_back({{text_field(m, "id")},
                      {text_field(m, "state")},
                      {text_field(m, "priority")},
                      number(number_field(m, "attempts")),
                      {human_size(size), static_cast<double>(size)},
                      age(text_field(m, "committed"), now),
                      {text_field(m, "host")}});
    g.targets.emplace_back(text_field(m, "channel"), text_field(m, "host"));
  }
  return g;
}

class top_screen {
 public:
  top_screen(const invocation& in, admin::client& c, milliseconds interval)
      : in_(in), controller_(c), sampler_(in, c), interval_(interval) {}

  /// Until a key or signal ends it, or the controller does. `looks`: at most so many; 0: no limit.
  int run(std::size_t looks) {
    screen terminal(::fileno(in_.io.in), ::fileno(in_.io.out));
    int status = success;
    for (std::size_t n = 0; looks == 0 || n < looks; ++n) {
      if (!look(status)) return status;
      const auto next = std::chrono::steady_clock::now() + interval_;
      while (true) {
        draw(terminal);
        const auto left = std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now());
        if (left.count() <= 0) break;
        const screen::pressed p = terminal.wait(left);
        if (p.key == screen::none) break;
        if (p.key == screen::end || (p.key == screen::character && p.character == 'q')) return success;
        if (!handle(p, status)) return status;
      }
    }
    return success;
  }

 private:
  bool look(int& status) {
    if (paused_ && sample_) return true;
    auto fresh = sampler_.take(status);
    if (!fresh) return false;
    sample_ = std::move(fresh);
    return view_ != view::messages || look_at_messages(status);
  }

  bool look_at_messages(int& status) {
    const std::string host = host_.empty() ? "" : "&host=" + admin::percent_encode(host_);
    const auto body = get(in_, controller_,
                          "/v1/messages?limit=200&channel=" + admin::percent_encode(channel_) + host, status);
    if (!body || !body->is_object()) return false;
    messages_ = rows_field(body->get_object(), "messages");
    return true;
  }

  grid current() const {
    switch (view_) {
      case view::channels: return channel_grid(*sample_);
      case view::destinations: return destination_grid(*sample_, channel_);
      case view::jobs: return job_grid(*sample_);
      case view::messages: break;
    }
    return message_grid(messages_, sample_->when);
  }

  void show_view(view v) {
    view_ = v;
    selected_ = 0;
    sort_ = v == view::destinations ? 2 : 0;
    descending_ = v == view::destinations;
    if (v != view::messages && v != view::destinations) channel_.clear();
    host_.clear();
  }

  bool handle(const screen::pressed& p, int& status) {
    const std::size_t rows = order_.size(), columns = current().columns.size();
    switch (p.key) {
      case screen::up: selected_ -= selected_ > 0 ? 1 : 0; break;
      case screen::down: selected_ += selected_ + 1 < rows ? 1 : 0; break;
      case screen::page_up: selected_ -= std::min<std::size_t>(selected_, 20); break;
      case screen::page_down: selected_ = rows == 0 ? 0 : std::min(selected_ + 20, rows - 1); break;
      case screen::left: sort_ = (sort_ + columns - 1) % columns; break;
      case screen::right: sort_ = (sort_ + 1) % columns; break;
      case screen::escape: show_view(view::channels); break;
      case screen::enter: return drill_down(status);
      case screen::character: handle_letter(p.character); break;
      default: break;
    }
    return true;
  }

  void handle_letter(char c) {
    switch (c) {
      case 'c': show_view(view::channels); break;
      case 'd': channel_.clear(), show_view(view::destinations); break;
      case 'j': show_view(view::jobs); break;
      case 'r': descending_ = !descending_; break;
      case ' ': paused_ = !paused_; break;
      case '+': interval_ = std::min(interval_ * 2, longest_interval); break;
      case '-': interval_ = std::max(interval_ / 2, shortest_interval); break;
      default: break;
    }
  }

  // From a channel, a job or a destination to its messages.
  bool drill_down(int& status) {
    if (view_ == view::messages || selected_ >= order_.size()) return true;
    const auto [channel, host] = current().targets[order_[selected_]];
    show_view(view::messages);
    channel_ = channel;
    host_ = host;
    return look_at_messages(status);
  }

  std::string heading() const {
    const sample& s = *sample_;
    return fmt::format("jobctl {}  {}  {} waiting  {} held  {}/s finished  {}/s failed  {} destinations{}{}",
                       s.state, iso_time(s.when), s.total.waiting(), s.total.held,
                       rate_text(s.total.finished_rate), rate_text(s.total.failed_rate), s.destination_count,
                       s.total.full ? "  FULL" : "", paused_ ? "  PAUSED" : "");
  }
  std::string title() const {
    switch (view_) {
      case view::channels: return "Channels";
      case view::destinations: return "Destinations with the most messages";
      case view::jobs: return "Jobs";
      case view::messages: break;
    }
    return "Messages of " + channel_ + (host_.empty() ? "" : " for " + host_);
  }

  void sort(const grid& g) {
    order_.resize(g.rows.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    sort_ = std::min(sort_, g.columns.size() - 1);
    const bool numbers = g.columns[sort_].right;
    std::ranges::stable_sort(order_, [&](std::size_t a, std::size_t b) {
      if (descending_) std::swap(a, b);
      const cell &x = g.rows[a][sort_], &y = g.rows[b][sort_];
      return numbers ? x.number < y.number : x.text < y.text;
    });
    if (selected_ >= order_.size()) selected_ = order_.empty() ? 0 : order_.size() - 1;
  }

  static std::string laid_out(const grid& g, const std::vector<std::size_t>& widths,
                              const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i)
      line += g.columns[i].right ? fmt::format("{:>{}}  ", cells[i], widths[i])
                                 : fmt::format("{:<{}}  ", cells[i], widths[i]);
    return line;
  }

  void draw(screen& terminal) {
    const grid g = current();
    sort(g);
    std::vector<std::size_t> widths;
    std::vector<std::string> titles;
    for (std::size_t i = 0; i < g.columns.size(); ++i) {
      titles.push_back(std::string(g.columns[i].title) + (i == sort_ ? (descending_ ? "v" : "^") : ""));
      std::size_t width = titles.back().size();
      for (const auto& row : g.rows) width = std::max(width, row[i].text.size());
      widths.push_back(width);
    }
    const auto size = terminal.size();
    std::vector<screen::line> lines{{heading(), false, true}, {title()}, {laid_out(g, widths, titles), true}};
    const std::size_t room = size.rows > 5 ? size.rows - 5 : 1;
    const std::size_t first = selected_ < room ? 0 : selected_ - room + 1;
    for (std::size_t i = first; i < order_.size() && i < first + room; ++i) {
      std::vector<std::string> cells;
      for (const cell& c : g.rows[order_[i]]) cells.push_back(c.text);
      lines.push_back({laid_out(g, widths, cells), i == selected_});
    }
    if (order_.empty()) lines.push_back({"nothing"});
    while (lines.size() + 1 < size.rows) lines.push_back({});
    lines.push_back(
        {fmt::format("c channels  d destinations  j jobs  Enter messages  Esc back  left/right sort  "
                     "r reverse  space pause  +/- every {}  q quit",
                     interval_text())});
    terminal.show(lines);
  }

  std::string interval_text() const {
    return interval_.count() % 1000 == 0 ? human_duration(interval_) : fmt::format("{}ms", interval_.count());
  }

  const invocation& in_;
  admin::client& controller_;
  sampler sampler_;
  milliseconds interval_;
  std::optional<sample> sample_;
  std::vector<json::object> messages_;
  view view_ = view::channels;
  std::string channel_, host_;  // of the messages
  std::size_t selected_ = 0, sort_ = 0;
  bool descending_ = false, paused_ = false;
  std::vector<std::size_t> order_;  // rows as they are shown
};

// --- lines
// ---------------------------------------------------------------------------------------------------------

// With --watch, rates are those since the line before; the first has none.
int print_lines(const invocation& in, admin::client& controller, milliseconds interval, std::size_t looks) {
  sampler figures(in, controller);
  int status = success;
  for (std::size_t n = 0; looks == 0 || n < looks; ++n) {
    if (n > 0) std::this_thread::sleep_for(interval);
    const auto s = figures.take(status);
    if (!s) return status;
    fmt::print(in.io.out, "{}\n", json::serialize(to_json(*s)));
    if (std::fflush(in.io.out) != 0) return in.fail(io_error, "cannot write the output.");
  }
  return success;
}

mta::result<milliseconds> parse_interval(std::string_view text) {
  std::uint64_t ms = 0;
  if (text.ends_with("ms")) {
    for (const char c : text.substr(0, text.size() - 2)) {
      if (!std::isdigit(static_cast<unsigned char>(c)) || ms > 100'000'000)
        return mta::error(mta::errc::syntax, fmt::format("'{}' is not a time such as 500ms or 2s", text));
      ms = ms * 10 + static_cast<std::uint64_t>(c - '0');
    }
  } else {
    const auto seconds = parse_duration(text);
    if (!seconds) return seconds.error();
    ms = static_cast<std::uint64_t>(std::min<std::int64_t>(seconds->count(), 100'000)) * 1000;
  }
  const milliseconds interval{static_cast<std::int64_t>(ms)};
  if (interval < shortest_interval || interval > longest_interval)
    return mta::error(mta::errc::out_of_range, fmt::format("'{}' is not from 100ms to 1h", text));
  return interval;
}

int run(const invocation& in) {
  const bool as_json = in.get<bool>("json");
  milliseconds interval{1000};
  if (in.has("watch")) {
    const auto given = parse_interval(in.text("watch"));
    if (!given) return in.fail(usage, "--watch: " + given.error().context + ".");
    interval = *given;
  }
  std::size_t looks = as_json && !in.has("watch") ? 1 : 0;
  if (in.has("count")) {
    looks = in.get<std::size_t>("count");
    if (looks == 0) return in.fail(usage, "--count 0 would show nothing; give a number from 1 on.");
  }
  if (!as_json && (::isatty(::fileno(in.io.out)) != 1 || ::isatty(::fileno(in.io.in)) != 1))
    return in.fail(usage, "input and output have to be a terminal; --json prints the same figures anywhere.");
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  if (as_json) return print_lines(in, *controller, interval, looks);
  // What goes wrong is said when the terminal is as it was.
  char* said = nullptr;
  std::size_t length = 0;
  std::FILE* const later = ::open_memstream(&said, &length);
  if (!later) return in.fail(temporary_failure, "no memory.");
  const invocation with_later{in.command, in.options, {in.io.in, in.io.out, later}};
  status = top_screen(with_later, *controller, interval).run(looks);
  std::fclose(later);
  fmt::print(in.io.err, "{}", std::string_view(said, length));
  std::free(said);
  return status;
}

}  // namespace

const command top_command = {"top",
                             "Watch the controller at work, full screen",
                             "[--watch TIME] [--count N] [--json]",
                             "Shows channels, destinations, jobs and messages, with rates and the age of the "
                             "oldest message that is ready, "
                             "and looks again every second. Keys: c, d and j choose channels, destinations "
                             "and jobs; up and down select a "
                             "row, Enter shows its messages, Esc goes back; left and right choose the column "
                             "to sort by, r reverses; space "
                             "pauses; + and - change the interval; q quits. With --json the same figures are "
                             "printed, once, or with --watch "
                             "again and again.",
                             "  jobctl top\n"
                             "  jobctl top --watch 5s\n"
                             "  jobctl top --json --watch 10s | jq .total.finished_per_second",
                             "  0    ended by q, a signal or --count\n"
                             "  64   an option is wrong, or this is no terminal\n"
                             "  69   no controller runs for this site, or it stopped",
                             describe,
                             nullptr,
                             run};

}  // namespace jobctl::cli
