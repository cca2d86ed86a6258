#pragma once

#include <memory>

#include "exchange/mpi/world.hpp"
#include "exchange/team.hpp"

namespace ptyle {

/// Every process of the world is a rank. The team must end before the world.
std::unique_ptr<Team> make_mpi_team(const MpiWorld& world);

}  // namespace ptyle
