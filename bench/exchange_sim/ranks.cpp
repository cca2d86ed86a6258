// A rank of ./run-bench exchange-sim, run by smpirun: the exchanges of src/exchange/mpi, compiled
// for SimGrid's MPI, on tiles without values (no_data.cpp). All ranks are in one process and share
// its memory, which is how their times are gathered.
//
//   smpirun -np R*C … exchange-sim-ranks R C CORE BEFORE AFTER PLANES KIND CHUNK IN_FLIGHT
//
// KIND `owner` is the sum to the owners and the fill of their new values. Prints one line: seconds
// from the common start until the last rank has finished.

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "exchange/mpi/exchange.hpp"
#include "exchange_sim/case.hpp"

namespace {

using namespace ptyle;

double last_end = 0;  // of all ranks, simulated seconds

constexpr double common_start = 10;  // later than any rank is ready

void copy_nothing(smx_activity_t, void*, std::size_t) {}

SumKind kind_of(std::string_view name) {
  return *std::find_if(all_sum_kinds.begin(), all_sum_kinds.end(),
                       [&](SumKind kind) { return name_of(kind) == name; });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) return 2;
  std::array<i64, 10> number{};
  for (int i = 1; i < argc; ++i)
    if (i != 7) number[static_cast<std::size_t>(i)] = std::stoll(argv[i]);
  const auto [_0, rows, cols, core, before, after, planes, _7, chunk, in_flight] = number;
  const Mesh mesh =
      bench::equal_cores(static_cast<int>(rows), static_cast<int>(cols), core, {before, after});
  const SumKind kind = kind_of(argv[7]);

  const MpiWorld world(argc, argv);
  const ScheduleOptions options{.chunk = chunk, .in_flight = in_flight, .only = world.rank()};
  const auto planned = [&](const Schedule& schedule) {
    return make_mpi_exchange<float>(world, {mesh, schedule, planes, 1, nullptr});
  };
  const auto sum = planned(sum_schedule(mesh, kind, options));
  const auto fill = planned(fill_schedule(mesh, options));
  const std::array<Stack<float>, 1> nothing;
  usleep(static_cast<useconds_t>(1e6 * (common_start - MPI_Wtime())));
  smpi_comm_set_copy_data_callback(copy_nothing);
  const double start = MPI_Wtime();
  sum->start(nothing).finish();
  if (kind == SumKind::owner) fill->start(nothing).finish();
  last_end = std::max(last_end, MPI_Wtime() - start);
  MPI_Barrier(MPI_COMM_WORLD);
  if (world.rank() == 0) fmt::print("seconds {:.9f}\n", last_end);
  return 0;
}
