#include "mime/decoding.hpp"

#include <algorithm>

namespace mta::mime::detail {

decoding::decoding(visitor& v, const output* out, const options& o)
    : visitor_(v),
      options_(o),
      held_(o.temporary_directory),
      part_(facts_, *this),
      content_(o.piece_size, [this](const piece& x) { return fate_ == fate::open ? visit(x) : result<>{}; }) {
  if (out != nullptr) writer_.emplace(*out);
  options_.levels_max = std::min(options_.levels_max, levels_limit);
  options_.piece_size = std::max<std::size_t>(options_.piece_size, 1);
}

result<> decoding::feed(const line_piece& p) {
  if (place_ == place::unparsed_rest) return write(p);
  if (p.starts && p.ends && !delimiters_.empty() && p.data.starts_with("--")) {
    if (const auto found = find_delimiter(p.data)) return on_delimiter(*found, p);
  }
  switch (place_) {
    case place::header: return in_header(p);
    case place::preamble: return held_.add(line_role::content, p);
    case place::body: return in_body(p);
    default: return write(p);
  }
}

result<> decoding::finish() {
  if (place_ != place::unparsed_rest) {
    if (const auto done = end_entity(false); !done) return done;
  }
  while (!levels_.empty())
    if (const auto done = pop_level(); !done) return done;
  return writer_ ? writer_->finish() : result<>{};
}

// --- structure

/// RFC 2046 5.1.1: two hyphens, the boundary, two more at the end of the multipart, blanks.
std::optional<decoding::match> decoding::find_delimiter(std::string_view line) const {
  line.remove_prefix(2);
  const auto last = line.find_last_not_of(" \t");
  if (last == line.npos) return {};
  line = line.substr(0, last + 1);
  if (const auto at = delimiters_.find(line); at != delimiters_.end()) return match{at->second, false};
  if (!line.ends_with("--")) return {};
  line.remove_suffix(2);
  if (const auto at = delimiters_.find(line); at != delimiters_.end()) return match{at->second, true};
  return {};
}

result<> decoding::on_delimiter(const match& found, const line_piece& p) {
  if (place_ == place::preamble && found.level == levels_.size() - 1) {
    if (found.closes) {  // no part in it
      if (const auto done = not_opened(); !done) return done;
      return feed(p);
    }
    if (const auto done = opened(); !done) return done;
  } else if (const auto done = end_entity(true); !done) {
    return done;
  }
  while (levels_.size() > found.level + 1)
    if (const auto done = pop_level(); !done) return done;
  if (place_ == place::unparsed_rest) return write(p);
  if (found.closes) {
    if (const auto done = pop_level(); !done) return done;
    place_ = place::epilogue;
    return write(p);
  }
  begin_entity(false);
  return held_.add(line_role::delimiter, p);
}

void decoding::push_level(entity_facts&& facts, bool delimited) {
  if (delimited) delimiters_.try_emplace(*facts.boundary, levels_.size());
  levels_.push_back({std::move(facts), delimited});
}

/// The present level is over. A multipart has at least one part (RFC 2046 5.1.1): when all were removed, an
/// empty one is put there.
result<> decoding::pop_level() {
  const level& l = levels_.back();
  if (l.delimited && l.written == 0 && l.dropped > 0 && place_ != place::unparsed_rest) {
    if (const auto done = write({"--" + *l.facts.boundary}); !done) return done;
    if (const auto done = write({""}); !done) return done;
  }
  if (const auto done = visitor_.leave(entity(l.facts)); !done) return done;
  forget_level();
  return {};
}

void decoding::forget_level() {
  const level& l = levels_.back();
  if (l.delimited) {
    const auto at = delimiters_.find(*l.facts.boundary);
    if (at != delimiters_.end() && at->second == levels_.size() - 1) delimiters_.erase(at);
  }
  levels_.pop_back();
}

/// The present level has turned out to be what its header said.
result<> decoding::opened() {
  if (levels_.size() > 1) ++levels_[levels_.size() - 2].written;
  if (const auto done = visitor_.enter(entity(levels_.back().facts)); !done) return done;
  const auto done = write_held();
  held_.clear();
  return done;
}

/// A multipart without parts is a text.
result<> decoding::not_opened() {
  entity_facts facts = std::move(levels_.back().facts);
  levels_.back().facts.boundary = facts.boundary;
  forget_level();
  return begin_part(std::move(facts), true);
}

void decoding::begin_entity(bool is_message) {
  place_ = place::header;
  is_message_ = is_message;
  header_begun_ = separator_seen_ = false;
  fields_ = {};
  held_.clear();
}

result<> decoding::in_header(const line_piece& p) {
  if (p.starts && p.ends && p.data.empty()) {
    separator_seen_ = true;
    if (const auto done = held_.add(line_role::separator, p); !done) return done;
    return end_header();
  }
  if (p.starts && !is_header_line(p.data, is_message_ && !header_begun_)) {  // the blank line is missing
    if (const auto done = end_header(); !done) return done;
    return feed(p);
  }
  header_begun_ = true;
  fields_.add(p);
  return held_.add(line_role::header, p);
}

result<> decoding::end_header() {
  const bool in_digest = !is_message_ && !levels_.empty() && levels_.back().facts.type == "multipart" &&
                         levels_.back().facts.subtype == "digest";
  entity_facts facts = fields_.finish(in_digest, levels_.size());
  const bool multipart = facts.type == "multipart";
  const bool any_message =
      facts.type == "message" && (facts.subtype == "rfc822" || facts.subtype == "global");
  const bool message = any_message && facts.encoding == transfer_encoding::identity;
  if (!multipart && !message) return begin_part(std::move(facts), any_message);
  if (multipart && !facts.boundary) return begin_part(std::move(facts), true);
  if (levels_.size() >= options_.levels_max) {
    summary_.levels_limited = true;
    return begin_part(std::move(facts), true);
  }
  push_level(std::move(facts), multipart);
  if (multipart) {
    place_ = place::preamble;
    return {};
  }
  if (const auto done = opened(); !done) return done;
  begin_entity(true);
  return {};
}

/// The present entity is over: a delimiter has come, or the end of the message.
result<> decoding::end_entity(bool delimiter_follows) {
  if (place_ == place::header) {
    if (const auto done = end_header(); !done) return done;
    if (place_ == place::header) return end_entity(delimiter_follows);  // a message without a message
  }
  if (place_ == place::preamble) {
    if (const auto done = not_opened(); !done) return done;
  }
  return place_ == place::body ? end_part(delimiter_follows) : result<>{};
}

// --- parts

/// What is held of it is presented: its header, and, of a multipart that was none, its content.
result<> decoding::begin_part(entity_facts&& facts, bool unparsed) {
  if (summary_.parts >= options_.parts_max) {
    summary_.parts_limited = true;
    place_ = place::unparsed_rest;
    const auto done = write_held();
    held_.clear();
    return done;
  }
  place_ = place::body;
  facts_ = std::move(facts);
  unparsed_ = unparsed;
  ++summary_.parts;
  fate_ = fate::open;
  settled_ = false;
  substitute_header_.reset();
  substitute_text_.reset();
  const bool is_text = facts_.type == "text" || facts_.type == "message" || unparsed;
  content_.begin(is_text ? piece_kind::text : piece_kind::binary, facts_.encoding);
  replaying_ = true;
  const auto presented = held_.each([this](line_role role, const line_piece& p) -> result<> {
    if (fate_ != fate::open) return {};
    if (role == line_role::header) return present_header_line(p);
    return role == line_role::content ? content_.line(p) : result<>{};
  });
  replaying_ = false;
  if (!presented) return presented;
  if (!writer_) held_.clear();
  return settle();
}

result<> decoding::present_header_line(const line_piece& p) {
  std::string_view data = p.data;
  while (data.size() > options_.piece_size && fate_ == fate::open) {
    if (const auto done = visitor_.visit(part_, {piece_kind::header, data.substr(0, options_.piece_size)});
        !done)
      return done;
    data.remove_prefix(options_.piece_size);
  }
  if (fate_ != fate::open) return {};
  return visitor_.visit(part_, {piece_kind::header, data, p.ends});
}

result<> decoding::in_body(const line_piece& p) {
  if (writer_ && !settled_) {
    if (const auto done = held_.add(line_role::content, p); !done) return done;
  } else if (fate_ == fate::kept) {
    return write(p);
  }
  return fate_ == fate::open ? content_.line(p) : result<>{};
}

result<> decoding::visit(const piece& x) {
  if (const auto done = visitor_.visit(part_, x); !done) return done;
  return settle();
}

result<> decoding::end_part(bool delimiter_follows) {
  // A multipart whose last delimiter is missing ends as if it had come.
  delimiter_follows = delimiter_follows || !delimiters_.empty();
  if (fate_ == fate::open) {
    if (const auto done = content_.end(delimiter_follows); !done) return done;
  }
  if (fate_ == fate::open) {
    if (const auto done = visit({piece_kind::end}); !done) return done;
  }
  if (!writer_) return {};
  if (fate_ == fate::open) fate_ = fate::kept;
  count_child(fate_ == fate::kept || substitute_text_);
  if (!settled_) {
    const auto done = held_has_long_line() ? write_held_encoded(delimiter_follows) : write_held();
    if (!done) return done;
  }
  held_.clear();
  return {};
}

void decoding::count_child(bool written) {
  if (levels_.empty()) return;
  ++(written ? levels_.back().written : levels_.back().dropped);
}

result<> decoding::decide(fate what) {
  if (!writer_) return error(errc::out_of_range, "decide about a part (nothing is being written)");
  if (fate_ != fate::open)
    return error(errc::out_of_range, "decide about a part (it has been decided already)");
  fate_ = what;
  return {};
}

result<> decoding::keep() { return decide(fate::kept); }

result<> decoding::remove() {
  const auto decided = decide(fate::removed);
  if (decided) summary_.changed = true;
  return decided;
}

}  // namespace mta::mime::detail
