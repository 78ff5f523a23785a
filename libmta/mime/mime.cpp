// mta/mime.hpp onto the parts of this folder.
#include "base/text.hpp"
#include "dequeue/context.hpp"
#include "mime/conversion.hpp"
#include "mime/decoding.hpp"
#include "mime/header_fields.hpp"
#include "mime/line_splitter.hpp"

#include <mta/mime.hpp>

#include <algorithm>
#include <utility>

namespace mta::mime {
namespace {

constexpr std::size_t block_size = 256u << 10;  // bytes read from a message in hand at a time

result<summary> run(const input& in, const output* out, visitor& v, const options& o) {
  detail::decoding d(v, out, o);
  detail::conversion converter(o.convert_non_mime, o.temporary_directory,
                               [&d](const detail::line_piece& p) { return d.feed(p); });
  detail::line_splitter lines(in.ends(), [&](const detail::line_piece& p) { return converter.feed(p); });
  const input::reader read = in.open();
  while (true) {
    auto block = read();
    if (!block) return std::move(block).error();
    if (!*block) break;
    if (const auto fed = lines.feed(**block); !fed) return fed.error();
  }
  if (const auto done = lines.finish(); !done) return done.error();
  if (const auto done = converter.finish(); !done) return done.error();
  if (const auto done = d.finish(); !done) return done.error();
  summary seen = d.seen();
  seen.converted = converter.converted();
  return seen;
}

}  // namespace

input::input(message& m)
    : open_([&m]() -> reader {
        return [&m, buffer = std::make_shared<std::string>()] {
          return m.internal().next_block(*buffer, block_size);
        };
      }) {}

input::input(std::string_view whole)
    : open_([whole]() -> reader {
        return [whole, read = false]() mutable -> result<std::optional<std::string_view>> {
          if (std::exchange(read, true) || whole.empty()) return std::optional<std::string_view>();
          return std::optional(whole);
        };
      }) {}

output::output(submission& s) : output([&s](std::string_view bytes) { return s.write(bytes); }, 0) {}
output output::to_bytes(taker take) { return {std::move(take), 0}; }
output output::to_lines(taker take, std::size_t longest) {
  return {std::move(take), std::max<std::size_t>(longest, 80)};
}

std::string_view entity::type() const noexcept { return facts_->type; }
std::string_view entity::subtype() const noexcept { return facts_->subtype; }
bool entity::is(std::string_view type, std::string_view subtype) const noexcept {
  return facts_->type == type && facts_->subtype == subtype;
}
std::string_view entity::charset() const noexcept { return facts_->charset; }
std::string_view entity::disposition() const noexcept { return facts_->disposition; }
const std::vector<parameter>& entity::type_parameters() const noexcept { return facts_->type_parameters; }
const std::vector<parameter>& entity::disposition_parameters() const noexcept {
  return facts_->disposition_parameters;
}
std::string_view entity::filename() const noexcept { return facts_->filename; }
std::optional<std::string> entity::header(std::string_view name) const {
  return detail::find_field(facts_->text, name);
}
std::optional<std::string> entity::header_text(std::string_view name) const {
  auto value = header(name);
  if (value) *value = detail::decode_words(*value);
  return value;
}
std::size_t entity::depth() const noexcept { return facts_->depth; }

std::size_t part::number() const noexcept { return decoding_->part_number(); }
bool part::unparsed() const noexcept { return decoding_->part_unparsed(); }
bool part::decidable() const noexcept { return decoding_->decidable(); }
result<> part::keep() { return decoding_->keep(); }
result<> part::remove() { return decoding_->remove(); }
result<> part::replace(const replacement& r) { return decoding_->replace(r); }

visitor::~visitor() = default;
result<> visitor::enter(const entity&) { return {}; }
result<> visitor::leave(const entity&) { return {}; }

result<summary> decode(const input& in, visitor& v, const options& o) { return run(in, nullptr, v, o); }
result<summary> rewrite(const input& in, const output& out, visitor& v, const options& o) {
  return run(in, &out, v, o);
}

}  // namespace mta::mime
