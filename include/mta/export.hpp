// What libmta.so makes visible.
#pragma once

#if defined(__GNUC__)
#define MTA_API __attribute__((visibility("default")))
#else
#define MTA_API
#endif
