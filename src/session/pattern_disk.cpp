#include "session/pattern_disk.hpp"

#include <fmt/format.h>

#include "session/rank_memory.hpp"
#include "session/settings.hpp"

namespace ptyle {

template <class T>
std::shared_ptr<Scratch> disk_for_patterns(const ReconstructConfig& config,
                                           const Division& division, int rank, double bytes,
                                           double budget,
                                           const std::function<void(const std::string&)>& log) {
  if (!patterns_on_disk<T>(config, division, rank, bytes, budget)) return {};
  auto disk = std::make_shared<Scratch>(scratch_folder(config.output));
  log(fmt::format("memory does not hold {:.3g} GB of patterns{}: they lie in a file in {}",
                  1e-9 * bytes, division.sharing.mesh.ranks() > 1 ? " of rank 0" : "",
                  disk->folder()));
  return disk;
}

template std::shared_ptr<Scratch> disk_for_patterns<float>(
    const ReconstructConfig&, const Division&, int, double, double,
    const std::function<void(const std::string&)>&);
template std::shared_ptr<Scratch> disk_for_patterns<double>(
    const ReconstructConfig&, const Division&, int, double, double,
    const std::function<void(const std::string&)>&);

}  // namespace ptyle
