#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace ptyle::testing {

/// A file of measurements that the repository does not hold: in $PTYLE_DATA, or in ../shared/data
/// beside the sources; nothing where it is in neither.
inline std::optional<std::string> real_data(const std::string& name) {
  namespace fs = std::filesystem;
  const char* given = std::getenv("PTYLE_DATA");
  for (const fs::path& folder :
       {fs::path(given ? given : ""), fs::path(PTYLE_SOURCE_DIR) / "../shared/data"})
    if (!folder.empty() && fs::exists(folder / name)) return (folder / name).string();
  return std::nullopt;
}

}  // namespace ptyle::testing
