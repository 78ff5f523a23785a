// What the commands have in common that order something of messages: hold, release, retry, route, bounce, rm.
// Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace jobctl::cli {

/// How an order is spoken of.
struct order_words {
  const char* api;        ///< its name in the API
  const char* done;       ///< "held"
  const char* would;      ///< "would be held"
  const char* unchanged;  ///< of those that are so already
  const char* in_hand;    ///< of those that somebody works on
};

/// Filters, ids, --all, --reason, --dry-run, --json. Operands are the option "ids".
void add_order_options(boost::program_options::options_description&);

/// Finds the messages, gives the order, prints what came of it; `fields` are those of this order alone.
int give_order(const invocation&, const order_words&, boost::json::object fields = {});

}  // namespace jobctl::cli
