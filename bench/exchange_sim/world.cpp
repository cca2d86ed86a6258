// MPI's start and end, and how a rank waits (in place of world.cpp and wait.cpp of
// src/exchange/mpi). SimGrid's MPI promises nothing about threads, which the program asks for and a
// simulated rank does not have. And a simulated rank must not poll, as no time goes by for it: it
// waits for what comes next.

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "exchange/mpi/check.hpp"
#include "exchange/mpi/wait.hpp"
#include "exchange/mpi/watchdog.hpp"

namespace ptyle {

// Nobody is watched.
struct Watchdog::Messages {};
Watchdog::~Watchdog() = default;
void Watchdog::send(bool) noexcept {}

MpiWorld::MpiWorld(int& argc, char**& argv) {
  check_mpi(MPI_Init(&argc, &argv), "MPI_Init");
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
}

MpiWorld::~MpiWorld() {
  if (MPI_Finalize() != MPI_SUCCESS) std::abort();
}

void MpiWorld::watch() const {}

/// Nothing is known of what is under way until somebody waits for it.
int finished_of(std::span<MPI_Request>, std::span<int>) { return 0; }

int wait_for_some(const MpiWorld&, std::span<MPI_Request> requests, std::span<int> numbers) {
  int count = 0;
  check_mpi(MPI_Waitsome(static_cast<int>(requests.size()), requests.data(), &count, numbers.data(),
                         MPI_STATUSES_IGNORE),
            "MPI_Waitsome");
  if (count == MPI_UNDEFINED) throw std::logic_error("an exchange waits for no message");
  return count;
}

void wait_for(const MpiWorld&, MPI_Request& request) {
  check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
}

}  // namespace ptyle
