#include "dequeue/claims.hpp"

#include "dequeue/log.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace mta::dequeueing {
namespace {

constexpr std::size_t longest_run = 64;
constexpr std::size_t most_open_files = 64;
constexpr std::chrono::seconds unused_for{2};

}  // namespace

lock_run::~lock_run() {
  std::uint64_t held = held_.load(std::memory_order_acquire);
  std::uint32_t slot = first_;
  while (held != 0) {
    const auto skip = static_cast<std::uint32_t>(std::countr_zero(held));
    held >>= skip;
    slot += skip;
    const auto count = static_cast<std::uint32_t>(std::countr_one(held));
    // A failure leaves the lock until the file is closed: the message waits a little longer, nothing worse.
    (void)file_->unlock(slot, count);
    held = count == 64 ? 0 : held >> count;
    slot += count;
  }
}

void lock_run::unlock(std::uint32_t slot) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << (slot - first_);
  if ((held_.fetch_and(~bit, std::memory_order_acq_rel) & bit) != 0) (void)file_->unlock(slot);
}

claims::claims(queue::store& store, std::string channel) : store_(store), channel_(std::move(channel)) {}

result<std::shared_ptr<queue::message_file>> claims::file_for(queue::file_key key) {
  const auto number = static_cast<std::uint64_t>(key.file);
  const std::scoped_lock guard(mutex_);
  if (const auto found = files_.find(number); found != files_.end()) {
    if (found->second.file->header().generation == key.generation) {
      found->second.used = std::chrono::steady_clock::now();
      return found->second.file;
    }
    files_.erase(found);  // it has been reset since
  }
  auto opened = store_.open(channel_, key.file);
  if (!opened) return opened.error();
  if ((*opened)->header().generation != key.generation)
    return error(errc::gone, "generation of " + (*opened)->path());
  if (files_.size() >= most_open_files) evict_one();
  files_[number] = {*opened, std::chrono::steady_clock::now()};
  return *opened;
}

void claims::evict_one() {
  const auto oldest = std::min_element(files_.begin(), files_.end(), [](const auto& a, const auto& b) {
    return a.second.used < b.second.used;
  });
  if (oldest != files_.end()) files_.erase(oldest);  // messages in hand keep it open
}

void claims::close_unused() {
  const auto now = std::chrono::steady_clock::now();
  const std::scoped_lock guard(mutex_);
  std::erase_if(files_, [&](const auto& f) {
    return f.second.file.use_count() == 1 && now - f.second.used >= unused_for;
  });
}

void claims::claim(std::span<const wire::leased_message> leases, std::vector<claimed>& ours,
                   std::vector<wire::message_result>& not_ours) {
  while (!leases.empty()) {
    const queue::message_id first = leases.front().id;
    std::size_t count = 1;
    while (count < leases.size() && count < longest_run && leases[count].id.key() == first.key() &&
           leases[count].id.slot == first.slot + count)
      ++count;
    const auto run = leases.first(count);
    leases = leases.subspan(count);

    const auto file = file_for(first.key());
    if (file) {
      claim_run(*file, run, ours, not_ours);
      continue;
    }
    // Not there, or used anew: the messages are gone. Anything else is this machine's trouble and may pass.
    auto outcome = wire::outcome::locked;
    if (file.error().code == errc::gone || file.error().code == std::errc::no_such_file_or_directory)
      outcome = wire::outcome::gone;
    else if (file.error().code == errc::damaged || file.error().code == errc::wrong_version)
      outcome = wire::outcome::bad;
    if (outcome != wire::outcome::gone) log_problem(file.error());
    for (const auto& lease : run) not_ours.push_back({lease.id, outcome, {}});
  }
}

void claims::claim_run(const std::shared_ptr<queue::message_file>& file,
                       std::span<const wire::leased_message> run, std::vector<claimed>& ours,
                       std::vector<wire::message_result>& not_ours) {
  const std::uint32_t first = run.front().id.slot;
  const auto count = static_cast<std::uint32_t>(run.size());
  const auto refuse = [&](std::uint32_t slot, wire::outcome why) {
    not_ours.push_back({file->id(slot), why, {}});
  };

  auto locks = std::make_shared<lock_run>(file, first);
  std::uint64_t locked = 0;
  const auto lock = [&](std::uint32_t slot, std::uint32_t n) -> bool {
    const auto got = file->try_lock(slot, n);
    if (!got) {
      log_problem(got.error());
      return false;
    }
    return *got;
  };
  if (lock(first, count)) {
    for (std::uint32_t i = 0; i < count; ++i) locked |= std::uint64_t{1} << i;
  } else if (count > 1) {
    for (std::uint32_t i = 0; i < count; ++i)
      if (lock(first + i, 1)) locked |= std::uint64_t{1} << i;
  }
  for (std::uint32_t i = 0; i < count; ++i)
    if ((locked >> i & 1) != 0)
      locks->add(first + i);
    else
      refuse(first + i, wire::outcome::locked);
  if (locked == 0) return;

  const std::size_t before = ours.size();
  std::uint64_t seen = 0;
  bool damaged = false;
  const auto read =
      file->read_entries(first, count, [&](std::uint32_t slot, const queue::slot_content& content) {
        const std::uint64_t bit = std::uint64_t{1} << (slot - first);
        if ((locked & bit) == 0) return;
        seen |= bit;
        using kind = queue::slot_content::kind;
        if (content.what == kind::damaged) {
          damaged = true;
          refuse(slot, wire::outcome::bad);
        } else if (content.what == kind::empty || !content.message.state.live()) {
          refuse(slot, wire::outcome::gone);
        } else if (content.message.state.phase == queue::phase::held) {
          refuse(slot, wire::outcome::held);
        } else {
          ours.push_back({locks, file->id(slot), content.message});
          return;
        }
        locks->unlock(slot);
      });
  if (!read) {
    log_problem(read.error());
    ours.resize(before);
    std::erase_if(not_ours, [&](const wire::message_result& r) {
      return r.id.key() == file->id(0).key() && r.id.slot >= first && r.id.slot < first + count;
    });
    for (std::uint32_t i = 0; i < count; ++i) refuse(first + i, wire::outcome::locked);
    return;
  }
  for (std::uint32_t i = 0; i < count; ++i)
    if ((locked >> i & 1) != 0 && (seen >> i & 1) == 0) {  // beyond the file's capacity
      locks->unlock(first + i);
      refuse(first + i, wire::outcome::gone);
    }
  if (!damaged) return;

  // An entry that fails its check may also belong to a later generation of the file: then the messages are
  // gone.
  const auto again = store_.open(channel_, file->header().number);
  if (again && (*again)->header().generation != file->header().generation) {
    for (auto& r : not_ours)
      if (r.outcome == wire::outcome::bad && r.id.key() == file->id(0).key()) r.outcome = wire::outcome::gone;
    const std::scoped_lock guard(mutex_);
    files_.erase(static_cast<std::uint64_t>(file->header().number));
  }
}

}  // namespace mta::dequeueing
