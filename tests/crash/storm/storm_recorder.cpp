// storm_recorder: the storm's channel program. Writes down each recipient that it is given and what became of
// it
// (option `log`, see record.hpp), checks that the content is whole, and now and then defers: by returning
// without a finish, or by finishing some recipients and deferring others. Recipients r2@… fail for good,
// always. What it is given without a sender is a notification: it writes down whom it is about.
#include "record.hpp"

#include <mtasdk.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

struct state {
  storm::event_log log;
  std::string pid = std::to_string(::getpid());
  std::atomic<unsigned> turn{0};

  void event(char what, const std::string& id, const std::vector<std::string>& recipients) const {
    std::string lines;
    for (const std::string& recipient : recipients)
      lines += std::string(1, what) + " " + id + " " + recipient + " " + pid + "\n";
    log.write(lines);
  }
};

// The id of a message whose content is exactly what the enqueuer wrote; otherwise what is wrong with it, in
// `wrong`.
std::string read_content(mta_dq_t* message, std::string& wrong) {
  const char* text = nullptr;
  size_t length = 0;
  std::string id;
  std::optional<unsigned> lines;
  bool body = false;
  unsigned number = 0;
  int status;
  while ((status = mtaDequeueLineNext(message, &text, &length)) == MTA_OK) {
    std::string_view line(text, length);
    if (body) {
      if (line != storm::body_line(id, number++))
        wrong = "line " + std::to_string(number) + " of the body is wrong";
    } else if (line.empty()) {
      body = true;
    } else if (line.starts_with("X-Storm: ")) {
      std::size_t blank = line.rfind(' ');
      id = line.substr(9, blank - 9);
      lines = static_cast<unsigned>(std::atoi(std::string(line.substr(blank + 1)).c_str()));
    }
  }
  if (status != MTA_EOF)
    wrong = std::string("mtaDequeueLineNext: ") + mtaStrError(status, 0);
  else if (!lines)
    wrong = "no X-Storm: line";
  else if (number != *lines)
    wrong = std::to_string(number) + " lines instead of " + std::to_string(*lines);
  return id;
}

// Writes down what a notification says: it is there in full, or the test fails.
int record_notification(const state& s, mta_dq_t* message) {
  const char* text = nullptr;
  size_t length = 0;
  std::string id, own_id;
  std::vector<std::string> recipients;
  int status;
  while ((status = mtaDequeueLineNext(message, &text, &length)) == MTA_OK) {
    const std::string_view line(text, length);
    if (line.starts_with("X-Storm: ")) id = line.substr(9, line.rfind(' ') - 9);
    if (own_id.empty() && line.starts_with("Message-ID: ")) own_id = line.substr(12);
    if (line.starts_with("Final-Recipient: rfc822; ")) recipients.emplace_back(line.substr(25));
  }
  if (status != MTA_EOF || id.empty() || own_id.empty() || recipients.empty())
    s.log.write("X a notification that is not whole\n");
  std::string lines;
  for (const std::string& recipient : recipients) lines += "N " + id + " " + recipient + " " + own_id + "\n";
  s.log.write(lines);
  return mtaDequeueMessageFinish(message, MTA_DISP, MTA_DISP_DELIVERED, 0);
}

int process_message(void**, void* ctx1, mta_dq_t* message, const char*, size_t from_length) {
  state& s = *static_cast<state*>(ctx1);
  std::vector<std::string> recipients;
  const char* to = nullptr;
  size_t length = 0;
  int status;
  while ((status = mtaDequeueRecipientNext(message, &to, &length, 0)) == MTA_OK)
    recipients.emplace_back(to, length);
  if (status != MTA_EOF) {
    s.log.write(std::string("X mtaDequeueRecipientNext: ") + mtaStrError(status, 0) + "\n");
    return status;
  }
  if (from_length == 0) return record_notification(s, message);
  std::string wrong, id = read_content(message, wrong);
  if (!wrong.empty()) s.log.write("X content of " + id + ": " + wrong + "\n");
  s.event('B', id, recipients);

  unsigned turn = ++s.turn;
  // A delivery that takes its time, so that kills find messages in hand.
  if (turn % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(turn % 40));
  if (turn % 37 == 0) {  // not finished: to be deferred
    s.event('D', id, recipients);
    return MTA_OK;
  }
  std::vector<std::string> finished, deferred, failed;
  for (std::size_t i = 0; i < recipients.size(); ++i)
    (turn % 5 == 0 && i % 2 == 1        ? deferred
     : recipients[i].starts_with("r2@") ? failed
                                        : finished)
        .push_back(recipients[i]);
  s.event('D', id, deferred);
  for (const auto& [list, disposition] :
       {std::pair(&finished, MTA_DISP_DELIVERED), std::pair(&deferred, MTA_DISP_DEFERRED),
        std::pair(&failed, MTA_DISP_FAILED)})
    for (const std::string& recipient : *list)
      if ((status = mtaDequeueRecipientDisposition(message, recipient.data(), recipient.size(),
                                                   static_cast<size_t>(disposition), 0)) != MTA_OK)
        s.log.write("X mtaDequeueRecipientDisposition of " + id + ": " + mtaStrError(status, 0) + "\n");
  status = mtaDequeueMessageFinish(message, 0);
  finished.insert(finished.end(), failed.begin(), failed.end());
  if (status == MTA_OK)
    s.event('F', id, finished);
  else
    s.log.write("X mtaDequeueMessageFinish of " + id + ": " + mtaStrError(status, 0) + "\n");
  return MTA_OK;
}

}  // namespace

int main() {
  mta_opt_t* options = nullptr;
  char log_path[BIGALFA_SIZE + 1] = "";
  int status = mtaInit(0);
  if (status == MTA_OK) status = mtaOptionStart(&options, nullptr, 0, 0);
  if (status == MTA_OK) status = mtaOptionString(options, "log", 0, log_path, nullptr, sizeof log_path);
  mtaOptionFinish(options);
  if (status == MTA_OK) {
    state s{storm::event_log(log_path)};
    status =
        mtaDequeueStart(&s, process_message, nullptr, MTA_JBC_RETRY_INTERVAL, 1, MTA_JBC_MAX_ATTEMPTS, 2, 0);
  }
  if (status != MTA_OK) mtaLog("storm_recorder: %s", mtaStrError(status, 0));
  mtaDone();
  return status == MTA_OK ? 0 : 1;
}
