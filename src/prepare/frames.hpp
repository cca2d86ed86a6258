#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// The detector's frames as they lie in a file; prepare() reads them through this, so that it needs
/// to know no file format. Frames are numbered slow · n_fast + fast where they are a raster.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  i64 count = 0, rows = 0, cols = 0;
  std::array<i64, 2> scan_shape{};  ///< (slow, fast) of a 4-D dataset; else 0
  bool is_integer = false;
  double largest = 0;     ///< of the integer type, e.g. 255; 0 for floats
  int bytes_a_value = 0;  ///< of the file's type
  std::string name;       ///< "dataset '/data' in 'file.h5'", for messages

  /// Frames [first, first + n), rows × cols each, one after another. An integer source is read with
  /// the first, a float source with the second.
  virtual void read(i64 first, i64 n, std::int64_t* to) = 0;
  virtual void read(i64 first, i64 n, float* to) = 0;
  /// The number of frames at a time that the source likes to be read.
  [[nodiscard]] virtual i64 preferred_run() const { return 1; }
};

/// A dataset of positions as it lies in a file: n rows of `columns` numbers.
struct RawPositions {
  std::vector<double> values;
  std::vector<i64> shape;  ///< (N, 2) or (slow, fast, 2); 3 at the end for (x, y, z)
  std::string unit;        ///< as its attribute says; empty: nothing
  std::string name;        ///< "dataset '/positions' in 'file.h5'"
  std::string others{};    ///< "/chunks/*/positions reads 3 more datasets with it"; empty: none
};

/// A dataset of bad pixels, nonzero = bad, of the frames' shape as they lie in the file.
struct RawMask {
  std::vector<std::uint8_t> bad;
  std::vector<i64> shape;
  std::string name;
};

/// A dataset of patterns to leave out: their numbers, or one value for each of the scan, nonzero =
/// left out.
struct RawSkip {
  std::vector<double> values;
  std::vector<i64> shape;
  std::string name;
};

/// Facts that the file itself states of the measurement; taken where the user gave nothing.
struct FileFacts {
  std::optional<double> pixel_size{};  ///< Å, of the whole frame
  std::optional<double> dk{};          ///< 1/Å, of a pixel of the frame
  std::optional<double> mrad_per_pixel{};
  std::optional<double> energy{};         ///< kV
  std::optional<double> xray_energy{};    ///< keV
  std::optional<double> semi_angle{};     ///< mrad
  std::optional<double> defocus{};        ///< Å, positive = underfocus
  std::array<i64, 2> scan_shape{};        ///< (slow, fast); 0: not said
  std::array<double, 2> scan_step{};      ///< Å; 0: not said
  std::optional<double> scan_rotation{};  ///< degrees
  std::optional<double> band_limit{};     ///< of the propagator that a set was simulated with
  /// The place of a key's value ("beam_energy of '/Experiments/…'"), if it is no attribute of
  /// the root group.
  std::map<std::string, std::string> where{};
  [[nodiscard]] bool states_calibration() const { return pixel_size || dk || mrad_per_pixel; }
  [[nodiscard]] std::string where_is(const std::string& key) const {
    const auto found = where.find(key);
    return found == where.end() ? "the file's attributes" : found->second;
  }
};

}  // namespace ptyle
