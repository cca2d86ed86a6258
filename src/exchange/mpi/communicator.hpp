#pragma once

#include <mpi.h>

#include <exception>

#include "exchange/mpi/check.hpp"
#include "exchange/mpi/handle.hpp"
#include "exchange/mpi/ranks.hpp"
#include "exchange/mpi/wait.hpp"

namespace ptyle {

/// A communicator of our own, so that messages of two exchanges are never confused.
class Communicator {
 public:
  /// Made by all ranks together, which look for news of a failure meanwhile.
  explicit Communicator(const MpiRanks& ranks);
  /// All processes in another order, in which this one has `rank`.
  Communicator(const MpiWorld& world, int rank);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  /// Freeing is done by all together: not on the way out of an error, which the others may not
  /// share.
  ~Communicator() {
    if (!leaked_ && !world_.broken() && std::uncaught_exceptions() == 0 && is_running())
      MPI_Comm_free(&comm_);
  }
  [[nodiscard]] MPI_Comm get() const { return comm_; }
  /// It has messages on their way that nobody will take: freeing it could wait for them.
  void leak() { leaked_ = true; }

 private:
  const MpiWorld& world_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  bool leaked_ = false;
};

}  // namespace ptyle
