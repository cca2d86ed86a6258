#pragma once

// The program on MPI's ranks of this machine. A benchmark that includes this is built with
// PTYLE_PROGRAM and PTYLE_MPIEXEC, the programs' names.

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "folder.hpp"
#include "io/result.hpp"

namespace ptyle::bench {

/// `mpirun -n RANKS ptyle reconstruct run.yaml` of the folder, into its "result"; `prefix` goes
/// before, each of `settings` by --set.
inline void run_on_ranks(const Folder& folder, const std::string& prefix, int ranks,
                         const std::vector<std::string>& settings) {
  std::string command = fmt::format(
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
      "OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none {} {} -n {} {} "
      "reconstruct {} --overwrite --set output.folder={}",
      prefix, PTYLE_MPIEXEC, ranks, PTYLE_PROGRAM, folder / "run.yaml", folder / "result");
  for (const std::string& setting : settings) command += " --set " + setting;
  const std::string log = folder / "log";
  if (std::system(fmt::format("{} > {} 2>&1", command, log).c_str()) == 0) return;
  std::ifstream in(log);
  throw std::runtime_error(std::string(std::istreambuf_iterator<char>(in), {}));
}

/// One value a rank. Throws std::runtime_error for another name.
inline const std::vector<double>& figure(const ResultFacts& facts, const std::string& name) {
  for (const RankFigure& one : facts.ranks)
    if (one.name == name) return one.values;
  throw std::runtime_error("the result has no figure " + name);
}

}  // namespace ptyle::bench
