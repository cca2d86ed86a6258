#pragma once

// The files of a checkpoint, as they are written (checkpoint.cpp) and read (checkpoint_reader.cpp).

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/box.hpp"
#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/rows_at_a_time.hpp"

namespace ptyle::checkpoint_files {

namespace fs = std::filesystem;

constexpr i64 format = 1;

struct Names {
  explicit Names(const std::string& folder)
      : current(fs::path(folder.empty() ? "." : folder) / "checkpoint"),
        part(current.string() + ".part"),
        old(current.string() + ".old") {}
  fs::path current, part, old;
};

inline std::string rank_file(int rank) { return fmt::format("rank-{:04}.h5", rank); }

inline Box read_box(const h5::File& file, const std::string& dataset) {
  const auto four = file.read<i64>(dataset);
  if (four.size() != 4) throw UserError(dataset + " is no box");
  return {{four[0], four[1]}, {four[2], four[3]}};
}

/// True if the cores lie side by side in the object and reach all its sides. What no window reaches
/// may be in none (tiles/support).
inline bool divide(const std::vector<Box>& cores, const Box& object) {
  Box all;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    if (!object.contains(cores[i])) return false;
    all = hull(all, cores[i]);
    for (std::size_t j = 0; j < i; ++j)
      if (!intersection(cores[i], cores[j]).empty()) return false;
  }
  return all == object;
}

}  // namespace ptyle::checkpoint_files
