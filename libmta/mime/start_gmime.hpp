// GMime is told once, whoever needs it first: its own initialisation may not run twice at a time.
// Thread safety: any thread.
#pragma once

#include <gmime/gmime.h>

namespace mta::mime::detail {

/// Never shut down: other users of it may be in the process.
inline void start_gmime() {
  static const bool started = [] {
    g_mime_init();
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace mta::mime::detail
