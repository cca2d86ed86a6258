#pragma once

#include <optional>
#include <string>

namespace ptyle {

/// The two names in "file.h5:/dataset".
struct DatasetName {
  std::string file, dataset;  ///< "file.h5", "/dataset"
};

/// The two parts, at the last ":/", so that a folder may end in a colon. Nothing where a text names
/// a file or a dataset alone.
inline std::optional<DatasetName> split_dataset(const std::string& text) {
  const auto colon = text.rfind(":/");
  if (colon == std::string::npos || colon == 0) return {};
  return DatasetName{text.substr(0, colon), text.substr(colon + 1)};
}

/// The file of "file.h5:/dataset" or "file.h5".
inline std::string file_part(const std::string& text) {
  const auto name = split_dataset(text);
  return name ? name->file : text;
}

}  // namespace ptyle
