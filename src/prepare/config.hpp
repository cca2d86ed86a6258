#pragma once

// Configuration of the measurement: plain structs, each with its keys (core/keys.hpp). Lengths Å,
// angles mrad (azimuths and scan rotation degrees), accelerating voltage kV.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/choice.hpp"
#include "core/limits.hpp"
#include "physics/beam_keys.hpp"

namespace ptyle {

/// The place of the zero frequency in a pattern.
enum class DcPlace { centre, corner };
constexpr auto choices(DcPlace) {
  return std::to_array<Named<DcPlace>>({{DcPlace::centre, "centre"}, {DcPlace::corner, "corner"}});
}

/// Patterns that stand apart from all others by their totals: left out, kept, or left out and
/// judged again by their misfit once the fit runs.
enum class Outliers { leave_out, keep, fit };
constexpr auto choices(Outliers) {
  return std::to_array<Named<Outliers>>(
      {{Outliers::leave_out, "leave_out"}, {Outliers::keep, "keep"}, {Outliers::fit, "fit"}});
}

/// The numbers of a raw file.
enum class RawNumber { uint8, int8, uint16, int16, uint32, int32, float32, float64 };
constexpr auto choices(std::optional<RawNumber>) {
  return std::to_array<Named<std::optional<RawNumber>>>({{std::nullopt, "none"},
                                                         {RawNumber::uint8, "uint8"},
                                                         {RawNumber::int8, "int8"},
                                                         {RawNumber::uint16, "uint16"},
                                                         {RawNumber::int16, "int16"},
                                                         {RawNumber::uint32, "uint32"},
                                                         {RawNumber::int32, "int32"},
                                                         {RawNumber::float32, "float32"},
                                                         {RawNumber::float64, "float64"}});
}

/// Keys data.*: where the patterns are and how they lie.
struct DataConfig {
  std::string file;
  std::string patterns;                 ///< empty: found by its shape
  std::vector<std::string> axes;        ///< of the dataset; empty: as the file says
  std::array<int, 2> scan_shape{};      ///< 0: as the file says
  std::optional<RawNumber> raw_type{};  ///< not given: the file says how its numbers lie
  std::array<int, 2> raw_shape{};       ///< rows, columns of a frame
  int raw_offset = 0, raw_gap = 0;      ///< bytes before the first frame; between frames
  bool raw_big_endian = false;
  bool flip_rows = false, flip_cols = false, transpose = false;
  DcPlace dc = DcPlace::centre;
  std::optional<std::array<double, 2>> centre;  ///< px of the flipped frame; else [N/2, N/2]
  bool find_centre = false;
  int bin = 1;
  int crop = 0;      ///< before padding
  int window = 0;    ///< W; 0: larger frame side
  std::string mask;  ///< empty: none
  bool find_bad_pixels = true;
  double saturation = 0;          ///< 0: none
  double background = 0;          ///< negative results are 0
  double readout_noise = 0;       ///< counts r.m.s. of a raw pixel; 0: none
  std::vector<int> positions;     ///< empty: all
  std::vector<std::string> skip;  ///< numbers and ranges, or a dataset
  int frame_offset = 0;
  int flyback = 0;  ///< frames after each line of the scan
  Outliers outliers = Outliers::leave_out;
};

/// Keys of where the frames are, and of how a frame becomes a pattern.
template <class V>
void frame_keys(V& v, DataConfig& c) {
  v("file", c.file, filled(),
    "file of the patterns (docs/formats.md), or several as scan_*.h5; relative to this "
    "configuration")
      .starting("patterns.h5")
      .also_called("path filename")
      .file()
      .same_at_resume();
  v("patterns", c.patterns, filled(),
    "dataset in it, (N, ky, kx) or (slow, fast, ky, kx), or several as /entry/data_*; left out: "
    "found by its shape")
      .example("/data")
      .also_called("dataset key");
  v("axes", c.axes,
    "of that dataset, in the order in which they lie: [n, ky, kx] or [y, x, ky, kx] unless the "
    "file "
    "says another")
      .example("[ky, kx, y, x]");
  v("scan_shape", c.scan_shape, at_least(1),
    "(slow, fast) where the dataset is (N, ky, kx) of a raster")
      .example("[64, 64]");
  v("raw_type", c.raw_type, "of the numbers, where the file is nothing but these; none: it is not")
      .example("uint16")
      .also_called("dtype");
  v("raw_shape", c.raw_shape, at_least(1), "rows and columns of a frame in it")
      .example("[256, 256]")
      .also_called("shape");
  v("raw_offset", c.raw_offset, at_least(0), "bytes", "before its first frame")
      .also_called("offset header");
  v("raw_gap", c.raw_gap, at_least(0), "bytes", "between its frames").also_called("gap");
  v("raw_big_endian", c.raw_big_endian, "the most significant byte of its numbers comes first")
      .also_called("endian");
  v("flip_rows", c.flip_rows, "flip every pattern upside down (first of the three)")
      .also_called("flipud")
      .same_at_resume();
  v("flip_cols", c.flip_cols, "swap left and right (second)")
      .also_called("fliplr")
      .same_at_resume();
  v("transpose", c.transpose, "swap rows and columns (last)").same_at_resume();
  v("dc", c.dc, "where the zero frequency lies").also_called("origin").same_at_resume();
  v("centre", c.centre, "detector px",
    "centre of the bright-field disc (row, col) before bin and crop, where not the middle")
      .example("[128, 128]")
      .also_called("center");
  v("find_centre", c.find_centre, "take the centre from the mean pattern's bright-field disc");
  v("bin", c.bin, between(1, 64), "detector px", "sum b x b detector pixels")
      .also_called("binning")
      .same_at_resume();
  v("crop", c.crop, at_least(0), "detector px", "keep this square about the centre; 0: all")
      .same_at_resume();
  v("window", c.window, between(0, 16384), "px",
    "pad or crop to W x W after binning; 0: the larger side")
      .also_called("pad size");
}

/// Keys of the pixels, positions and patterns that are used.
template <class V>
void choice_keys(V& v, DataConfig& c) {
  v("mask", c.mask, filled(), "dataset of bad pixels (not 0 = bad): /dataset or file.h5:/dataset")
      .example("/mask")
      .also_called("bad_pixels")
      .file(FileKind::dataset);
  v("find_bad_pixels", c.find_bad_pixels,
    "leave out pixels that are dead, hot, stuck or full by their own statistics, beside the mask");
  v("saturation", c.saturation, at_least(0), "counts", "pixels at or above are left out; 0: none");
  v("background", c.background, at_least(0), "counts", "subtracted from every pixel")
      .same_at_resume();
  v("readout_noise", c.readout_noise, between(0, 1e6), "counts",
    "r.m.s. of the detector's noise beside that of counting: values below 0 are kept, and dark "
    "pixels weigh by it")
      .example("0.5")
      .same_at_resume();
  v("positions", c.positions, at_least(0),
    "[first, last, stride]: use only these, last not included")
      .example("[0, 1000, 1]");
  v("skip", c.skip, filled().alone().or_number(),
    "patterns to leave out: numbers and ranges, or a dataset of numbers or with 1 for each of them")
      .example("[7, 100-119]")
      .also_called("exclude bad_frames")
      .any_order()
      .file(FileKind::dataset);
  v("frame_offset", c.frame_offset, between(-1000000, 1000000),
    "frames before the one of the first position; below 0: the first positions have none");
  v("flyback", c.flyback, at_least(0), "frames of the beam's way back after each line of the scan");
  v("outliers", c.outliers,
    "patterns without counts, or with far more than any other; fit: also those that the fit "
    "cannot explain");
}

template <class V>
void keys(V& v, DataConfig& c) {
  v.section("data", "the patterns and how they lie in the file");
  frame_keys(v, c);
  choice_keys(v, c);
}

/// Keys calibration.*: at most one is given; 0: not given.
struct CalibrationConfig {
  double pixel_size = 0;
  double dk = 0;
  double mrad_per_pixel = 0;
  double max_angle = 0;  ///< half the longer side of the frame (cropped, not padded)
  double disc_radius = 0;
  bool fit_disc = false;
};

template <class V>
void keys(V& v, CalibrationConfig& c) {
  v.section("calibration",
            "at most one of these, none where the file states it; the others follow");
  v("pixel_size", c.pixel_size, above(0), "Å", "pixel of the object")
      .example("0.2")
      .also_called("dx sampling");
  v("dk", c.dk, above(0), "1/Å", "detector pixel, after binning").example("0.02");
  v("mrad_per_pixel", c.mrad_per_pixel, above(0), "mrad", "detector pixel, after binning")
      .example("0.5")
      .also_called("da dalpha");
  v("max_angle", c.max_angle, above(0), "mrad", "from the centre to the detector's edge")
      .example("60")
      .also_called("kmax");
  v("disc_radius", c.disc_radius, above(0), "detector px",
    "radius of the bright-field disc, after binning; needs optics.semi_angle")
      .example("30")
      .also_called("rbf");
  v("fit_disc", c.fit_disc, "measure the radius on the mean pattern; needs optics.semi_angle")
      .example("true");
}

/// A pixel is one of the object.
enum class LengthUnit { angstrom, metre, pixel, millimetre, micrometre, nanometre, picometre };
constexpr auto choices(LengthUnit) {
  return std::to_array<Named<LengthUnit>>({{LengthUnit::angstrom, "A"},
                                           {LengthUnit::metre, "m"},
                                           {LengthUnit::pixel, "px"},
                                           {LengthUnit::millimetre, "mm"},
                                           {LengthUnit::micrometre, "um"},
                                           {LengthUnit::nanometre, "nm"},
                                           {LengthUnit::picometre, "pm"}});
}

/// The same, or what the dataset says.
constexpr auto choices(std::optional<LengthUnit>) {
  return std::to_array<Named<std::optional<LengthUnit>>>({{std::nullopt, "auto"},
                                                          {LengthUnit::angstrom, "A"},
                                                          {LengthUnit::metre, "m"},
                                                          {LengthUnit::pixel, "px"},
                                                          {LengthUnit::millimetre, "mm"},
                                                          {LengthUnit::micrometre, "um"},
                                                          {LengthUnit::nanometre, "nm"},
                                                          {LengthUnit::picometre, "pm"}});
}

/// The two numbers of a position.
enum class PairOrder { row_col, x_y };
constexpr auto choices(PairOrder) {
  return std::to_array<Named<PairOrder>>(
      {{PairOrder::row_col, "row_col"}, {PairOrder::x_y, "x_y"}});
}

/// Keys scan.*: positions from a dataset, or from step, shape and rotation.
struct ScanConfig {
  std::string positions;           ///< empty: from step
  std::string file;                ///< empty: data.file
  std::optional<LengthUnit> unit;  ///< not given: what the dataset says, else Å
  PairOrder order = PairOrder::row_col;
  std::array<double, 2> step{};      ///< in `unit`, (slow, fast)
  std::optional<double> rotation{};  ///< not given: the file's with its step, or 0
  bool snake = false;

