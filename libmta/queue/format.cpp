#include "queue/format.hpp"

#define XXH_INLINE_ALL
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <xxhash.h>

namespace mta::queue::format {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the formats are little-endian and copied as they are");

template <class T>
void put(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}
template <class T>
T get(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

constexpr char magic[8] = {'J', 'O', 'B', 'C', 'T', 'L', 'Q', '1'};
constexpr char record_magic[4] = {'M', 'R', 'E', 'C'};
constexpr std::uint8_t host_in_envelope = 255;

std::int64_t to_ms(time_point t) noexcept { return t.time_since_epoch().count(); }
time_point from_ms(std::int64_t ms) noexcept { return time_point{std::chrono::milliseconds{ms}}; }

std::uint32_t check32(bytes data, std::uint64_t with_seed) noexcept {
  return static_cast<std::uint32_t>(check(data, with_seed));
}

bool all_zero(bytes data) noexcept {
  return std::ranges::all_of(data, [](std::byte b) { return b == std::byte{0}; });
}

bool plausible(const file_header& h) noexcept {
  return h.generation > 0 && h.capacity > 0 && h.capacity <= largest_capacity &&
         h.data_start == data_start_for(h.capacity) && h.data_limit >= h.data_start;
}

}  // namespace

std::uint64_t seed(const message_id& id) noexcept {
  std::byte raw[16];
  put(raw, static_cast<std::uint64_t>(id.file));
  put(raw + 8, id.generation);
  put(raw + 12, id.slot);
  return XXH3_64bits(raw, sizeof raw);
}

std::uint64_t check(bytes data, std::uint64_t with_seed) noexcept {
  return XXH3_64bits_withSeed(data.data(), data.size(), with_seed);
}

running_check::running_check(std::uint64_t with_seed) : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset_withSeed(static_cast<XXH3_state_t*>(state_), with_seed);
}
running_check::~running_check() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void running_check::add(bytes part) noexcept {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), part.data(), part.size());
}
std::uint64_t running_check::value() const noexcept {
  return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_));
}

void encode(const file_header& h, std::span<std::byte, header_size> out) noexcept {
  std::memset(out.data(), 0, out.size());
  std::memcpy(out.data(), magic, sizeof magic);
  put(&out[8], static_cast<std::uint64_t>(h.number));
  put(&out[16], h.generation);
  put(&out[20], h.capacity);
  put(&out[24], h.data_start);
  put(&out[32], h.data_limit);
  put(&out[40], to_ms(h.created));
  put(&out[56], check(out.first(56), 0));
}

std::optional<file_header> decode_header(std::span<const std::byte, header_size> in) noexcept {
  if (std::memcmp(in.data(), magic, sizeof magic) != 0) return {};
  if (get<std::uint64_t>(&in[56]) != check(in.first(56), 0)) return {};
  file_header h;
  h.number = file_number{get<std::uint64_t>(&in[8])};
  h.generation = get<std::uint32_t>(&in[16]);
  h.capacity = get<std::uint32_t>(&in[20]);
  h.data_start = get<std::uint64_t>(&in[24]);
  h.data_limit = get<std::uint64_t>(&in[32]);
  h.created = from_ms(get<std::int64_t>(&in[40]));
  if (!plausible(h)) return {};
  return h;
}

std::optional<found_header> decode_header_page(bytes page_bytes) noexcept {
  std::optional<found_header> best;
  for (unsigned copy = 0; copy < 2; ++copy) {
    const auto at = copy * header_copy_distance;
    if (page_bytes.size() < at + header_size) break;
    const auto h = decode_header(page_bytes.subspan(at).first<header_size>());
    if (h && (!best || h->generation > best->header.generation)) best = found_header{*h, copy};
  }
  return best;
}

void encode(const entry& e, const message_id& id, std::span<std::byte, entry_constant_size> out) noexcept {
  std::memset(out.data(), 0, out.size());
  put(&out[4], id.generation);
  put(&out[8], id.slot);
  out[12] = static_cast<std::byte>(e.priority);
  out[13] = static_cast<std::byte>(e.facts);
  put(&out[14], e.recipients);
  put(&out[16], e.record_offset);
  put(&out[24], e.content_length);
  put(&out[32], e.envelope_length);
  put(&out[36], e.longest_line);
  put(&out[40], to_ms(e.committed));
  put(&out[48], to_ms(e.not_before));
  put(&out[56], static_cast<std::uint64_t>(e.moved_from.file));
  put(&out[64], e.moved_from.generation);
  put(&out[68], e.moved_from.slot);
  if (e.host.size() <= longest_inline_host) {
    out[72] = static_cast<std::byte>(e.host.size());
    std::memcpy(&out[73], e.host.data(), e.host.size());
  } else {
    out[72] = static_cast<std::byte>(host_in_envelope);
  }
  put(&out[0], check32(out.subspan(4), seed(id)));
}

