// Log lines for systemd's journal, with fields to select by: `journalctl CHANNEL=fax`, `journalctl
// QUEUE_ID=…`. By the journal's own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), which needs no
// library.
//
// Thread safety: journal::send() from any thread; the others on one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobctl {

/// Does standard error go to the journal? As JOURNAL_STREAM says, and the descriptor confirms.
bool standard_error_is_journal();

/// What a line of ours is about: CHANNEL ("channel NAME: …") and QUEUE_ID (the first message id in it). (The
/// journal's own field MESSAGE_ID means something else.) The views are into the line.
std::vector<std::pair<std::string_view, std::string_view>> fields_of(std::string_view line);

class journal {
 public:
  /// `path`: the journal's socket.
  explicit journal(std::string path = "/run/systemd/journal/socket");
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  /// `priority` as in syslog(3). False: it could not be sent.
  bool send(int priority, std::string_view line) const;

 private:
  std::string path_;
  int socket_ = -1;
};

}  // namespace jobctl
