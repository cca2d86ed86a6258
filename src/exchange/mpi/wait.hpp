#pragma once

#include <mpi.h>

#include <span>

#include "exchange/mpi/world.hpp"

namespace ptyle {

/// Which requests have finished: writes their numbers and returns how many. Throws std::logic_error
/// if there is none to wait for.
int finished_of(std::span<MPI_Request> requests, std::span<int> numbers);

/// The same of at least one: waits for it, and watches for ranks that have failed or stand still.
int wait_for_some(const MpiWorld& world, std::span<MPI_Request> requests, std::span<int> numbers);

/// The same of a single request.
void wait_for(const MpiWorld& world, MPI_Request& request);

}  // namespace ptyle
