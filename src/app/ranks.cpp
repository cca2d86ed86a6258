#include "app/ranks.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#ifdef PTYLE_MPI
#include "exchange/mpi/team.hpp"
#include "exchange/mpi/world.hpp"
#endif

namespace ptyle {

// Open MPI's, MPICH's (and Intel's) and Slurm's launchers say so in the environment. Without one
// MPI is not started: it would cost time, and where MPI is not set up fail.
bool started_by_launcher() {
  constexpr std::array names{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK",
                             "MPI_LOCALNRANKS"};
  return std::any_of(names.begin(), names.end(),
                     [](const char* name) { return std::getenv(name) != nullptr; });
}

#ifdef PTYLE_MPI
Ranks::Ranks(int& argc, char**& argv) {
  if (started_by_launcher()) {
    world_ = std::make_unique<MpiWorld>(argc, argv);
    team_ = make_mpi_team(*world_);
  } else {
    team_ = make_local_team();
  }
}
#else
class MpiWorld {};

Ranks::Ranks(int&, char**&) : team_(make_local_team()) {
  if (started_by_launcher())
    throw UserError(
        "this ptyle is built without MPI: start it without mpirun or srun, or build it where an "
        "MPI (libopenmpi-dev) is installed");
}
#endif

Ranks::~Ranks() = default;

void Ranks::fail([[maybe_unused]] int status, [[maybe_unused]] const std::string& sentence) const {
#ifdef PTYLE_MPI
  if (world_ && world_->size() > 1) world_->fail(status, sentence);
#endif
}

void Ranks::fail([[maybe_unused]] const RankFailed& other) const {
#ifdef PTYLE_MPI
  if (world_) world_->fail(other);
#endif
}

}  // namespace ptyle
