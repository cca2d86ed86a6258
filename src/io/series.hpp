#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/hdf5.hpp"

namespace ptyle {

/// Datasets that follow each other as one.
struct Series {
  std::string pattern;                   ///< "/entry/data/data_*"; of a single dataset its path
  std::vector<h5::DatasetInfo> members;  ///< in natural order of their paths
  [[nodiscard]] bool single() const { return members.size() == 1 && members[0].path == pattern; }
};

/// Rows and columns are the last two axes.
[[nodiscard]] bool same_frames(const h5::DatasetInfo& a, const h5::DatasetInfo& b);

/// The datasets whose paths fit a pattern; with `like`, those alone whose frames are of its shape
/// and type. UserError where there is none, one is missing between two others or a link leads
/// nowhere.
[[nodiscard]] Series series_of(const h5::File& file, const std::string& pattern,
                               const h5::DatasetInfo* like = nullptr);

/// The dataset of patterns of a file: of the known layouts ("/patterns", "/data", "/dp",
/// "/datacube_root/datacube/data", "/entry_1/data_1/data"), else the largest of all real datasets
/// of three or four axes and series of those that differ in one number of their paths alone
/// (with two axes, from four members on); none of a result's own. UserError where there is none or
/// one of them is missing.
[[nodiscard]] Series find_patterns(const h5::File& file);

/// A result of ptyle (io/result), and no patterns beside it.
[[nodiscard]] bool is_result(const h5::File& file);

/// Datasets that differ from one in a number of its path alone, and in the length of its first
/// axis.
struct Others {
  std::string pattern;  ///< of all, that one among them
  i64 count = 0;        ///< without it
};
[[nodiscard]] Others others_like(const h5::File& file, const h5::DatasetInfo& one);

/// A dataset to be listed, which stands for `others` more that differ in one number of their paths.
struct Listed {
  h5::DatasetInfo info;
  std::string pattern;
  i64 others = 0;
};

/// The datasets of a list, of more than eight that differ in one number alone only the first.
[[nodiscard]] std::vector<Listed> listed(const std::vector<h5::DatasetInfo>& all);

}  // namespace ptyle
