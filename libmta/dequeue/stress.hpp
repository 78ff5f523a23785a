// The way of report_stress() (mta/dequeue.hpp) to the job controller: over the sessions of the dequeue loops
// that run in this process.
//
// Thread safety: any thread. Lifetime: the session must outlive the stress_line.
#pragma once

#include "wire/session.hpp"

namespace mta::dequeueing {

/// While it lives, stress is reported over the session.
class stress_line {
 public:
  explicit stress_line(wire::session&);
  ~stress_line();
  stress_line(const stress_line&) = delete;
  stress_line& operator=(const stress_line&) = delete;

 private:
  wire::session& session_;
};

}  // namespace mta::dequeueing
