// Tells the sender of one message what has become of it: that it is delayed, has waited too long, or is
// returned by an operator. What the last attempt said of each recipient is in the notification.
//
// Thread safety: on the pool, by whoever has the message's lock.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "jobctl/controller/controller.hpp"
#include "notify/report.hpp"
#include "queue/message_file.hpp"

#include <string>
#include <vector>

namespace jobctl {

struct telling {
  message_id id;
  mta::notify::kind what = mta::notify::kind::delayed;
  bool last = false;      ///< the message is finished then
  std::uint8_t step = 0;  ///< of the channel's schedule that is done with then
  time_point expires{};   ///< when it will be returned, or should have been; epoch: not known
  bool ordered = false;   ///< by an operator: also a held message; and if nobody can be told, nothing changes
  std::string why;        ///< an operator's words; empty: what the last attempt said
  std::string history_line;  ///< noted when the message is finished; empty: none
};

struct telling_outcome {
  notice_outcome what = notice_outcome::failed;
  bool damaged = false;
  std::vector<std::string> ids;  ///< of the notification
  std::vector<std::string> remarks;
};

telling_outcome tell_sender(mta::queue::message_file&, mta::enqueue::enqueuer&, const std::string& channel,
                            const telling&);

/// {"time": now, "text": text}
std::string history_line(std::string_view text);

}  // namespace jobctl
