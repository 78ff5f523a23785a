// The version of jobctl, from the project's CMakeLists.txt.
#pragma once

namespace jobctl {
inline constexpr const char* version = JOBCTL_VERSION;
}
