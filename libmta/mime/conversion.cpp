#include "mime/conversion.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "mime/uuencode.hpp"

#include <algorithm>
#include <charconv>

namespace mta::mime::detail {
namespace {

/// What is not text of seven bits: NUL neither.
bool needs_8bit(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) <= 0; });
}

}  // namespace

conversion::conversion(bool wanted, std::string temporary_directory, taker next)
    : off_(!wanted), next_(std::move(next)), held_(std::move(temporary_directory)) {}

// --- looking

result<> conversion::examine(const line_piece& p) {
  if (!in_body_ && p.starts) {
    const bool blank = p.ends && p.data.empty();
    if (blank || !is_header_line(p.data, !header_begun_)) {
      entity_facts facts = fields_.finish(false, 0);
      if (facts.is_mime) {
        if (const auto done = pass_on(); !done) return done;
        return next_(p);
      }
      in_body_ = true;
      read_encoding_field(facts.encoding_field);
      if (blank) return held_.add(line_role::separator, p);
    }
  }
  if (!in_body_) {
    header_begun_ = true;
    fields_.add(p);
    return held_.add(line_role::header, p);
  }
  look_at(p.data, line_number_);
  if (p.starts) count_declared(p.data);
  if (p.ends) ++line_number_;
  return held_.add(line_role::content, p);
}

/// There is nothing to convert.
result<> conversion::pass_on() {
  off_ = true;
  const auto done = held_.each([this](line_role, const line_piece& p) { return next_(p); });
  held_.clear();
  return done;
}

void conversion::add_text(std::string_view line) {
  text_.blank = text_.blank && trim(line).empty();
  text_.eight_bit = text_.eight_bit || needs_8bit(line);
}

void conversion::look_at(std::string_view line, std::size_t number) {
  if (candidate_ && candidate_->kind == section_kind::binhex) {
    const auto state = binhex_->add(line);
    if (state == binhex_decoder::state::complete) return add_file(std::move(*candidate_), number + 1);
    if (state == binhex_decoder::state::wrong) candidate_.reset();
  } else if (candidate_) {
    if (trim(line) == "end") return add_file(std::move(*candidate_), number + 1);
    if (!is_uu_line(line)) candidate_.reset();
  }
  if (!candidate_ && found_.size() < most_files) {
    const auto uu_name = uu_begin(line);
    if (uu_name || binhex_begins(line)) {
      candidate_.emplace();
      candidate_->kind = uu_name ? section_kind::uuencode : section_kind::binhex;
      candidate_->first = number;
      if (uu_name) candidate_->name = *uu_name;
      text_before_ = text_;
      binhex_.emplace(binhex_decoder::taker(), binhex_decoder::taker());
    }
  }
  add_text(line);
}

/// The candidate is a file; what was before it is a text.
void conversion::add_file(section&& file, std::size_t end) {
  section before = text_before_;
  before.last = file.first;
  if (!before.blank) found_.push_back(std::move(before));
  file.last = end;
  found_.push_back(std::move(file));
  candidate_.reset();
  text_ = {};
  text_.first = end;
}

/// [count] keyword [information], ...; the last count may be missing (RFC 1154 3).
void conversion::read_encoding_field(std::string_view field) {
  while (!trim(field).empty()) {
    const auto comma = std::min(field.find(','), field.size());
    std::string_view one = trim(field.substr(0, comma));
    field.remove_prefix(std::min(comma + 1, field.size()));
    std::optional<std::size_t> count;
    std::size_t n = 0;
    const auto [end, failure] = std::from_chars(one.data(), one.data() + one.size(), n);
    if (failure == std::errc()) {
      count = n;
      one = trim(one.substr(static_cast<std::size_t>(end - one.data())));
    }
    if (one.empty() || count == std::size_t{0} || declared_.size() >= most_files ||
        (!counts_.empty() && !counts_.back())) {
      misdeclared_ = true;
      return;
    }
    section s;
    s.name = lower_case(one.substr(0, one.find_first_of(" \t")));
    s.kind = s.name == "message"                             ? section_kind::message
             : s.name == "postscript" || s.name == "ps"      ? section_kind::postscript
             : s.name == "uuencode" || s.name == "uuencoded" ? section_kind::uuencode
                                                             : section_kind::text;
    declared_.push_back(std::move(s));
    counts_.push_back(count);
  }
}

