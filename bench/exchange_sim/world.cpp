// MPI's start and end (in place of src/exchange/mpi/world.cpp): SimGrid's MPI promises nothing about
// threads, which the program asks for and a simulated rank does not have.

#include "exchange/mpi/world.hpp"

#include <cstdlib>

#include "exchange/mpi/check.hpp"

namespace ptyle {

MpiWorld::MpiWorld(int& argc, char**& argv) {
  check_mpi(MPI_Init(&argc, &argv), "MPI_Init");
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
}

MpiWorld::~MpiWorld() {
  if (MPI_Finalize() != MPI_SUCCESS) std::abort();
}

void MpiWorld::abort(int status) const {
  MPI_Abort(MPI_COMM_WORLD, status);
  std::abort();
}

}  // namespace ptyle