void encode(const message_state& s, std::uint32_t sequence, std::uint64_t with_seed,
            std::span<std::byte, state_size> out) noexcept {
  std::memset(out.data(), 0, out.size());
  put(&out[4], sequence);
  out[8] = static_cast<std::byte>(s.phase);
  out[9] = static_cast<std::byte>(s.why);
  put(&out[10], s.attempts);
  out[12] = static_cast<std::byte>(s.notices);
  out[13] = static_cast<std::byte>(s.phase == phase::held && s.hold_ends);
  put(&out[16], to_ms(s.next_attempt));
  put(&out[24], to_ms(s.changed));
  static_assert(sizeof s.finished == 32);
  std::memcpy(&out[32], &s.finished, sizeof s.finished);
  put(&out[0], check32(out.subspan(4), with_seed));
}

state_copies decode_states(std::span<const std::byte, 2 * state_size> in, std::uint64_t with_seed) noexcept {
  state_copies copies;
  int best = -1;
  for (unsigned copy = 0; copy < 2; ++copy) {
    const auto raw = in.subspan(copy * state_size, state_size);
    const auto sequence = get<std::uint32_t>(&raw[4]);
    if (sequence == 0 || get<std::uint32_t>(&raw[0]) != check32(raw.subspan(4), with_seed)) continue;
    if (std::to_integer<unsigned>(raw[8]) > static_cast<unsigned>(phase::bad)) continue;
    copies.sequence[copy] = sequence;
    if (best < 0 || sequence > copies.sequence[best]) best = static_cast<int>(copy);
  }
  if (best < 0) return copies;
  const std::byte* raw = &in[static_cast<unsigned>(best) * state_size];
  copies.state.phase = static_cast<phase>(raw[8]);
  copies.state.why = static_cast<reason>(raw[9]);
  copies.state.attempts = get<std::uint16_t>(raw + 10);
  copies.state.notices = std::to_integer<std::uint8_t>(raw[12]);
  copies.state.hold_ends = copies.state.phase == phase::held && (raw[13] & std::byte{1}) != std::byte{0};
  copies.state.next_attempt = from_ms(get<std::int64_t>(raw + 16));
  copies.state.changed = from_ms(get<std::int64_t>(raw + 24));
  std::memcpy(&copies.state.finished, raw + 32, sizeof copies.state.finished);
  return copies;
}

slot_content decode_entry(std::span<const std::byte, entry_size> in, const message_id& id,
                          state_copies& copies) {
  slot_content content;
  const auto constant = in.first<entry_constant_size>();
  const auto stored = get<std::uint32_t>(&in[0]);
  const auto generation = get<std::uint32_t>(&in[4]);
  const std::uint64_t slot_seed = seed(id);
  if (generation != id.generation || stored != check32(constant.subspan(4), slot_seed)) {
    // Nothing yet, or left from before a reset: empty. Anything else is a torn commit or damage.
    const message_id before{id.file, generation, id.slot};
    const bool leftover =
        generation < id.generation && generation > 0 && stored == check32(constant.subspan(4), seed(before));
    content.what = leftover || all_zero(constant) ? slot_content::kind::empty : slot_content::kind::damaged;
    return content;
  }
  entry& e = content.message.entry;
  e.slot = get<std::uint32_t>(&in[8]);
  e.priority = static_cast<priority>(in[12]);
  e.facts = static_cast<std::uint8_t>(in[13]);
  e.recipients = get<std::uint16_t>(&in[14]);
  e.record_offset = get<std::uint64_t>(&in[16]);
  e.content_length = get<std::uint64_t>(&in[24]);
  e.envelope_length = get<std::uint32_t>(&in[32]);
  e.longest_line = get<std::uint32_t>(&in[36]);
  e.committed = from_ms(get<std::int64_t>(&in[40]));
  e.not_before = from_ms(get<std::int64_t>(&in[48]));
  e.moved_from = {file_number{get<std::uint64_t>(&in[56])}, get<std::uint32_t>(&in[64]),
                  get<std::uint32_t>(&in[68])};
  const auto host_length = std::to_integer<std::size_t>(in[72]);
  if (host_length <= longest_inline_host) e.host.assign(reinterpret_cast<const char*>(&in[73]), host_length);
  copies = decode_states(in.subspan<entry_constant_size, 2 * state_size>(), slot_seed);
  content.message.state = copies.state;
  content.what = slot_content::kind::message;
  return content;
}

void encode(const record_header& r, const message_id& id,
            std::span<std::byte, record_header_size> out) noexcept {
  std::memset(out.data(), 0, out.size());
  std::memcpy(out.data(), record_magic, sizeof record_magic);
  put(&out[4], id.generation);
  put(&out[8], id.slot);
  put(&out[12], r.envelope_length);
  put(&out[16], r.content_length);
  put(&out[24], r.envelope_check);
  put(&out[32], r.content_check);
  put(&out[56], check(out.first(56), seed(id)));
}

std::optional<record_header> decode_record_header(std::span<const std::byte, record_header_size> in,
                                                  const message_id& id) noexcept {
  if (std::memcmp(in.data(), record_magic, sizeof record_magic) != 0) return {};
  if (get<std::uint64_t>(&in[56]) != check(in.first(56), seed(id))) return {};
  return record_header{get<std::uint32_t>(&in[12]), get<std::uint64_t>(&in[16]), get<std::uint64_t>(&in[24]),
                       get<std::uint64_t>(&in[32])};
}

}  // namespace mta::queue::format
