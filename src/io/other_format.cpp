#include "io/other_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/text.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// NAME.h5 beside the file.
fs::path beside(const fs::path& path) { return path.parent_path() / path.stem().concat(".h5"); }

/// The whole number after the last such letter that has one: 12 of "scan_x12_y16".
std::optional<std::uintmax_t> number_after(const std::string& name, char letter) {
  for (auto at = name.rfind(letter); at != std::string::npos && at > 0;
       at = name.rfind(letter, at - 1)) {
    const auto end = std::min(name.find_first_not_of("0123456789", at + 1), name.size());
    if (end > at + 1 && end - at <= 7) return std::stoull(name.substr(at + 1, end - at - 1));
  }
  return {};
}

/// The keys of raw numbers of 4 bytes, by a name as "scan_x12_y16.raw" and the size.
std::string keys_of_raw(const fs::path& path) {
  const auto keys = [](const std::string& frame, const std::string& scan) {
    return fmt::format(
        "--set data.raw_type=float32 --set 'data.raw_shape=[{}]' --set 'data.scan_shape=[{}]'",
        frame, scan);
  };
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  const std::string name = path.stem().string();
  const auto x = number_after(name, 'x'), y = number_after(name, 'y');
  if (!x || !y) return keys("ky, kx", "slow, fast");
  const auto of_all = 4 * *x * *y;
  const auto frame = of_all > 0 && bytes % of_all == 0 ? bytes / of_all : 0;
  const auto side = static_cast<std::uintmax_t>(std::lround(std::sqrt(static_cast<double>(frame))));
  return keys(frame > 0 && side * side == frame ? fmt::format("{}, {}", side, side) : "ky, kx",
              fmt::format("{}, {}", *y, *x));
}

}  // namespace

std::string other_format(const std::string& name) {
  const fs::path path(name);
  const std::string extension = lower_case(path.extension().string());
  for (const char* known :
       {".dm3", ".dm4", ".mrc", ".blo", ".ser", ".emi", ".tvips", ".zspy", ".prz"})
    if (extension == known)
      return fmt::format(
          ", {} files are read by RosettaSciIO; this converts it: ptyle convert '{}' '{}'", known,
          name, beside(path).string());
  if (extension == ".xml" || extension == ".hdr")
    return "; where it lies beside a detector's file, that file is to be named, and this one is "
           "read with it";
  if (extension == ".raw" || extension == ".bin" || extension == ".dat")
    return ", it is taken to be raw numbers, whose type and shape no file states; these keys do, "
           "if they are right: " +
           keys_of_raw(path);
  return "";
}

}  // namespace ptyle
