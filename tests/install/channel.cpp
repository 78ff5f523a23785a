// A program outside the tree, against the installed C++ headers.
#include <mta/error.hpp>

#include <cstdio>

int main() {
  const mta::error e(mta::errc::gone, "message 1");
  const bool reads_well = e.message().starts_with("message 1: ");
  std::puts(e.message().c_str());
  return reads_well ? 0 : 1;
}
