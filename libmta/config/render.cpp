// Effective settings as text, in the syntax of the file.

#include "base/time.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

#include <algorithm>

namespace mta::config {
namespace {

class writer {
 public:
  void section(const std::string& heading) {
    if (!out_.empty()) out_ += '\n';
    out_ += '[' + heading + "]\n";
  }
  void key(std::string_view name, const std::string& value) {
    out_ += name;
    out_ += " = " + value + '\n';
  }
  void key(std::string_view name, std::uint64_t value) { key(name, std::to_string(value)); }
  void key(std::string_view name, std::chrono::milliseconds value) { key(name, format_duration(value)); }
  void yes_no(std::string_view name, bool value) { key(name, std::string(value ? "yes" : "no")); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string text_of(const backoff_schedule& schedule) {
  std::string out;
  for (const auto step : schedule) out += (out.empty() ? "" : " ") + format_duration(step);
  return out;
}

std::string text_of_notices(const notice_schedule& schedule) {
  return schedule.empty() ? "never" : text_of(schedule);
}

std::string text_of(post_copy when) {
  switch (when) {
    case post_copy::never: break;
    case post_copy::errors: return "errors";
    case post_copy::unless_empty: return "copy";
    case post_copy::always: return "always";
  }
  return "never";
}

std::string text_of(const free_reserve& reserve) {
  std::string out = std::to_string(reserve.bytes);
  if (reserve.percent != 0) out += ' ' + std::to_string(reserve.percent) + '%';
  return out;
}

std::string text_of(const rate& r) {
  return r.messages == 0 ? "0" : std::to_string(r.messages) + '/' + format_duration(r.period);
}

void write_host_settings(writer& w, const std::string& prefix, const host_settings& h) {
  if (h.concurrency) w.key(prefix + "concurrency", *h.concurrency);
  if (h.adaptive) w.yes_no(prefix + "adaptive", *h.adaptive);
  if (h.rate) w.key(prefix + "rate", text_of(*h.rate));
  if (h.run) w.key(prefix + "run", *h.run);
  if (h.weight) w.key(prefix + "weight", *h.weight);
  if (h.failures) w.key(prefix + "failures", *h.failures);
  if (h.probe) w.key(prefix + "probe", *h.probe);
}

void write_channel(writer& w, const channel& c) {
  w.section("channel " + c.name);
  w.key("program", quote_command(c.program));
  if (!c.user.empty()) w.key("user", c.user);
  if (!c.option_file.empty()) w.key("option_file", c.option_file);
  for (const auto& [name, value] : c.options) w.key("option." + name, value);
  w.key("pool", c.pool);
  w.key("host", c.host);
  w.key("maxjobs", c.max_jobs);
  w.key("threaddepth", c.thread_depth);
  w.key("threads", c.threads_per_job);
  w.key("weight", c.weight);
  write_host_settings(w, "host_", c.hosts);
  w.key("urgentbackoff", text_of(c.backoff[0]));
  w.key("normalbackoff", text_of(c.backoff[1]));
  w.key("nonurgentbackoff", text_of(c.backoff[2]));
  w.key("urgentnotices", text_of_notices(c.notices[0]));
  w.key("normalnotices", text_of_notices(c.notices[1]));
  w.key("nonurgentnotices", text_of_notices(c.notices[2]));
  w.key("backoff_jitter", std::to_string(c.backoff_jitter) + '%');
  w.key("urgentwindow", to_text(c.windows[0]));
  w.key("normalwindow", to_text(c.windows[1]));
  w.key("nonurgentwindow", to_text(c.windows[2]));
  w.key("urgentblocklimit", c.block_limits[0]);
  w.key("normalblocklimit", c.block_limits[1]);
  w.key("max_life_time", c.max_life_time);
  w.key("max_life_askwork", c.max_life_askwork);
  w.key("filesperjob", c.files_per_job);
  if (!c.slave.empty()) {
    w.key("slave", quote_command(c.slave));
    w.key("poll", c.poll);
  }
  w.key("sendpost", text_of(c.send_post));
  w.key("warnpost", text_of(c.warn_post));
  w.key("group", std::string(c.group == grouping::host ? "host" : "channel"));
  w.key("deliveryflags", c.delivery_flags);
  w.key("maxblocks", c.max_blocks);
  w.key("maxlines", c.max_lines);
  w.yes_no("defragment", c.defragment);
  w.yes_no("logging", c.logging);
  w.yes_no("stop", c.stopped);
  w.key("backlog_limit", c.backlog_limit);
  w.key("memory_max", c.limits.memory);
  w.key("cpu_max", c.limits.cpu);
  w.key("tasks_max", c.limits.tasks);
  w.key("stressblackout", c.stress.blackout);
  w.key("stressfactor", c.stress.factor);
  w.key("stressjobs", c.stress.jobs);
  w.key("stresstime", c.stress.time);
  w.key("unstressfactor", c.stress.unfactor);
  w.key("unstressjobs", c.stress.unjobs);
  w.key("unstresstime", c.stress.untime);
}

void write_periodic(writer& w, const periodic_job& j) {
  w.section("periodic " + j.name);
  w.key("command", quote_command(j.command));
  if (j.schedule.at.empty())
    w.key("every", j.schedule.every);
  else
    w.key("at", times_text(j.schedule.at));
  w.key("missed", std::string(j.run_missed ? "run" : "skip"));
  w.key("timeout", j.timeout);
}

void write_routes(writer& w, const settings& s) {
  std::vector<std::string> sources;  // in the order of their first route
  for (const route& r : s.routes)
    if (std::find(sources.begin(), sources.end(), r.from) == sources.end()) sources.push_back(r.from);
  for (const std::string& source : sources) {
    w.section(source.empty() ? "routes" : "routes from " + source);
    for (const route& r : s.routes)
      if (r.from == source)
        w.key(r.pattern, r.target.channel + (r.target.via.empty() ? "" : " via " + r.target.via));
  }
}

}  // namespace

std::string to_text(const settings& s) {
  writer w;
  w.section("jobctl");
  w.key("root", s.root);
  w.key("host", s.host);
  w.key("postmaster", s.postmaster);
  w.yes_no("builtin", false);  // everything that there is follows
  w.key("block_size", s.block_size);
  if (!s.aliases.empty()) w.key("aliases", s.aliases);
  w.key("accounting", std::string(to_text(s.accounting)));
  w.key("charset8", s.charset8);
  w.key("stop_timeout", s.controller.stop_timeout);
  w.key("lease_batch", s.controller.lease_batch);
  w.key("relaunch_first", s.controller.relaunch_first);
  w.key("relaunch_last", s.controller.relaunch_last);
  w.key("log_level", s.controller.log_level);
  w.key("loop_limit", s.loop_limit);

  w.section("queue");
  w.key("reserve", text_of(s.queue.reserve));
  w.key("sync_interval", s.queue.sync_interval);
  w.key("keep_spare_files", s.queue.keep_spare_files);
  w.key("backlog_limit", s.queue.backlog_limit);

  w.section("dequeue");
  w.key("retry_interval", s.dequeue.retry_interval);
  w.key("max_attempts", s.dequeue.max_attempts);
  w.key("reply_timeout", s.dequeue.reply_timeout);
  w.key("max_threads", s.dequeue.max_threads);
  w.key("max_messages", s.dequeue.max_messages);
  w.key("stack_size", s.dequeue.stack_size);
  w.key("wait_timeout", s.dequeue.wait_timeout);

  w.section("notify");
  w.key("templates", s.templates_directory());
  w.key("content_limit", s.notify.content_limit);
  w.key("name", s.notify.name);

  if (!s.http.listen.empty() || !s.http.token_file.empty()) w.section("http");
  if (!s.http.listen.empty()) w.key("listen", s.http.listen);
  if (!s.http.token_file.empty()) w.key("token_file", s.http.token_file);

  for (const pool& p : s.pools) {
    w.section("pool " + p.name);
    w.key("job_limit", p.job_limit);
  }
  for (const channel& c : s.channels) write_channel(w, c);
  for (const host& h : s.hosts) {
    w.section("host " + h.pattern);
    write_host_settings(w, "", h.settings);
  }
  for (const periodic_job& j : s.periodic)
    if (j.channel.empty()) write_periodic(w, j);
  write_routes(w, s);
  return w.take();
}

}  // namespace mta::config
