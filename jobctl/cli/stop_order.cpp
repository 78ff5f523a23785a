#include "jobctl/cli/stop_order.hpp"

#include "jobctl/admin/order_fields.hpp"
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace json = boost::json;

struct place {
  std::string channel, host;  // either may be empty

  std::string name() const {
    if (host.empty()) return channel;
    return channel.empty() ? host : fmt::format("{} in {}", host, channel);
  }
};

std::vector<place> places_of(const std::vector<std::string>& channels,
                             const std::vector<std::string>& hosts) {
  std::vector<place> all;
  for (const std::string& c : channels) {
    if (hosts.empty()) all.push_back({c, {}});
    for (const std::string& h : hosts) all.push_back({c, h});
  }
  if (channels.empty())
    for (const std::string& h : hosts) all.push_back({{}, h});
  return all;
}

std::string target_of(const invocation& in, const stop_words& words, const place& p) {
  std::string target = p.channel.empty() ? "/v1/destinations/" + admin::percent_encode(p.host)
                                         : "/v1/channels/" + admin::percent_encode(p.channel);
  target += fmt::format("/{}?", words.api);
  if (!p.channel.empty() && !p.host.empty()) target += "host=" + admin::percent_encode(p.host) + "&";
  for (const char* option : {"reason", "until"})
    if (in.options.count(option) != 0)
      target += fmt::format("{}={}&", option, admin::percent_encode(in.text(option)));
  return target;
}

// What was said of it by whoever stopped it may hold anything.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return text;
}

void print(const invocation& in, const stop_words& words, const place& p, const json::object& done) {
  fmt::print(in.io.out, "{}: {}\n", p.name(), flag_field(done, "changed") ? words.done : words.unchanged);
  if (std::string_view(words.api) != "start") return;
  for (const json::object& other : rows_field(done, "stops"))
    fmt::print(in.io.out, "  still: {}\n", printable(text_field(other, "text")));
}

}  // namespace

int give_stop_order(const invocation& in, const stop_words& words, const std::vector<std::string>& channels,
                    const std::vector<std::string>& hosts) {
  for (const std::string& host : hosts)
    if (const auto right = admin::read_stopped_host(host); !right)
      return in.fail(usage, right.error().context + "; nothing was done.");
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  if (!check_channels(in, *controller, channels, status)) return status;
  int worst = success;
  for (const place& p : places_of(channels, hosts)) {
    const auto body = post(in, *controller, target_of(in, words, p), status);
    if (!body || !body->is_object()) return status;
    const json::object& done = body->get_object();
    if (in.get<bool>("json"))
      fmt::print(in.io.out, "{}\n", json::serialize(done));
    else
      print(in, words, p, done);
    if (!flag_field(done, "written"))
      worst = in.fail(io_error, fmt::format("{}: done, but it could not be written: a restart would undo it; "
                                            "the controller's log says why",
                                            p.name()));
  }
  return worst;
}

}  // namespace jobctl::cli
