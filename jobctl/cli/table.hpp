// Aligned columns for people.
// Thread safety: none.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace jobctl::cli {

struct column {
  const char* title;
  bool right = false;  ///< numbers
};

/// Rows are printed in batches, so that a long listing begins at once; columns only grow from batch to batch.
class table {
 public:
  explicit table(std::vector<column>);
  /// One cell for each column; empty cells are printed as "-".
  void add(std::vector<std::string> cells);
  /// Prints the title (the first time) and the rows added since the last call.
  void flush(std::FILE*);

 private:
  void print_row(std::FILE*, const std::vector<std::string>& cells) const;

  std::vector<column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
  bool titled_ = false;
};

}  // namespace jobctl::cli
