#include "session/pattern_disk.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "session/rank_memory.hpp"

namespace fs = std::filesystem;

namespace ptyle {

std::string nearest_folder(const std::string& folder) {
  std::error_code ignored;
  fs::path there = folder;
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  return there.empty() ? "." : there.string();
}

template <class T>
std::shared_ptr<Scratch> disk_for_patterns(const ReconstructConfig& config,
                                           const Division& division, int rank, double bytes,
                                           double budget,
                                           const std::function<void(const std::string&)>& log) {
  if (!patterns_on_disk<T>(config, division, rank, bytes, budget)) return {};
  const auto& o = config.output;
  auto disk = std::make_shared<Scratch>(!o.scratch.empty()  ? o.scratch
                                        : !o.folder.empty() ? nearest_folder(o.folder)
                                                            : fs::temp_directory_path().string());
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
