#pragma once

// A simulated data set (HDF5; docs/formats), made piece by piece:
//
//   /patterns          (N, ky, kx) uint8, uint16, uint32 (counts) or float32 (expected values),
//                      DC at [ky/2, kx/2], one frame a chunk
//   /positions         float64 (N, 2)  (row, col) of the probe's centre from the centre of object
//                      pixel [0, 0], Å
//   /probe             complex64 (mode, y, x), centred; W² Σ|probe|² = a pattern's electrons
//   /object/phase      float32 (z, y, x)  rad, contiguous; with several configurations their mean
//   /object/configurations  float32 (configuration, z, y, x), where there are several
//   /atoms/{numbers, positions}  Z; (n, 3) (row, col, z), Å, same origin, at rest
//   /done              uint8 (N)  1 where the pattern is there
//   /truth/...         what a microscope would not tell, where the recipe has any of it: positions
//                      (N, 2) float64, the true ones; descan (N, 2) float64, the patterns' shifts,
//                      px; mask (ky, kx) uint8, 1 where a pixel is dead; gain (ky, kx) float64,
//                      of each pixel, 1 on average; numbers as attributes
//
// It bears the name "path.part" until all is there. A step is recorded after its data were flushed,
// so that an interrupted file is resumed where it stopped.

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"

namespace ptyle {

/// Contents of /truth.
struct DatasetTruth {
  std::vector<Position> positions;   ///< Å; empty: there is no /truth
  std::vector<Position> descan;      ///< px; empty: none
  View<const std::uint8_t, 2> dead;  ///< empty: none
  View<const double, 2> gains;       ///< of each detector pixel; empty: all are 1
  std::vector<std::pair<std::string, std::vector<double>>> numbers;
  struct ByPosition {
    std::string path, unit;
    std::vector<double> values;
  };
  std::vector<ByPosition> by_position;
};

/// Facts that are known before the first slice.
struct DatasetHeader {
  h5::Type pattern_type;
  i64 detector = 0;                 ///< ky = kx
  std::vector<Position> positions;  ///< Å; those that are reported
  DatasetTruth truth;
  Array<Complex<float>, 3> probe;
  std::array<i64, 3> object{};  ///< (z, y, x)
  int configurations = 1;
  i64 now = 0;  ///< of the patterns so many are to be made now: a new file needs room for them
  std::vector<Atom> atoms;  ///< empty: not written
  std::string recipe;       ///< decides the numbers; resuming asks for the same text
  std::vector<std::pair<std::string, std::vector<double>>> numbers;  ///< attributes of the file
  std::string version;
};

class SimulatedSet {
 public:
  /// Opens path.part where it holds the same recipe, else makes it. UserError where it (or a
  /// finished `path`) was made from another recipe and `overwrite` is false, or the disk has no
  /// room. Nothing: `path` itself is there, finished, from this recipe.
  static std::optional<SimulatedSet> open(const std::string& path, const DatasetHeader& header,
                                          bool overwrite);

  [[nodiscard]] bool object_done() const { return object_done_; }
  /// A slice of one configuration; `mean` goes to /object/phase where there are several.
  void write_slice(int configuration, i64 z, View<const float, 2> phase);
  void write_mean_slice(i64 z, View<const float, 2> phase);
  void finish_object();
  /// The box from (z, row, col) on, of the shape of `to`: (slices, rows, columns).
  void read_object(int configuration, const std::array<i64, 3>& from, View<float, 3> to) const;

  [[nodiscard]] const std::vector<std::uint8_t>& done() const { return done_; }
  /// Frames i of `numbers`, in the file's type or to be converted without loss: (n, ky, kx).
  template <class T>
  void write_patterns(const std::vector<i64>& numbers, View<const T, 3> frames) {
    h5::Dataset& set = patterns_;
    const auto [n, ny, nx] = frames.shape;
    for (i64 k = 0; k < n; ++k)
      set.write({numbers[static_cast<std::size_t>(k)], 0, 0}, {1, ny, nx},
                frames.data + k * ny * nx);
    record(numbers);
  }
  /// Closes the file and gives it its name, if all patterns are there (true).
  bool finish();
  /// Takes the unfinished file away.
  void discard();

 private:
  SimulatedSet(h5::File file, std::string path, const DatasetHeader& header);
  static h5::File create(const std::string& part, const DatasetHeader& header);
  void record(const std::vector<i64>& numbers);

  std::string path_;
  std::optional<h5::File> file_;
  h5::Dataset patterns_, phase_, configurations_, done_set_;
  int count_ = 1;  ///< of configurations
  bool object_done_ = false;
  std::vector<std::uint8_t> done_;
};

}  // namespace ptyle
