// A delivery status notification as a message: multipart/report (RFC 6522) of a human part, a
// message/delivery-status part (RFC 3464) and the returned message or header.
//
// Thread safety: pure functions of their arguments, but for the site's template files, which are read.
#pragma once

#include "config/settings.hpp"
#include "notify/report.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mta::notify {

/// A header field that says that the postmaster got this notification: he is not told what becomes of it.
inline constexpr std::string_view postmaster_mark = "X-Notice-To";

struct composed {
  std::string text;                   ///< the whole message; lines end in LF or CRLF
  std::vector<std::string> problems;  ///< with templates, for the log
};

/// `reports` must not be empty, `to` is a canonical address. `marked`: with postmaster_mark. Errors: those of
/// subject::read, but errc::damaged.
result<composed> compose(const config::settings&, const subject&, std::span<const recipient_report> reports,
                         std::string_view to, bool marked);

/// The header of the message that is reported about, up to 256 KiB, without the blank line; empty if it is
/// damaged. Errors: those of subject::read.
result<std::string> header_of(const subject&);

}  // namespace mta::notify
