#include "enqueue/routing.hpp"

#include "enqueue/address.hpp"

namespace mta::enqueue {

result<routed> route(const config::settings& settings, std::string_view address,
                     std::string_view source_channel) {
  auto canonical = canonical_address(address, settings.host);
  if (!canonical) {
    const error& why = canonical.error();
    return error(why.code == errc::syntax ? make_error_code(errc::rejected) : why.code, why.context);
  }
  const std::string domain(split_address(*canonical).domain);
  const config::route_target* target = settings.find_route(domain, source_channel);
  if (target == nullptr)
    return error(errc::rejected,
                 "address \"" + printable(address) + "\": no route for " + domain +
                     (source_channel.empty() ? "" : " from channel " + std::string(source_channel)));
  return routed{target->channel, target->via.empty() ? domain : target->via, std::move(*canonical)};
}

}  // namespace mta::enqueue
