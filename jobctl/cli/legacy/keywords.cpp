#include "jobctl/cli/legacy/keywords.hpp"

#include <algorithm>

namespace jobctl::cli::legacy {
namespace {

using enum treatment;

constexpr std::string_view at_once =
    "jobs are made as soon as messages are due; a delivery window (window) confines them";
constexpr std::string_view obsolete = "without effect already where it comes from: everything is immediate";
constexpr std::string_view pmdf_queue = "PMDF only: every priority of a channel is in the channel's pool";
constexpr std::string_view header_deferral =
    "Deferred-delivery: of the header is not looked at; submit --at and the SDK's deferral always count";
constexpr std::string_view from_site =
    "one address and one name for the whole site: [jobctl] postmaster, [notify] name";
constexpr std::string_view texts = "notifications are as docs/notifications.md says, for all channels alike";
constexpr std::string_view smtp = "the business of the program that speaks SMTP, which does not come along";

constexpr keyword table[] = {
    // scheduling
    {"pool", value, 1, "pool", ""},
    {"maxjobs", value, 1, "maxjobs", ""},
    {"filesperjob", value, 1, "filesperjob", ""},
    {"addrsperjob", dropped, 1, "",
     "processes are counted by messages (filesperjob) and threads (threaddepth), not by recipients"},
    {"threaddepth", value, 1, "threaddepth", ""},
    {"after", dropped, 1, "", at_once},
    {"urgentafter", dropped, 1, "", at_once},
    {"normalafter", dropped, 1, "", at_once},
    {"nonurgentafter", dropped, 1, "", at_once},
    {"secondclassafter", dropped, 1, "", at_once},
    {"thirdclassafter", dropped, 1, "", at_once},
    {"immediate", dropped, 0, "", obsolete},
    {"immurgent", dropped, 0, "", obsolete},
    {"immnormal", dropped, 0, "", obsolete},
    {"immnonurgent", dropped, 0, "", obsolete},
    {"periodic", dropped, 0, "", obsolete},
    {"period", dropped, 1, "", obsolete},
    {"minperiodicnonurgent", dropped, 1, "", obsolete},
    {"minperiodicnormal", dropped, 1, "", obsolete},
    {"minperiodicurgent", dropped, 1, "", obsolete},
    {"maxperiodicnonurgent", dropped, 1, "", obsolete},
    {"maxperiodicnormal", dropped, 1, "", obsolete},
    {"maxperiodicurgent", dropped, 1, "", obsolete},
    {"urgentqueue", dropped, 1, "", pmdf_queue},
    {"normalqueue", dropped, 1, "", pmdf_queue},
    {"nonurgentqueue", dropped, 1, "", pmdf_queue},
    {"maxfiles", dropped, 1, "", "without effect already where it comes from"},
    {"master", dropped, 0, "", "a channel with a program has a master, one with slave and poll a slave"},
    {"slave", dropped, 0, "", "a channel without program is what this said"},
    {"bidirectional", dropped, 0, "", "a channel may have both, program and slave"},
    {"deferred", dropped, 1, "", header_deferral},
    {"deferreddestination", dropped, 1, "", header_deferral},
    {"deferredsource", dropped, 1, "", header_deferral},
    {"nodeferred", dropped, 0, "", header_deferral},
    {"nodeferreddestination", dropped, 0, "", header_deferral},
    {"nodeferredsource", dropped, 0, "", header_deferral},
    {"futurerelease", dropped, 1, "", smtp},
    {"subdirs", dropped, 1, "", "many messages share a file, so one directory for each channel is enough"},
    {"single", fixed, 0, "group", "host"},
    {"single_sys", fixed, 0, "group", "host"},
    {"multiple", fixed, 0, "group", "channel"},
    {"addrsperfile", dropped, 1, "",
     "up to 256 recipients share a message; programs that enqueue may ask for fewer"},
    {"expandlimit", dropped, 1, "", "programs that enqueue set it (MTA_EXPAND_LIMIT)"},
    {"expandchannel", dropped, 1, "", "what MTA_EXPAND_LIMIT puts off always goes to the channel reprocess"},
    {"holdlimit", dropped, 1, "", "no limit of recipients puts a message on hold"},
    {"urgentblocklimit", value, 1, "urgentblocklimit", ""},
    {"normalblocklimit", value, 1, "normalblocklimit", ""},
    {"nonurgentblocklimit", dropped, 1, "", "there is no priority below nonurgent"},
    {"maxblocks", value, 1, "maxblocks", ""},
    {"maxlines", value, 1, "maxlines", ""},
    {"user", value, 1, "user", ""},
    {"daemon", dropped, 1, "", "a gateway is said where the route is: [routes] DOMAIN = CHANNEL via GATEWAY"},
    {"logging", fixed, 0, "logging", "yes"},
    {"nologging", fixed, 0, "logging", "no"},
    {"master_debug", dropped, 0, "", "an option of the program, if it has one (option.NAME)"},
    {"slave_debug", dropped, 0, "", "an option of the program, if it has one (option.NAME)"},
    {"nomaster_debug", dropped, 0, "", "an option of the program, if it has one (option.NAME)"},
    {"noslave_debug", dropped, 0, "", "an option of the program, if it has one (option.NAME)"},
    {"defragment", fixed, 0, "defragment", "yes"},
    {"nodefragment", fixed, 0, "defragment", "no"},
    // retry, expiry
    {"backoff", list, 8, "backoff", ""},
    {"urgentbackoff", list, 8, "urgentbackoff", ""},
    {"normalbackoff", list, 8, "normalbackoff", ""},
    {"nonurgentbackoff", list, 8, "nonurgentbackoff", ""},
    {"ipbackoff", dropped, 1, "", "a dead destination is the controller's business, not a keyword's"},
    {"notices", list, 5, "notices", ""},
    {"urgentnotices", list, 5, "urgentnotices", ""},
    {"normalnotices", list, 5, "normalnotices", ""},
    {"nonurgentnotices", list, 5, "nonurgentnotices", ""},
    // notification
    {"sendpost", fixed, 0, "sendpost", "always"},
    {"copysendpost", fixed, 0, "sendpost", "copy"},
    {"errsendpost", fixed, 0, "sendpost", "errors"},
    {"nosendpost", fixed, 0, "sendpost", "never"},
    {"warnpost", fixed, 0, "warnpost", "always"},
    {"copywarnpost", fixed, 0, "warnpost", "copy"},
    {"errwarnpost", fixed, 0, "warnpost", "errors"},
    {"nowarnpost", fixed, 0, "warnpost", "never"},
    {"postheadonly", dropped, 0, "", texts},
    {"postheadbody", dropped, 0, "", texts},
    {"returnaddress", dropped, 1, "", from_site},
    {"returnpersonal", dropped, 1, "", from_site},
    {"noreturnaddress", dropped, 0, "", from_site},
    {"noreturnpersonal", dropped, 0, "", from_site},
    {"aliaspostmaster", dropped, 0, "", from_site},
    {"returnenvelope", dropped, 1, "", "notifications have the empty envelope sender that RFC 5321 requires"},
    {"includefinal", dropped, 0, "", texts},
    {"suppressfinal", dropped, 0, "", texts},
    {"useintermediate", dropped, 0, "", texts},
    {"notificationchannel", dropped, 1, "", "notifications go where the routes of their recipient lead"},
    {"dispositionchannel", dropped, 1, "", "nothing here makes disposition notifications"},
    {"notary", dropped, 0, "", texts},
    {"nonotary", dropped, 0, "", texts},
    {"notifyforeign", dropped, 0, "", texts},
    {"language", dropped, 1, "", "the texts are the site's own, for all: [notify] templates"},
    {"deliveryflags", value, 1, "deliveryflags", ""},
    // often there, and nothing that a queue has to do with
    {"smtp", dropped, 0, "", smtp},
    {"smtp_cr", dropped, 0, "", smtp},
    {"smtp_crlf", dropped, 0, "", smtp},
    {"smtp_lf", dropped, 0, "", smtp},
    {"nosmtp", dropped, 0, "", smtp},
    {"lmtp", dropped, 0, "", smtp},
    {"mx", dropped, 0, "", smtp},
    {"nomx", dropped, 0, "", smtp},
    {"port", dropped, 1, "", smtp},
    {"defaulthost", dropped, 1, "", "[jobctl] host completes addresses"},
    {"defaultmx", dropped, 0, "", smtp},
    {"remotehost", dropped, 0, "", smtp},
    {"inner", dropped, 0, "", smtp},
    {"switchchannel", dropped, 0, "", smtp},
    {"noswitchchannel", dropped, 0, "", smtp},
    {"allowswitchchannel", dropped, 0, "", smtp},
    {"maytlsserver", dropped, 0, "", smtp},
    {"maytlsclient", dropped, 0, "", smtp},
    {"musttlsserver", dropped, 0, "", smtp},
    {"musttlsclient", dropped, 0, "", smtp},
    {"maysaslserver", dropped, 0, "", smtp},
    {"mustsaslserver", dropped, 0, "", smtp},
    {"saslswitchchannel", dropped, 1, "", smtp},
    {"tlsswitchchannel", dropped, 1, "", smtp},
    {"identnone", dropped, 0, "", smtp},
    {"identnonenumeric", dropped, 0, "", smtp},
    {"sourcespamfilter1", dropped, 0, "", smtp},
    {"sourceroute", dropped, 0, "", "addresses are taken as they are"},
    {"viaaliasrequired", dropped, 0, "", "aliases are those of docs/aliases.md"},
    {"blocklimit", dropped, 1, "", "a message is refused for its size by the program that takes it in"},
    {"linelimit", dropped, 1, "", "a message is refused for its size by the program that takes it in"},
};

}  // namespace

std::span<const keyword> keywords() { return table; }

const keyword* find_keyword(std::string_view name) {
  const auto at = std::ranges::find(table, name, &keyword::name);
  return at == std::end(table) ? nullptr : &*at;
}

}  // namespace jobctl::cli::legacy
