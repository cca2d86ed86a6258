#pragma once

// What the user says about the measurement: plain structs, as the keys of the YAML file name them.
// Lengths Å, angles mrad (azimuths and scan rotation degrees), energy kV.

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace ptyle {

/// Keys data.*: where the patterns are and how they lie.
struct DataConfig {
  std::string file;
  std::string patterns;             ///< dataset path; empty: found by its shape
  std::array<int, 2> scan_shape{};  ///< (slow, fast) where the dataset is (N, ky, kx) on a raster
  bool flip_rows = false, flip_cols = false, transpose = false;  ///< applied in this order
  std::string dc = "centre";  ///< centre | corner: where the zero frequency lies
  std::optional<std::array<double, 2>>
      centre;  ///< bright disc's centre (row, col), px of the turned frame; else [N/2, N/2]
  bool find_centre = false;  ///< centre from the mean pattern's bright disc
  int bin = 1;               ///< detector pixels summed b × b
  int crop = 0;              ///< crop to this many detector px a side, before padding; 0: none
  int window = 0;  ///< W: pad (or crop) to this many px a side, after binning; 0: larger frame side
  std::string mask;       ///< dataset of bad pixels (nonzero = bad), "file.h5:/path" or "/path"
  double saturation = 0;  ///< values at or above are bad; 0: none
  double background = 0;  ///< subtracted from every pixel, counts; negative results are 0
  std::vector<int> positions;  ///< [first, last, stride]: only these, last not included; empty: all
};

/// Keys calibration.*: exactly one is given.
struct CalibrationConfig {
  double pixel_size = 0;      ///< real-space pixel, Å
  double dk = 0;              ///< detector pixel, 1/Å (after binning)
  double mrad_per_pixel = 0;  ///< detector pixel, mrad (after binning)
  double max_angle = 0;       ///< half the longer side of the frame (cropped, not padded), mrad
  double disc_radius = 0;     ///< bright disc's radius, detector px (after binning)
  bool fit_disc = false;      ///< radius measured on the mean pattern
};

/// Keys scan.*: positions from a dataset, or from step, shape and rotation.
struct ScanConfig {
  std::string positions;             ///< dataset path, (N,2) or (slow,fast,2); empty: from step
  std::string file;                  ///< another file for it; empty: data.file
  std::string unit = "auto";         ///< A | m | px; auto: what the dataset says, else Å
  std::string order = "row_col";     ///< row_col | x_y
  std::array<double, 2> step{};      ///< in `unit`, (slow, fast)
  std::optional<double> rotation{};  ///< degrees; not given: the file's with its step, or 0
  bool snake = false;
};

/// Keys optics.*
struct OpticsConfig {
  double energy = 0;       ///< kV (electrons); 0: pixel units, single slice
  double xray_energy = 0;  ///< keV (photons), instead of energy
  double semi_angle = 0;   ///< convergence semi-angle, mrad
  std::optional<double>
      defocus{};              ///< Å, positive = underfocus, = −C10; not given: the file's, or 0
  double C12 = 0, phi12 = 0;  ///< two-fold astigmatism, Å, degrees from +x
  double C21 = 0, phi21 = 0;  ///< coma
  double C23 = 0, phi23 = 0;  ///< three-fold astigmatism
  double C30 = 0;             ///< spherical aberration, Å (1 mm = 1e7 Å)
};

}  // namespace ptyle
