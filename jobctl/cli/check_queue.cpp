#include "jobctl/cli/check_queue.hpp"

#include "base/utf8.hpp"
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/progress.hpp"
#include "queue/store.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <set>

namespace jobctl::cli {
namespace {

namespace json = boost::json;
namespace queue = mta::queue;
using queue::message_id;

struct problem {
  std::string channel, what, text;  // `what`: the message or file
};

class checker {
 public:
  checker(const invocation& in, const mta::config::settings& site)
      : in_(in), store_(queue::real_file_io(), site.queue_root()), seen_(in.io, "checked") {
    auto connected = admin::client::connect(site.api_socket());
    if (connected) controller_ = std::move(*connected);
  }

  mta::result<> run() {
    const auto channels = store_.channels();
    if (!channels) {
      if (channels.error().code == std::errc::no_such_file_or_directory)
        return {};  // nothing was ever queued
      return channels.error();
    }
    for (const std::string& channel : *channels) {
      const auto numbers = store_.files(channel);
      if (!numbers) return numbers.error();
      for (const queue::file_number number : *numbers) look_at(channel, number);
      count_set_aside(channel);
    }
    if (controller_) compare();
    seen_.clear();
    return {};
  }

  int print() const {
    if (in_.get<bool>("json"))
      print_json();
    else
      print_text();
    return problems_.empty() ? success : data_error;
  }

 private:
  void wrong(const std::string& channel, std::string what, std::string text) {
    problems_.push_back({channel, std::move(what), std::move(text)});
  }

  void look_at(const std::string& channel, queue::file_number number) {
    const std::string path = store_.path(channel, number);
    const auto f = store_.open(channel, number);
    if (!f) {
      if (f.error().code != std::errc::no_such_file_or_directory)  // recycled a moment ago
        wrong(channel, path, f.error().message() + "; its messages wait until it is repaired or removed");
      return;
    }
    ++files_;
    if ((*f)->header().number != number)
      wrong(channel, path, "it is the file " + to_string((*f)->header().number) + " under another name");
    std::vector<std::uint32_t> damaged;
    std::vector<queue::listed_message> live;
    const auto read =
        (*f)->read_entries(0, (*f)->header().capacity, [&](std::uint32_t slot, const queue::slot_content& c) {
          if (c.what == queue::slot_content::kind::damaged) damaged.push_back(slot);
          if (c.what == queue::slot_content::kind::message && c.message.state.live())
            live.push_back(c.message);
        });
    if (!read) return wrong(channel, path, read.error().message());
    for (const std::uint32_t slot : damaged) look_again(**f, channel, slot);
    for (const queue::listed_message& m : live) verify(**f, channel, m);
  }

  // What looks torn may have been half written: a program that writes it is at it for a moment only.
  void look_again(queue::message_file& f, const std::string& channel, std::uint32_t slot) {
    constexpr std::uint64_t writer_lock = std::uint64_t{1} << 40;  // docs/queue-format.md, "Locks"
    if (const auto idle = f.raw().is_unlocked(writer_lock, 1); idle && !*idle) return;
    const auto now = f.read_entry(slot);
    if (!now && now.error().code == mta::errc::damaged && same_generation(f, channel))
      wrong(channel, to_string(f.id(slot)), "its entry is damaged; the controller sets it aside");
  }

  void verify(queue::message_file& f, const std::string& channel, const queue::listed_message& m) {
    ++messages_;
    seen_.add(1);
    const message_id id = f.id(m.entry.slot);
    on_disk_.insert(id);
    const auto sound = f.verify(m.entry);
    if (sound) return;
    // It may have been finished meanwhile, and its place used for another.
    const auto now = f.read_entry(m.entry.slot);
    if (!same_generation(f, channel) || (now && !now->state.live())) return;
    wrong(channel, to_string(id), sound.error().message() + "; it will be set aside when its turn comes");
  }

  bool same_generation(queue::message_file& f, const std::string& channel) {
    const auto now = store_.open(channel, f.header().number);
    return now && (*now)->header().generation == f.header().generation;
  }

