#pragma once

// The result file (HDF5; docs/formats.md): what a reconstruction found, and with the same names the
// truth of a simulated set.
//
//   /object/phase       float32 (z, y, x)  rad        /object/absorption  the same, where fitted
//   /states/phase       float32 (state, z, y, x), rad, of which /object/phase is the mean by their
//                       shares, where the object has several states; /states/absorption likewise
//   /states/occupancy   float64 (state)  share of the dose that each gets
//   /probe              complex64 (mode, y, x), centred on [W/2, W/2]
//   /variable_probe/modes         complex64 (q, y, x), by which the first mode varies, if it does
//   /variable_probe/coefficients  float64 (N, q), of these modes at each position
//   /intensity          float64 (N)  of the beam at each position, 1 on average, if fitted
//   /detector/gain      float32 (W, W)  of each detector pixel, 1 on average, DC at [W/2, W/2], if
//                       fitted; /detector/gain_error, its standard error
//   /positions          float64 (N, 2)  (row, col) of the probe's centre from the centre of object
//                       pixel [0, 0], Å (px where units = "px")
//   /positions_start    the same before they were refined, if they were
//   /position_numbers   int64 (N)  number of each row of /positions within the scan
//   /frame_numbers      int64 (N)  number of its pattern among the frames of the data
//   /left_out/patterns  int64 (n)  rows of /positions whose patterns were left out, if any
//   /left_out/positions int64 (n)  numbers within the scan that were left out and have no row
//   /held_out/patterns  int64 (n)  rows of /positions that were held out of the fit, if any
//   /shown/patterns     float32 (n, 2, W, W)  counts of some patterns, measured and modelled, DC at
//                       [W/2, W/2]
//   /shown/rows         int64 (n)  rows of /positions of these
//   /left_out/pixels    uint8 (rows, cols) of the detector's frames as they lie in the data file, 1
//                       where a pixel was found to be bad, if any
//   /history/{r_factor, cost, seconds, passes, r_held_out, r_held_out_pixels}
//                       float64, one an iteration
//   /history/geometry/NAME   float64, one an iteration, attribute units: what was fitted of the
//                       microscope's geometry, and of the detector
//   /ranks/NAME         float64 (rank), attribute units: what each rank did
//   /atoms/{numbers, positions}   of a simulated truth: Z; (n, 3) row, col, z, Å, same origin
//
// Each has the attribute units; images also pixel_size, (slice,) row, col, and its unit. The file's
// own attributes: ended (why the run ended; a sentence, left out before its end), pixel_size,
// slice_thickness (Å), energy_kV, units ("A" or "px"), the beam and the detector pixel
// (Facts::optics), version, date, host, command, config (the whole resolved YAML), ranks_of (as the
// run chose ranks.of), origin ((row, col) of object pixel [0, 0] in the coordinates of the measured
// set's positions, Å: /positions + origin are the measured positions, or the refined ones).

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "core/grid.hpp"

