#pragma once

// The folder of `ptyle tune`: tune.csv with a row for each reconstruction, the configuration around
// which is tuned (config.yaml), and pictures.

#include <string>
#include <vector>

#include "session/tune.hpp"

namespace ptyle {

class TuneTable {
 public:
  /// Reads the rows that are there, on all ranks. Makes the folder otherwise, as the process that
  /// leads. Throws UserError for rows of another configuration than `text`, unless `overwrite`
  /// takes them away.
  TuneTable(const std::string& folder, const std::vector<TuneAxis>& axes, const std::string& text,
            bool overwrite, Team& team);

  /// The row of these values; null: there is none.
  [[nodiscard]] const TunePoint* find(const std::vector<std::string>& values) const;
  void add(const TunePoint& point);
  /// The summed phase of the next row: phase-001.png, …
  void draw(const Result& result, const std::string& title) const;

 private:
  void read(const std::string& text);
  void write() const;
  std::string folder_, file_;
  std::vector<std::string> keys_;
  std::vector<TunePoint> rows_;
  bool leads_;
};

/// R of what is held out over the values: a curve, or one for each value of a second key.
void draw_tuning(const TuneReport& report, const std::vector<TuneAxis>& axes,
                 const std::string& path);

}  // namespace ptyle
