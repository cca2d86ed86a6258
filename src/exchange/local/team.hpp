#pragma once

#include <memory>

#include "exchange/team.hpp"

namespace ptyle {

/// `ranks` ranks, all in this process.
std::unique_ptr<Team> make_local_team(int ranks = 1);

}  // namespace ptyle
