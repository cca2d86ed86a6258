#pragma once

// `ptyle compare result truth-or-result`: how far two objects agree over the scanned area.

#include <functional>
#include <string>
#include <vector>

#include "analysis/comparison.hpp"

namespace ptyle {

struct CompareConfig {
  std::string result;     ///< a result file
  std::string reference;  ///< a simulated set (its truth), or another result
  std::string folder;     ///< for comparison.txt and pictures; empty: none are written
  bool overwrite = false;
};

/// How far the columns of one element lie from the reference's atoms, Å.
struct ColumnDistances {
  int number = 0;                  ///< Z of the heaviest atom of these columns
  std::string symbol;              ///< its name
  int columns = 0;                 ///< inside the scanned area
  int lost = 0;                    ///< of them: no peak found near the place
  double median = 0, largest = 0;  ///< over those found, Å; NaN: none found
};

struct CompareReport {
  Comparison figures;
  std::vector<ColumnDistances> columns;  ///< heaviest first; empty: the reference holds no atoms
  std::string units = "A";
};

/// Prints a table and `key = value` lines, one call a line; writes comparison.txt (those lines),
/// comparison.png (both summed phases and their difference) and frc.png into the folder.
/// Throws UserError for files that are wrong or cannot be compared.
CompareReport compare(const CompareConfig& config,
                      const std::function<void(const std::string&)>& print);

}  // namespace ptyle
