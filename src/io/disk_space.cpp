#include "io/disk_space.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "core/error.hpp"

namespace ptyle {
namespace {

std::string amount(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.3g} MB", bytes / 1e6)
                     : fmt::format("{:.4g} GB", bytes / 1e9);
}

}  // namespace

void check_disk_space(const std::string& folder, double bytes, const std::string& what) {
  std::error_code error;
  const auto space = std::filesystem::space(folder.empty() ? "." : folder, error);
  // Some file systems do not say; then it shows when they are full.
  if (error || space.capacity == 0 || bytes <= static_cast<double>(space.available)) return;
  throw UserError(fmt::format(
      "{} needs {} in the folder {}, whose disk has {} free; make space there or choose "
      "another folder",
      what, amount(bytes), folder.empty() ? "." : folder,
      amount(static_cast<double>(space.available))));
}

}  // namespace ptyle