  [[nodiscard]] bool gives_step() const { return step[0] > 0 || step[1] > 0; }
};

template <class V>
void keys(V& v, ScanConfig& c) {
  v.section("scan", "where the probe stood: positions of a dataset, or step and rotation");
  v("positions", c.positions, filled(),
    "dataset, (N, 2) or (slow, fast, 2); final, no rotation is applied to them")
      .example("/positions");
  v("file", c.file, filled(), "the file with the positions, where it is another")
      .example("positions.h5")
      .file();
  v("unit", c.unit, "of the positions, px: object pixels; auto: what their dataset says")
      .also_called("units");
  v("order", c.order, "of the two numbers of a position");
  v("step", c.step, above(0).alone(), "Å",
    "between positions (slow, fast), instead of scan.positions; in scan.unit if that is given")
      .example("[1.0, 1.0]")
      .also_called("scan_step step_size");
  v("rotation", c.rotation, between(-360, 360), "degrees",
    "of the raster: R(rotation) (slow, fast) on (row, col); left out: the file's own beside its "
    "step, or 0")
      .example("30")
      .also_called("angle scan_rotation");
  v("snake", c.snake, "every second line of the raster runs backwards");
}

/// Keys optics.*; 0: not given.
struct OpticsConfig {
  double energy = 0;  ///< 0 and no X-rays: pixel units, single slice
  double xray_energy = 0;
  double semi_angle = 0;
  std::optional<double> defocus{};  ///< not given: the file's, or 0
  double C12 = 0, phi12 = 0;
  double C21 = 0, phi21 = 0;
  double C23 = 0, phi23 = 0;
  double C30 = 0;
  double source_size = 0, focal_spread = 0;
  bool fitted = false;  ///< what is not given is measured before a fit starts
};

template <class V>
void keys(V& v, OpticsConfig& o) {
  v.section("optics", "the beam; without an energy everything is in pixels, one slice");
  energy_key(v, o, "300");
  v("xray_energy", o.xray_energy, above(0).up_to(1000), "keV", "of the photons, instead of energy")
      .example("8.8");
  aperture_keys(v, o, "20", "100");
  coherence_keys(
      v, o,
      "standard deviation of the source's Gaussian image along each axis (FWHM / 2.355), by which "
      "the modes of the probe start; 0: not known",
      "standard deviation of the defocus, likewise; 0: not known");
  v("fitted", o.fitted,
    "before the start, measure by inspect's quick look what no key gives: defocus, C12 and phi12, "
    "and where the scan has a step its rotation and the flips of the patterns");
}

}  // namespace ptyle
