// Options of Boost.Program_options with the values of config/values.hpp, which end up in the settings.
#pragma once

#include "config/values.hpp"

#include <boost/program_options/value_semantic.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace mta::config {

/// A typed option that hands its value on when the whole section has been read.
template <class T, class Take>
boost::program_options::typed_value<T>* value_for(Take take) {
  return boost::program_options::value<T>()->notifier([take](const T& v) { take(v.value); });
}

/// An option that goes straight into a variable.
template <class T, class Field>
boost::program_options::typed_value<T>* into(Field& field) {
  return value_for<T>([&field](const auto& v) {
    if constexpr (std::is_same_v<Field, std::optional<std::uint32_t>>)
      field = static_cast<std::uint32_t>(v);
    else if constexpr (std::is_arithmetic_v<Field>)
      field = static_cast<Field>(v);
    else if constexpr (requires { std::chrono::duration_cast<Field>(v); })
      field = std::chrono::duration_cast<Field>(v);
    else
      field = v;
  });
}

using count = number<1, 1'000'000>;
using wait = duration<1000, 366ll * 24 * 3600 * 1000>;

}  // namespace mta::config
