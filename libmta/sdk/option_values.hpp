// What mta_opt_t points to: options by name.
// Thread safety: read-only once made.
#pragma once

#include <map>
#include <string>

namespace mta::sdk {

struct option_values {
  std::map<std::string, std::string> values;  ///< by name in lower case; a later line wins
  bool borrowed = false;                      ///< somebody else's: mtaOptionFinish() leaves it alone
};

}  // namespace mta::sdk
