// An EMPAD's raw file: frames of 130 x 128 float32, the least significant byte first, whose last
// two rows are no counts. The shape of the scan stands in the name, "scan_x12_y16.raw", or in the
// .xml beside it (<pix_x>, <pix_y>) that names the file. That says more, as RosettaSciIO reads it:
// <calibrated_pixelsize> of a detector pixel, 1/pm, or <calibrated_diffraction_angle>, rad; the
// voltage, V; and the field of view of the whole scan, m.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "io/formats/formats.hpp"

namespace fs = std::filesystem;

namespace ptyle::formats {
namespace {

constexpr i64 rows = 128, stored_rows = 130, cols = 128, bytes_each = 4,
              frame_bytes = stored_rows * cols * bytes_each;

struct Said {
  std::array<i64, 2> scan{};  ///< slow, fast; 0: not said
  i64 frames = 0;
  std::string where;                              ///< "its name"
  double dk = 0, mrad_per_pixel = 0, energy = 0;  ///< 1/Å, mrad, kV; 0: not said
  std::array<double, 2> step{};                   ///< slow, fast, Å; 0: not said
};

/// "scan_x12_y16.raw"
std::optional<Said> said_by_name(const Source& source) {
  static const std::regex shape(R"(.*_x(\d{1,6})_y(\d{1,6})(?:\D.*)?)");
  const std::string name = fs::path(source.path()).stem().string();
  std::smatch found;
  if (!std::regex_match(name, found, shape)) return {};
  const i64 x = whole_number(found[1].str()), y = whole_number(found[2].str());
  return Said{{y, x}, x * y, "its name"};
}

/// The number of the first element of a name; 0: there is none.
i64 element(const std::string& xml, const std::string& name) {
  std::smatch found;
  const std::regex element("<" + name + R"((?:\s[^>]*)?>\s*(\d{1,9})\s*<)");
  return std::regex_search(xml, found, element) ? whole_number(found[1].str()) : 0;
}

/// The positive numbers in the first element of a name: "1.5e-9" or "[1e-9, 2e-9]".
std::vector<double> values_of(const std::string& xml, const std::string& name) {
  std::smatch found;
  const std::regex element("<" + name + R"((?:\s[^>]*)?>\s*\[?([^<\]]*)\]?\s*<)");
  if (!std::regex_search(xml, found, element)) return {};
  std::vector<double> values;
  std::istringstream text(std::regex_replace(found[1].str(), std::regex(","), " "));
  for (double value = 0; text >> value;)
    if (std::isfinite(value) && value > 0) values.push_back(value);
  return text.eof() ? values : std::vector<double>();
}

double value_of(const std::string& xml, const std::string& name) {
  const auto values = values_of(xml, name);
  return values.size() == 1 ? values[0] : 0;
}

void add_calibration(const std::string& xml, Said& said) {
  constexpr double angstroms = 1e10;  // of a metre
  said.dk = 1e8 * value_of(xml, "calibrated_pixelsize");
  if (said.dk == 0) said.mrad_per_pixel = 1e3 * value_of(xml, "calibrated_diffraction_angle");
  for (const char* name : {"high_voltage", "source\\.get_voltage"})
    if (said.energy == 0) said.energy = 1e-3 * value_of(xml, name);
  const std::array<double, 2> places{static_cast<double>(said.scan[0]),
                                     static_cast<double>(said.scan[1])};
  if (places[0] == 0) return;
  const auto field = values_of(xml, "optics\\.get_full_scan_field_of_view");
  if (field.size() == 2)
    said.step = {angstroms * field[0] / places[0], angstroms * field[1] / places[1]};
  // Newer ones state that of the longer side, in x as in y, times the scale factor.
  const std::string name = "full_scan_field_of_view";
  const auto from = xml.find("<" + name + ">"), to = xml.find("</" + name + ">");
  if (from == std::string::npos || to == std::string::npos || to < from) return;
  const std::string newer = xml.substr(from, to - from);
  const double side = value_of(newer, "x"), factor = value_of(newer, "scale_factor");
  if (side > 0 && factor > 0)
    said.step[0] = said.step[1] = angstroms * side / factor / std::max(places[0], places[1]);
}

/// The statements of an .xml on the raw file that it names.
std::optional<Said> said_by_xml(const Source& source) {
  constexpr std::uintmax_t longest = 1 << 20;
  const fs::path path = fs::absolute(source.path());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path.parent_path(), error)) {
    if (entry.path().extension() != ".xml" || !entry.is_regular_file(error) ||
        entry.file_size(error) > longest)
      continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string xml{std::istreambuf_iterator<char>(file), {}};
    if (xml.find(path.filename().string()) == std::string::npos) continue;
    Said said{{element(xml, "pix_y"), element(xml, "pix_x")},
              element(xml, "series_count"),
              fmt::format("'{}'", entry.path().filename().string())};
    if (said.frames == 0) said.frames = said.scan[0] * said.scan[1];
    if (const auto by_name = said_by_name(source); by_name && said.frames == 0) {
      said.scan = by_name->scan;
      said.frames = by_name->frames;
    }
    add_calibration(xml, said);
    if (said.frames > 0) return said;
  }
  return {};
}