void conversion::count_declared(std::string_view line) {
  if (misdeclared_ || part_ >= declared_.size()) return;
  section& s = declared_[part_];
  if (counts_[part_] && lines_of_part_ == *counts_[part_]) {  // the blank line after it
    if (!trim(line).empty()) misdeclared_ = true;
    ++part_;
    lines_of_part_ = 0;
    if (part_ < declared_.size()) declared_[part_].first = declared_[part_].last = line_number_ + 1;
    return;
  }
  ++lines_of_part_;
  if (s.kind == section_kind::uuencode) {  // blank lines around the file are not of it
    if (trim(line).empty()) return;
    if (s.blank) s.first = line_number_;
  }
  s.eight_bit = s.eight_bit || needs_8bit(line);
  s.blank = false;
  s.last = line_number_ + 1;
}

/// Whether the lines are those that the field declares.
bool conversion::declared_fit() const noexcept {
  if (misdeclared_ || declared_.empty()) return false;
  if (declared_.size() == 1 && declared_.front().kind == section_kind::text) return false;  // as without it
  if (part_ >= declared_.size()) return declared_.back().last + 1 >= line_number_;
  return part_ + 1 == declared_.size() && (!counts_[part_] || lines_of_part_ == *counts_[part_]);
}

result<> conversion::finish() {
  if (off_) return {};
  // A uuencoded part has to be one of the files that were found, and nothing else.
  for (section& s : declared_) {
    if (s.kind != section_kind::uuencode) continue;
    const auto file = std::find_if(found_.begin(), found_.end(), [&](const section& f) {
      return f.kind == section_kind::uuencode && f.first >= s.first && f.last <= s.last;
    });
    if (file == found_.end())
      s.kind = section_kind::text;
    else if (file->first == s.first && file->last == s.last)
      s.name = file->name;
    else
      misdeclared_ = true;
  }
  if (declared_fit()) return write(declared_);
  if (found_.empty()) return pass_on();
  text_.last = line_number_ + 1;
  if (!text_.blank) found_.push_back(text_);
  return write(found_);
}

// --- writing

result<> conversion::write(const std::vector<section>& sections) {
  off_ = converted_ = true;
  const std::string boundary = "=_" + unique_name();
  if (const auto done = write_header(boundary); !done) return done;
  section_writer out(boundary, next_);
  std::size_t number = 0, next = 0;
  bool in_section = false;
  const auto done = held_.each([&](line_role role, const line_piece& p) -> result<> {
    if (role != line_role::content) return {};
    const std::size_t here = p.ends ? number++ : number;
    if (next == sections.size() || here < sections[next].first) return {};
    if (!in_section)
      if (const auto begun = out.begin(sections[next]); !begun) return begun;
    in_section = true;
    if (const auto written = out.line(p); !written) return written;
    if (!p.ends || here + 1 < sections[next].last) return {};
    in_section = false;
    ++next;
    return out.end();
  });
  if (!done) return done;
  if (const auto ended = out.end(); !ended) return ended;
  return next_({"--" + boundary + "--"});
}

result<> conversion::write_header(const std::string& boundary) {
  bool dropping = false;
  const auto done = held_.each([&](line_role role, const line_piece& p) -> result<> {
    if (role != line_role::header) return {};
    const bool continues =
        !p.starts || (!p.data.empty() && (p.data.front() == ' ' || p.data.front() == '\t'));
    if (!continues) dropping = equal_ignoring_case(p.data.substr(0, 9), "encoding:");
    return dropping ? result<>{} : next_({p.data, p.starts, p.ends, true});
  });
  if (!done) return done;
  if (const auto written = next_({"MIME-Version: 1.0"}); !written) return written;
  const auto type = next_({"Content-Type: multipart/mixed; boundary=\"" + boundary + "\""});
  return type ? next_({""}) : type;
}

}  // namespace mta::mime::detail
