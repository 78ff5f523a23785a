#include "jobctl/cli/message_reader.hpp"

#include "jobctl/admin/message_report.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <fmt/format.h>

namespace jobctl::cli {

using mta::queue::message_id;

message_reader::message_reader(const invocation& in, const mta::config::settings& site)
    : in_(in), store_(mta::queue::real_file_io(), site.queue_root()) {
  auto connected = admin::client::connect(site.api_socket());
  if (connected)
    controller_ = std::move(*connected);
  else
    fmt::print(in.io.err, "jobctl {}: reading the queue's files ({})\n", in.command.name,
               connected.error().context);
}

int message_reader::fail(const mta::error& e) const {
  if (e.code == mta::errc::gone || e.code == std::errc::no_such_file_or_directory)
    return in_.fail(failure, e.context + ": finished, removed, or never there");
  return in_.fail(e);
}

std::optional<boost::json::object> message_reader::details(const message_id& id, int& status) {
  if (controller_) {
    auto body = get(in_, *controller_, "/v1/messages/" + to_string(id), status);
    if (!body || !body->is_object()) return {};
    return std::move(body->get_object());
  }
  auto m = admin::read_message(store_, {}, id);
  if (m) return admin::to_json(*m);
  status = fail(m.error());
  return {};
}

bool message_reader::content(const message_id& id, const std::function<bool(std::string_view)>& sink,
                             int& status) {
  if (controller_) {
    auto answer = controller_->fetch(fmt::format("/v1/messages/{}/content", to_string(id)), sink);
    if (!answer && answer.error().code == mta::errc::cancelled) {
      // The rest of the body is still on its way, so this connection can carry nothing else.
      controller_.reset();
      return true;
    }
    if (!answer)
      status = in_.fail(exit_status_of(answer.error().code), answer.error().context);
    else if (!answer->ok())
      status = cli::fail(in_, *answer);
    return answer && answer->ok();
  }
  auto m = admin::read_message(store_, {}, id);
  if (!m) {
    status = fail(m.error());
    return false;
  }
  const mta::queue::entry& e = m->stored.entry;
  if (auto sound = m->file->verify(e); !sound) {
    status = fail(sound.error());
    return false;
  }
  std::vector<char> piece(256 * 1024);
  for (std::uint64_t offset = 0; offset < e.content_length;) {
    const auto got = m->file->read_content_part(e, offset, std::as_writable_bytes(std::span(piece)));
    if (!got || *got == 0) {
      status = got ? in_.fail(data_error, "the content ends early") : fail(got.error());
      return false;
    }
    offset += *got;
    if (!sink({piece.data(), *got})) return true;
  }
  return true;
}

}  // namespace jobctl::cli
