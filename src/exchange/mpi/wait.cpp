#include "exchange/mpi/wait.hpp"

#include <stdexcept>

#include "core/pulse.hpp"
#include "exchange/mpi/check.hpp"

namespace ptyle {

int finished_of(std::span<MPI_Request> requests, std::span<int> numbers) {
  int count = 0;
  check_mpi(MPI_Testsome(static_cast<int>(requests.size()), requests.data(), &count, numbers.data(),
                         MPI_STATUSES_IGNORE),
            "MPI_Testsome");
  if (count == MPI_UNDEFINED) throw std::logic_error("an exchange waits for no message");
  return count;
}

int wait_for_some(const MpiWorld& world, std::span<MPI_Request> requests, std::span<int> numbers) {
  for (;;) {
    const int count = finished_of(requests, numbers);
    if (count > 0) {
      beat();
      return count;
    }
    world.watch();
  }
}

void wait_for(const MpiWorld& world, MPI_Request& request) {
  for (int done = 0;;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done) return beat();
    world.watch();
  }
}

}  // namespace ptyle
