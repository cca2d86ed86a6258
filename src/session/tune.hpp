#pragma once

// `ptyle tune run.yaml --over key=…`: short reconstructions with several values of some keys, and
// which of them describes best what was held out of the fit.
//
//   1. the values: a grid (all combinations), or one key's interval, searched by golden section
//   2. each a reconstruction of so many iterations, of which nothing is written but a row of
//      tune.csv and a picture; rows that are there already are taken as they are
//   3. tune.png, and the best values as the settings of a run

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "session/reconstruction.hpp"

namespace ptyle {

/// A key that is varied: the values of a grid, or the ends of an interval that is searched.
struct TuneAxis {
  std::string key;
  std::vector<std::string> values;  ///< as settings have them; of an interval empty
  double from = 0, to = 0;          ///< of an interval
  [[nodiscard]] bool is_searched() const { return values.empty(); }
};

/// The axis of "key=FROM:TO:STEP", "key=FROM:TO" (searched) or "key=A,B,C", where a value
/// may be a list in brackets. Throws UserError.
TuneAxis read_tune_axis(const std::string& text);

struct TuneConfig {
  std::string file;                   ///< configuration
  std::vector<std::string> settings;  ///< key=value, on top of it
  std::vector<TuneAxis> over;
  int iterations = 10;
  int evaluations = 12;    ///< reconstructions of a search
  std::string folder;      ///< for tune.csv, config.yaml and pictures; empty: beside the file
  bool overwrite = false;  ///< begin anew where there are rows already
};

/// One reconstruction.
struct TunePoint {
  std::vector<std::string> values;                             ///< of the axes, in their order
  double r_factor = std::numeric_limits<double>::quiet_NaN();  ///< NaN: the cost diverged
  double r_held_out = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;
};

struct TuneReport {
  std::vector<TunePoint> points;    ///< in the order in which they were computed
  std::optional<std::size_t> best;  ///< the least R of what was held out; none: all diverged
  bool whole = true;                ///< false: stopped, the rest is done by the next call
  std::string folder;
};

/// The result's folder if TuneConfig::folder is empty: run.yaml → run-tune.
std::string tune_folder(const std::string& file);

/// On all ranks of the team together. callbacks.log has a line for each reconstruction and what
/// follows from all, callbacks.progress each iteration, callbacks.stop ends it after the mini-batch
/// at hand. Throws UserError: a configuration that is wrong with any value of a grid, rows of other
/// settings in the folder, a search beside other axes.
TuneReport tune(const TuneConfig& config, const ReconstructCallbacks& callbacks, Team& team);

}  // namespace ptyle
