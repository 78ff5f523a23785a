// The queue and its messages.
#include "jobctl/admin/exchange.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/search.hpp"
#include "jobctl/admin/stops.hpp"

#include <fmt/format.h>
#include <functional>

namespace jobctl::admin {

namespace json = boost::json;

namespace {

void add(channel_figures& total, const channel_figures& f) {
  total.ready += f.ready;
  total.blocked += f.blocked;
  total.in_hand += f.in_hand;
  total.deferred += f.deferred;
  total.held += f.held;
  total.bytes += f.bytes;
  total.finished += f.finished;
  total.attempts_failed += f.attempts_failed;
  total.warned += f.warned;
  total.expired += f.expired;
  total.workers += f.workers;
  total.jobs += f.jobs;
  total.dead_destinations += f.dead_destinations;
  if (f.oldest != time_point{} && (total.oldest == time_point{} || f.oldest < total.oldest))
    total.oldest = f.oldest;
}

}  // namespace

void get_summary(exchange x) {
  const controller& state = x.backend.state();
  json::array channels;
  channel_figures total;
  for (const channel_no c : channels_by_name(state)) {
    const channel_figures f = state.figures(c);
    add(total, f);
    json::object row{{"channel", state.channel_name(c)}};
    for (auto& field : figures_to_json(f)) row.insert(std::move(field));
    channels.push_back(std::move(row));
  }
  json::object totals = figures_to_json(total);
  totals.erase("stopped");
  totals.erase("opens");
  totals.erase("stressed");
  totals["full"] = is_full(state);
  x.answer(json_response(json::object{{"time", json_time(x.backend.now())},
                                      {"complete", complete(x.backend)},
                                      {"channels", std::move(channels)},
                                      {"total", std::move(totals)},
                                      {"stops", to_json(state.stops(), x.backend.now())}}));
}

namespace {

// What is in the files only is looked for on the worker pool, for a while; the client goes on with the
// cursor.
void search_messages(exchange x, const listing_request& request) {
  constexpr std::chrono::milliseconds budget{500};
  admin::backend& b = x.backend;
  search(b, request.what, {request.limit, request.cursor, budget},
         [x = std::move(x)](const search_result& found) {
           const controller& state = x.backend.state();
           json::array rows;
           for (const message_id& id : found.ids)
             if (listed row; state.find(id, row)) rows.push_back(to_json(row, state));
           json::object body{{"messages", std::move(rows)}, {"complete", complete(x.backend)}};
           body["cursor"] = found.cursor ? json::value(std::to_string(found.cursor)) : json::value();
           body["looked_at"] = found.looked_at;
           x.answer(json_response(body));
         });
}

}  // namespace

void get_messages(exchange x) {
  const controller& state = x.backend.state();
  const auto request = parse_listing(x.target, state, x.backend.now());
  if (!request) return x.answer(handlers::error_response(request.error()));
  if (!request->what.text.empty()) return search_messages(std::move(x), *request);
  const page found = list_page(state, *request);
  json::array rows;
  rows.reserve(found.rows.size());
  for (const listed& row : found.rows) rows.push_back(to_json(row, state));
  json::object body{{"messages", std::move(rows)}, {"complete", complete(x.backend)}};
  // A number of 64 bits is more than JSON readers can be trusted with.
  body["cursor"] = found.cursor ? json::value(std::to_string(found.cursor)) : json::value();
  x.answer(json_response(body));
}

namespace {

// Reads the message on the worker pool, then answers with what `make` makes of it on the loop thread.
void with_message(exchange x, std::function<response(const exchange&, const message_report&)> make) {
  const auto id = mta::queue::parse_message_id(x.name());
  if (!id) return x.answer(handlers::error_response(id.error()));
  std::string channel;
  if (listed row; x.backend.state().find(*id, row)) channel = x.backend.state().channel_name(row.channel);
  struct job {
    exchange x;
    mta::result<message_report> read = mta::error(mta::errc::cancelled, "read the message");
  };
  auto j = std::make_shared<job>(job{std::move(x)});
  mta::queue::store& store = j->x.backend.store();
  j->x.backend.in_pool(
      [j, &store, channel, id = *id] { j->read = read_message(store, channel, id); },
      [j, make = std::move(make)] {
        j->x.answer(j->read ? make(j->x, *j->read) : handlers::error_response(j->read.error()));
      });
}

}  // namespace

void get_message(exchange x) {
  with_message(std::move(x), [](const exchange& done, const message_report& m) {
    json::object body = to_json(m);
    const controller& state = done.backend.state();
    // What is in the controller's memory is newer than what was on the disk a moment ago.
    if (listed row; state.find(m.id, row))
      for (auto& field : to_json(row, state)) body[field.key()] = field.value();
    return json_response(body);
  });
}

class content_source final : public body_source {
 public:
  explicit content_source(const message_report& m) : file_(m.file), entry_(m.stored.entry) {}
  std::uint64_t length() const override { return entry_.content_length; }
  mta::result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (offset == 0) {
      // Nothing damaged is passed on as the message; so look at all of it before the first byte goes out.
      if (auto sound = file_->verify(entry_); !sound) return sound.error();
    }
    return file_->read_content_part(entry_, offset, buffer);
  }

 private:
  std::shared_ptr<mta::queue::message_file> file_;
  mta::queue::entry entry_;
};

void get_content(exchange x) {
  with_message(std::move(x), [](const exchange&, const message_report& m) {
    response r;
    r.content_type = "message/rfc822";
    r.stream = std::make_shared<content_source>(m);
    return r;
  });
}

}  // namespace jobctl::admin