  void count_set_aside(const std::string& channel) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator i(store_.channel_directory(channel) + "/.bad", ignored), end;
         !ignored && i != end; i.increment(ignored))
      set_aside_ += i->path().extension() == ".txt" ? 1 : 0;
  }

  // --- what the controller knows

  std::optional<json::object> ask(const std::string& target) {
    const auto answer = controller_->get(target);
    if (!answer || !answer->ok() || !answer->body.is_object()) return {};
    return answer->body.get_object();
  }

  void compare() {
    std::set<message_id> missing, unknown = on_disk_;
    std::string cursor = "0";
    while (!cursor.empty()) {
      const auto page = ask("/v1/messages?limit=10000&cursor=" + cursor);
      if (!page) return;  // it was stopped meanwhile
      for (const json::object& row : rows_field(*page, "messages")) {
        const auto id = queue::parse_message_id(text_field(row, "id"));
        if (!id) continue;
        channels_[*id] = text_field(row, "channel");
        if (unknown.erase(*id) == 0 && !on_disk_.contains(*id)) missing.insert(*id);
      }
      cursor = text_field(*page, "cursor");
    }
    compared_ = true;
    // Mail comes and goes meanwhile: only what is still so is wrong.
    for (const message_id& id : missing)
      if (!is_live(id) && known(id))
        wrong(channels_[id], to_string(id),
              "the controller knows it, but it is no longer in the queue's files");
    for (const message_id& id : unknown)
      if (const std::string channel = channel_of(id); !channel.empty() && !known(id))
        wrong(
            channel, to_string(id),
            "the controller does not know it yet; it looks for such messages at every [queue] sync_interval");
  }

  bool known(const message_id& id) {
    const auto page = ask("/v1/messages?id=" + to_string(id));
    return page && !rows_field(*page, "messages").empty();
  }

  bool is_live(const message_id& id) { return live_in(channels_[id], id); }
  bool live_in(const std::string& channel, const message_id& id) {
    const auto f = store_.open(channel, id.file);
    if (!f || (*f)->header().generation != id.generation) return false;
    const auto m = (*f)->read_entry(id.slot);
    return m && m->state.live();
  }
  std::string channel_of(const message_id& id) {
    const auto channels = store_.channels();
    if (channels)
      for (const std::string& channel : *channels)
        if (live_in(channel, id)) return channel;
    return {};
  }

  // --- output

  void print_json() const {
    json::array all;
    for (const problem& p : problems_)
      all.push_back({{"channel", p.channel}, {"what", p.what}, {"text", p.text}});
    fmt::print(in_.io.out, "{}\n",
               mta::as_utf8(json::serialize(json::object{{"ok", problems_.empty()},
                                                         {"files", files_},
                                                         {"messages", messages_},
                                                         {"set_aside", set_aside_},
                                                         {"compared", compared_},
                                                         {"problems", std::move(all)}})));
  }

  void print_text() const {
    for (const problem& p : problems_)
      fmt::print(in_.io.out, "channel {}: {}: {}\n", p.channel, p.what, p.text);
    fmt::print(in_.io.out, "{} messages in {} files{}: {}\n", messages_, files_,
               compared_ ? ", compared with the controller's index" : "",
               problems_.empty() ? "all is well" : fmt::format("{} problems", problems_.size()));
    if (set_aside_ > 0)
      fmt::print(in_.io.out, "note: {} damaged messages were set aside earlier, in queue/CHANNEL/.bad\n",
                 set_aside_);
  }

  const invocation& in_;
  queue::store store_;
  progress seen_;
  std::optional<admin::client> controller_;
  std::uint64_t files_ = 0, messages_ = 0, set_aside_ = 0;
  bool compared_ = false;
  std::set<message_id> on_disk_;
  std::map<message_id, std::string> channels_;
  std::vector<problem> problems_;
};

}  // namespace

int check_queue(const invocation& in, const mta::config::settings& site) {
  checker c(in, site);
  if (const auto done = c.run(); !done) return in.fail(done.error());
  return c.print();
}

}  // namespace jobctl::cli
