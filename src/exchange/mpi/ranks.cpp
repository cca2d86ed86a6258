#include "exchange/mpi/ranks.hpp"

#include "exchange/mpi/communicator.hpp"

namespace ptyle {

MpiRanks::MpiRanks(const MpiWorld& world) : world_(&world), rank_(world.rank()) {}

MpiRanks::MpiRanks(const MpiWorld& world, std::span<const int> rank_of)
    : world_(&world),
      rank_(rank_of[static_cast<std::size_t>(world.rank())]),
      communicator_(std::make_shared<const Communicator>(world, rank_)) {}

Communicator::Communicator(const MpiRanks& ranks) : world_(ranks.world()) {
  MPI_Request request = MPI_REQUEST_NULL;
  const MPI_Comm all = ranks.communicator() ? ranks.communicator()->get() : world_.handle().comm;
  check_mpi(MPI_Comm_idup(all, &comm_, &request), "MPI_Comm_idup");
  wait_for(world_, request);
}

Communicator::Communicator(const MpiWorld& world, int rank) : world_(world) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(world.handle().comm, &request), "MPI_Ibarrier");
  wait_for(world, request);  // MPI_Comm_split blocks, and nobody would hear of a failure within it
  check_mpi(MPI_Comm_split(world.handle().comm, 0, rank, &comm_), "MPI_Comm_split");
}

}  // namespace ptyle
