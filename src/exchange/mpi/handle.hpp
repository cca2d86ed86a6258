#pragma once

#include <mpi.h>

namespace ptyle {

/// The communicator of a world's processes, on which only news of failures travel.
struct MpiHandle {
  MPI_Comm comm = MPI_COMM_WORLD;
};

/// MPI has started and not ended: what is freed later is gone already.
inline bool is_running() {
  int started = 0, ended = 0;
  return MPI_Initialized(&started) == MPI_SUCCESS && MPI_Finalized(&ended) == MPI_SUCCESS &&
         started != 0 && ended == 0;
}

}  // namespace ptyle
