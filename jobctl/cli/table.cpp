#include "jobctl/cli/table.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::cli {

table::table(std::vector<column> columns) : columns_(std::move(columns)) {
  for (const column& c : columns_) widths_.push_back(std::string_view(c.title).size());
}

void table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) cells[i].assign(1, '-');
    widths_[i] = std::max(widths_[i], cells[i].size());
  }
  rows_.push_back(std::move(cells));
}

void table::print_row(std::FILE* out, const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i) line += "  ";
    if (columns_[i].right)
      line += fmt::format("{:>{}}", cells[i], widths_[i]);
    else if (i + 1 < cells.size())
      line += fmt::format("{:<{}}", cells[i], widths_[i]);
    else
      line += cells[i];
  }
  line.resize(line.find_last_not_of(' ') + 1);
  fmt::print(out, "{}\n", line);
}

void table::flush(std::FILE* out) {
  if (!titled_) {
    std::vector<std::string> titles;
    for (const column& c : columns_) titles.emplace_back(c.title);
    print_row(out, titles);
    titled_ = true;
  }
  for (const auto& row : rows_) print_row(out, row);
  rows_.clear();
}

}  // namespace jobctl::cli
