// The error and result types are part of the public interface; see there.
#pragma once

#include <mta/error.hpp>