namespace ptyle {

namespace h5 {
class File;
}

/// A number that was fitted, after every iteration.
struct FittedSeries {
  std::string name, unit;
  std::vector<double> values;
};

/// One value an iteration.
struct History {
  std::vector<double> r_factor, cost;
  std::vector<double> seconds;     ///< since the start
  std::vector<double> r_held_out;  ///< R of the patterns held out of the fit; empty: none were
  std::vector<double> r_held_out_pixels;    ///< of detector pixels, likewise
  std::vector<double> passes;               ///< through the data since the start; 0: not counted
  std::vector<FittedSeries> geometry = {};  ///< defocus, …, background; empty: none was fitted
};

/// The columns of a history, each by its name.
template <class HistoryOrConst>
auto columns_of(HistoryOrConst& history) {
  return std::array{std::pair{"r_factor", &history.r_factor},
                    std::pair{"cost", &history.cost},
                    std::pair{"seconds", &history.seconds},
                    std::pair{"r_held_out", &history.r_held_out},
                    std::pair{"r_held_out_pixels", &history.r_held_out_pixels},
                    std::pair{"passes", &history.passes}};
}

struct Atom {
  int number = 0;  ///< Z
  double row = 0, col = 0,
         z = 0;  ///< Å from the centre of object pixel [0, 0], z from the entrance plane
};

/// One figure of each rank, e.g. seconds spent computing. A name may have parts, "memory/patterns".
struct RankFigure {
  std::string name, unit;
  std::vector<double> values;  ///< by rank
};

/// All of a result but the object.
struct ResultFacts {
  Array<Complex<float>, 3> probe;           ///< (mode, W, W), centred
  Array<Complex<float>, 3> variable_modes;  ///< (q, W, W), by which the first varies; empty: none
  std::vector<double> mixtures;             ///< of each position, q coefficients of these
  std::vector<double> occupancy;            ///< share of each state of the object; empty: one
  std::vector<double> intensities;          ///< of the beam at each position; empty: all alike
  std::vector<Position> positions;          ///< Å (px where units = "px")
  std::vector<Position> positions_start;    ///< before they were refined; empty: they were not
  std::vector<i64> position_numbers;        ///< of each row of `positions`, within the scan
  std::vector<i64> frame_numbers;           ///< of its pattern, among the frames of the data
  std::vector<i64> left_out;                ///< rows of `positions` that are no measurement
  std::vector<i64> left_out_positions;      ///< numbers within the scan that have no row
  std::vector<i64> held_out;                ///< rows of `positions` that only judged the fit
  /// (n, 2, W, W), DC at [W/2, W/2]: some patterns, counts, as measured and as the model has them;
  /// empty: not recorded.
  Array<float, 4> patterns;
  Array<float, 2> gain, gain_error;   ///< of each detector pixel, DC at [W/2, W/2]; empty: all 1
  std::vector<i64> pattern_rows;      ///< rows of `positions`, one for each of them
  Array<std::uint8_t, 2> bad_pixels;  ///< of the raw frames, 1 where bad; empty: none is
  History history;                    ///< empty in a truth
  std::vector<RankFigure> ranks;      ///< in alphabetical order when read; empty: not recorded
  std::vector<Atom> atoms;            ///< of a simulated truth; empty in a reconstruction
  double pixel_size = 1;              ///< Å, or 1 where units = "px"
  double slice_thickness = 0;         ///< Å; 0: a single slice without thickness
  double energy_kV = 0;               ///< 0: no electron wavelength
  std::string units = "A";            ///< A | px
  /// Facts of the beam and the detector, each with its unit in its name: semi_angle_mrad, dk_inv_A,
  /// …; written as attributes and not read back.
  std::vector<std::pair<std::string, double>> optics;
  std::string version;              ///< of ptyle that wrote it
  std::string date, host, command;  ///< of the run: ISO 8601 with the zone; empty: not recorded
  std::string config;               ///< the whole resolved YAML
  std::string ended;                ///< why the run ended; empty: it had not
  int dealt_for = 0;  ///< ranks that mini-batches were dealt for (ranks.of); 0: not recorded
  std::optional<Position> origin;  ///< of object pixel [0, 0] in the measured set's coordinates
};

struct Result : ResultFacts {
  Array<float, 3> phase;       ///< (slice, row, col), rad; of several states their mean
  Array<float, 3> absorption;  ///< the same shape, or empty
  Array<float, 3> states_phase, states_absorption;  ///< all slices of each state; empty: one state
};

/// A result file that is made a few rows of a slice at a time, so that nobody needs to hold the
/// whole object. Its name is path.part until commit(); dropped before, it is taken away. All throw
/// UserError where the file is there and `overwrite` is false, or cannot be written.
class ResultFile {
 public:
  /// The object's place, float32 (z, y, x) without gaps, for processes that write it themselves.
  struct Place {
    std::string part;                             ///< the file's name until commit()
    i64 phase = 0;                                ///< byte of the first number
    i64 absorption = 0;                           ///< likewise; 0: there is none
    i64 states_phase = 0, states_absorption = 0;  ///< (state, z, y, x), likewise
  };
  /// `shape`: (slices, rows, columns) of the object, of as many states as facts.occupancy.
  ResultFile(const std::string& path, const ResultFacts& facts, const std::array<i64, 3>& shape,
             bool absorption, bool overwrite);
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile();
  /// The next rows, of one slice; absorption where it was announced.
  void rows(View<const float, 2> phase, View<const float, 2> absorption = {});
  /// All slices of all states, at once; absorption where it was announced.
  void states(View<const float, 3> phase, View<const float, 3> absorption);
  /// In place of both: all rows are written into the file by others, until commit().
  [[nodiscard]] Place hand_out();
  void commit();  ///< after the last

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

/// Writes /atoms/numbers and /atoms/positions.
void write_atoms(h5::File& file, const std::vector<Atom>& atoms);

/// The same at once.
void write_result(const std::string& path, const Result& result, bool overwrite);

/// A result, the truth in a simulated set (absorption, probe, history and atoms where there),
/// PtyRAD's output (first object mode; positions from crop_pos, shifts and window), or py4DSTEM's
/// (io/py4dstem_result), whose object is read in parts. Throws UserError for a file that is none of
/// these.
class ResultReader {
 public:
  explicit ResultReader(const std::string& path);
  ResultReader(const ResultReader&) = delete;
  ResultReader& operator=(const ResultReader&) = delete;
  ~ResultReader();
  [[nodiscard]] const ResultFacts& facts() const;
  [[nodiscard]] const std::array<i64, 3>& shape() const;  ///< (slices, rows, columns)
  [[nodiscard]] bool has_absorption() const;
  /// A box of pixels, inside the object, of one slice.
  void phase(i64 z, const Box& box, View<float, 2> to) const;
  void absorption(i64 z, const Box& box, View<float, 2> to) const;
  /// The number of states whose volumes the file holds, apart from their mean; 1: it has none.
  [[nodiscard]] i64 states() const;
  /// The same of a plane of theirs, all slices of one state after those of another.
  void states_phase(i64 plane, const Box& box, View<float, 2> to) const;
  void states_absorption(i64 plane, const Box& box, View<float, 2> to) const;
  ResultFacts take_facts();  ///< which are gone then

 private:
  class Reader;
  std::unique_ptr<Reader> reader_;
};

/// The same at once.
Result read_result(const std::string& path);

}  // namespace ptyle
