// The files of a legacy MTA, taken apart: job_controller.cnf (sections of options) and the channel blocks of
// imta.cnf. What can be read is read; what cannot is noted. Thread safety: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobctl::cli::legacy {

struct option_line {
  int number = 0;
  std::string name;  ///< lower case
  std::string value;
};

/// [POOL=name], [QUEUE=name], [CHANNEL=pattern], [PERIODIC_JOB=name]; the first of a file has neither kind
/// nor name.
struct section {
  int number = 0;
  std::string kind;  ///< lower case
  std::string name;
  std::vector<option_line> options;
};

struct channel_block {
  int number = 0;
  std::string name;
  std::vector<std::string>
      words;         ///< keywords and their arguments, quotes taken off; those of `defaults` first
  std::string host;  ///< official host name; may be empty
};

/// A line that could not be made use of.
struct note {
  int number = 0;
  std::string text;
};

struct job_controller_file {
  std::vector<section> sections;  ///< the first holds the global options
  std::vector<note> notes;
};
job_controller_file read_job_controller(std::string_view text);

struct channels_file {
  std::vector<channel_block> channels;
  std::vector<note> notes;
  int rewrite_rules = 0;  ///< lines before the first channel block
};
channels_file read_channels(std::string_view text);

}  // namespace jobctl::cli::legacy
