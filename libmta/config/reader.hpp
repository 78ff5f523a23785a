// Reading of one configuration file: its sections one by one, the values by typed options; then what concerns
// several sections at once. Every problem of the file is collected.
#pragma once

#include "config/sections.hpp"
#include "config/settings.hpp"

#include <boost/program_options/options_description.hpp>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mta::config {

class reader {
 public:
  explicit reader(const std::string& path) { failure_.file = path; }

  load_result<settings> read(std::string_view text, std::string_view root_override);

 private:
  void problem(int line_number, std::string text) {
    failure_.problems.push_back({line_number, std::move(text)});
  }

  /// Reads the typed keys of a section; what is wrong is a problem, and leaves its default.
  void apply(const section&, const boost::program_options::options_description&);

  // One section each.
  void apply_site(const section&);
  void apply_queue(const section&);
  void apply_dequeue(const section&);
  void apply_notify(const section&);
  void apply_http(const section&);
  void apply_pool(const section&);
  void apply_channel(const section&);
  void apply_host(const section&);
  void apply_periodic(const section&);
  void apply_routes(const section&);
  bool take_channel_option(const section&, const line&, channel&);

  // What concerns several sections.
  void finish_site(std::string_view root_override);
  void finish_pools();
  void finish_channels();
  void finish_periodic();
  void finish_routes();

  load_error failure_;
  settings result_;
  std::vector<section> sections_;
  std::map<std::string, int> channel_lines_,
      pool_key_lines_;  // by channel: of its heading, of its `pool` key
  struct route_place {
    std::string label;
    int number;
  };
  std::vector<route_place> route_places_;  // of result_.routes
};

}  // namespace mta::config
