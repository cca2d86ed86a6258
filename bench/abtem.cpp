// How far is ptyle's simulator from abTEM's? Atoms, cell, slicing and optics come from the file;
// slices, exit waves and patterns are made anew and compared with abTEM's. The last line is the
// worst R-factor of a pattern.
//
//   ./run-bench abtem [FILE]     (default: abtem_pbtio3.h5 in $PTYLE_DATA or ../shared/data)

#include <fmt/format.h>

#include <cstdlib>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "simulate/abtem_file.hpp"

int main(int argc, char** argv) {
  using namespace ptyle;
  const char* folder = std::getenv("PTYLE_DATA");
  const std::string file =
      argc > 1 ? argv[1] : std::string(folder ? folder : "../shared/data") + "/abtem_pbtio3.h5";
  try {
    const AbtemComparison c = compare_with_abtem(file, available_threads());
    fmt::print("{}: {} x {} pixels, {} slices, {} potentials, {} positions\n", file, c.ny, c.nx,
               c.slices.size(), c.parametrization, c.positions.size());
    fmt::print("relative errors (L2) of ptyle against abTEM\n\n");
    fmt::print("slice   potential   within the band limit\n");
    for (std::size_t z = 0; z < c.slices.size(); ++z)
      fmt::print("{:5}   {:9.2e}   {:9.2e}\n", z, c.slices[z].error, c.slices[z].error_in_band);
    fmt::print("\nposition   probe      exit wave   pattern    R-factor\n");
    for (std::size_t i = 0; i < c.positions.size(); ++i)
      fmt::print("{:8}   {:8.2e}   {:9.2e}   {:8.2e}   {:8.2e}\n", i, c.positions[i].probe,
                 c.positions[i].exit_wave, c.positions[i].pattern, c.positions[i].r_factor);
    fmt::print("\nabtem = {:.3g} R-factor\n", c.worst_r_factor());
  } catch (const UserError& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  }
  return 0;
}
