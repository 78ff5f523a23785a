#include "jobctl/cli/filters.hpp"

#include "jobctl/admin/target.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

struct filter_option {
  const char* option;
  const char* parameter;
  const char* value;
  const char* text;
  bool reads_files = false;
};
constexpr filter_option filter_options[] = {
    {"id", "id", "ID", "only these: ids with commas between them"},
    {"channel", "channel", "CHANNEL",
     "only messages of this channel; '*' and '?' stand for any text, any character"},
    {"host", "host", "HOST", "only for this destination host; '.example.org' for its subdomains, too"},
    {"state", "state", "STATE", "only ready, in-hand, deferred or held ones"},
    {"priority", "priority", "PRIORITY", "only urgent, normal or nonurgent ones"},
    {"min-size", "size_min", "SIZE", "only of at least this size (10k, 1M)"},
    {"max-size", "size_max", "SIZE", "only of at most this size"},
    {"older", "age_min", "AGE", "only committed longer ago (90s, 15m, 2h, 3d)"},
    {"newer", "age_max", "AGE", "only committed since"},
    {"attempts", "attempts_min", "N", "only with at least so many failed attempts"},
    {"max-attempts", "attempts_max", "N", "only with at most so many failed attempts"},
    {"sender", "sender", "ADDRESS",
     "only from this envelope sender: an address, '@domain', either with '*' and '?', or '<>' for none",
     true},
    {"recipient", "recipient", "ADDRESS", "only with such an envelope recipient that is not done with", true},
    {"subject", "subject", "TEXT", "only with this text in their Subject:", true},
    {"content", "content", "TEXT", "only with this text somewhere in header or body, as they are stored",
     true},
    {"held-because", "reason", "TEXT", "only held ones with this text in the reason of the hold", true},
};

}  // namespace

void add_filters(po::options_description& options) {
  for (const filter_option& f : filter_options)
    options.add_options()(f.option, po::value<std::string>()->value_name(f.value), f.text);
}

bool has_filters(const invocation& in) {
  return std::ranges::any_of(filter_options, [&](const filter_option& f) { return in.has(f.option); });
}

bool has_text_filters(const invocation& in) {
  return std::ranges::any_of(filter_options,
                             [&](const filter_option& f) { return f.reads_files && in.has(f.option); });
}

std::string filters_as_query(const invocation& in) {
  std::string query;
  for (const filter_option& f : filter_options)
    if (in.has(f.option))
      query += fmt::format("{}={}&", f.parameter, admin::percent_encode(in.text(f.option)));
  return query;
}

boost::json::object filters_as_json(const invocation& in) {
  boost::json::object filter;
  for (const filter_option& f : filter_options)
    if (in.has(f.option)) filter[f.parameter] = in.text(f.option);
  return filter;
}

}  // namespace jobctl::cli
