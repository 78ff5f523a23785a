// One message being taken apart, and, when there is an output, written again.
//
// Lines arrive one by one. An entity's header waits in the spool until it is known what it is the header of:
// an entity that is opened is written as it is; a part is presented, and waits in the spool, when there is an
// output, until its fate is decided. A multipart counts as opened when its first delimiter has come.
//
// Thread safety: none.
#pragma once

#include "mime/content_decoder.hpp"
#include "mime/header_fields.hpp"
#include "mime/line_splitter.hpp"
#include "mime/line_writer.hpp"
#include "mime/spool.hpp"

#include <mta/mime.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mta::mime::detail {

class decoding {
 public:
  /// Deepest nesting that is opened, whatever the options say.
  static constexpr std::size_t levels_limit = 1000;

  decoding(visitor&, const output*, const options&);
  decoding(const decoding&) = delete;
  decoding& operator=(const decoding&) = delete;

  result<> feed(const line_piece&);
  result<> finish();
  const summary& seen() const noexcept { return summary_; }

  // What a part asks for; it happens when the visitor has returned.
  std::size_t part_number() const noexcept { return summary_.parts - 1; }
  bool part_unparsed() const noexcept { return unparsed_; }
  bool decidable() const noexcept { return writer_ && fate_ == fate::open; }
  result<> keep();
  result<> remove();
  result<> replace(const replacement&);

 private:
  enum class place : std::uint8_t { header, preamble, body, epilogue, unparsed_rest };
  enum class fate : std::uint8_t { open, kept, removed };
  struct level {
    entity_facts facts;
    bool delimited = false;                // a multipart with a boundary
    std::size_t written = 0, dropped = 0;  // children
  };

  struct match {
    std::size_t level;
    bool closes;
  };
  std::optional<match> find_delimiter(std::string_view line) const;
  result<> on_delimiter(const match&, const line_piece&);
  result<> in_header(const line_piece&);
  result<> in_body(const line_piece&);

  void begin_entity(bool is_message);
  result<> end_header();
  result<> end_entity(bool delimiter_follows);
  void push_level(entity_facts&&, bool delimited);
  result<> pop_level();
  void forget_level();
  result<> opened();
  result<> not_opened();

  result<> begin_part(entity_facts&&, bool unparsed);
  result<> end_part(bool delimiter_follows);
  result<> visit(const piece&);
  result<> present_header_line(const line_piece&);
  result<> settle();
  result<> decide(fate);
  void count_child(bool written);

  result<> write(const line_piece&);
  result<> write_held();
  result<> write_held_encoded(bool delimiter_follows);
  result<> write_substitute();
  bool held_has_long_line() const;

  visitor& visitor_;
  std::optional<line_writer> writer_;
  options options_;
  summary summary_;

  std::vector<level> levels_;
  std::map<std::string, std::size_t, std::less<>> delimiters_;  // boundary: the outermost level that has it
  place place_ = place::header;
  bool is_message_ = true;       // the present entity is a message, and has a message's header
  bool header_begun_ = false;    // a line of it has come
  bool separator_seen_ = false;  // the blank line after it
  header_fields fields_;
  spool held_;  // the present entity so far

  // The present part; its facts stay until the next one's.
  entity_facts facts_;
  part part_;
  bool unparsed_ = false;
  content_decoder content_;
  fate fate_ = fate::open;
  bool settled_ = false;    // what was decided has been done
  bool replaying_ = false;  // what is held is being presented, and must not change
  std::optional<std::string> substitute_header_, substitute_text_;
};

}  // namespace mta::mime::detail