/// Could these be so many square frames of numbers of 1 to 8 bytes?
bool may_be_square(i64 bytes, i64 frames) {
  if (bytes % frames != 0) return false;
  for (const i64 each : {1, 2, 4, 8}) {
    const i64 numbers = bytes / frames / each;
    const auto side = static_cast<i64>(std::lround(std::sqrt(static_cast<double>(numbers))));
    if (bytes / frames % each == 0 && side * side == numbers) return true;
  }
  return false;
}

}  // namespace

bool is_empad(const Source& source) {
  if (source.extension() != ".raw") return false;
  if (said_by_xml(source)) return true;
  const auto said = said_by_name(source);
  if (!said || said->frames == 0) return false;
  const i64 expected = said->frames * frame_bytes, size = source.size();
  if (size == expected) return true;
  // A file that may be another detector's is left to the sentence on raw numbers.
  if (size % frame_bytes == 0) return !may_be_square(size, said->frames);
  return size % said->frames != 0 && size < expected && size > expected / 2;
}

void read_empad(const Source& source, h5::File& to) {
  const auto by_xml = said_by_xml(source);
  const Said said = by_xml ? *by_xml : said_by_name(source).value();
  const i64 frames = source.size() / frame_bytes;
  if (source.size() != said.frames * frame_bytes)
    throw UserError(fmt::format(
        "file '{}' holds {}{} frames as an EMPAD has them, 130 x 128 of float32, and {} says {}; "
        "with a name as scan_x{}_y1.raw they are read, and data.scan_shape has the scan's shape",
        source.path(), frames, source.size() % frame_bytes == 0 ? "" : " and a part of", said.where,
        said.scan[0] > 0 ? fmt::format("{} x {}", said.scan[1], said.scan[0])
                         : fmt::format("{}", said.frames),
        frames));
  to.map_dataset("/data", {h5::Kind::real, 4}, {frames, rows, cols},
                 {source.path(), 0, false, frame_bytes});
  if (said.scan[0] > 0) to.set("/", "scan_shape", std::span<const i64>(said.scan));
  if (said.dk > 0) to.set("/", "dk_inv_A", said.dk);
  if (said.mrad_per_pixel > 0) to.set("/", "mrad_per_pixel", said.mrad_per_pixel);
  if (said.energy > 0) to.set("/", "energy_kV", said.energy);
  if (said.step[0] > 0) to.set("/", "scan_step_A", std::span<const double>(said.step));
  to.note(fmt::format(
      "'{}' is taken for an EMPAD's, by its size and {}: the last 2 of 130 rows of each frame are "
      "left out, as they are no counts",
      source.path(), said.where));
}

}  // namespace ptyle::formats
