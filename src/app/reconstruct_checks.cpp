#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "app/reconstruct_keys.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// The configuration under check, with the few questions that the checks ask.
struct Check {
  const Schema& schema;
  Faults& faults;

  void fault(const std::string& key, const std::string& text) const {
    faults.add(schema.where(key), fmt::format("{}: {}", key, text));
  }
  [[nodiscard]] bool has(const std::string& key) const { return schema.active(key); }
  [[nodiscard]] bool has_energy() const {
    return has("optics.energy") || has("optics.xray_energy");
  }
  void needs(const std::string& key, const std::string& other, const std::string& why) const {
    if (has(key) && !has(other)) fault(key, fmt::format("needs {}{}", other, why));
  }
  void not_both(const std::string& key, const std::string& other) const {
    if (has(key) && has(other)) fault(other, fmt::format("excludes {}; give one of the two", key));
  }
};

void check_calibration(const Check& check) {
  const std::vector<std::string> all{"calibration.pixel_size",     "calibration.dk",
                                     "calibration.mrad_per_pixel", "calibration.max_angle",
                                     "calibration.disc_radius",    "calibration.fit_disc"};
  std::vector<std::string> given;
  for (const auto& key : all)
    if (check.has(key)) given.push_back(key);
  if (given.size() > 1)
    check.fault(given.back(), fmt::format("only one calibration may be given, there are {}: {}",
                                          given.size(), fmt::join(given, ", ")));
  if (given.empty() && check.has_energy())
    check.fault("calibration", fmt::format("one of these must be given: {}", fmt::join(all, ", ")));
  if (!given.empty() && !check.has_energy())
    check.fault(given.front(), "needs optics.energy (or xray_energy); without it all is in pixels");
  check.needs("calibration.disc_radius", "optics.semi_angle", ", the disc's radius in mrad");
  check.needs("calibration.fit_disc", "optics.semi_angle", ", the disc's radius in mrad");
}

void check_scan(const ReconstructConfig& c, const Check& check) {
  check.not_both("scan.positions", "scan.step");
  if (!check.has("scan.positions") && !check.has("scan.step"))
    check.fault("scan", "either scan.positions (a dataset) or scan.step must be given");
  for (const char* key : {"scan.rotation", "scan.snake"})
    if (check.has("scan.positions") && check.has(key))
      check.fault(key, "belongs to scan.step; positions of a dataset are final");
  check.needs("scan.file", "scan.positions", "");
  if (!check.has_energy() && check.has("scan.positions") && c.scan.unit != "px")
    check.fault("scan.unit", "must be px where no optics.energy is given");
  const auto& range = c.data.positions;
  const bool three = range.size() == 3;
  if (check.has("data.positions") &&
      !((three || range.size() == 2) && range[0] < range[1] && (!three || range[2] > 0)))
    check.fault("data.positions", "must be [first, last] or [first, last, stride], first < last");
}

void check_optics(const ReconstructConfig& c, const Check& check) {
  check.not_both("optics.energy", "optics.xray_energy");
  check.not_both("data.centre", "data.find_centre");
  if (c.probe.start == "optics") {
    const char* need = !check.has_energy()               ? "optics.energy"
                       : !check.has("optics.semi_angle") ? "optics.semi_angle"
                                                         : nullptr;
    if (need)
      check.fault("probe.start",
                  fmt::format("optics needs {}; otherwise the start is mean or a file", need));
  }
  if (c.object.slices > 1) {
    check.needs("object.slices", "object.slice_thickness", " with more than one slice");
    if (!check.has_energy())
      check.fault("object.slices", "more than one slice needs optics.energy");
  }
  if (c.object.phase_min > c.object.phase_max)
    check.fault("object.phase_min", fmt::format("{} rad is above object.phase_max, {} rad",
                                                c.object.phase_min, c.object.phase_max));
}

/// The file part of "file.h5:/dataset".
std::string file_part(const std::string& text) { return text.substr(0, text.find(":/")); }

void check_file(const Check& check, const std::string& key, const std::string& file) {
  if (!check.has(key) || file.empty()) return;
  if (fs::is_directory(file))
    check.fault(key, fmt::format("{} is a folder, not a file", file));
  else if (!fs::exists(file))
    check.fault(key, fmt::format("there is no file {}", file));
  else if (access(file.c_str(), R_OK) != 0)
    check.fault(key, fmt::format("the file {} may not be read", file));
}

void check_files(const ReconstructConfig& c, const Check& check) {
  if (!check.schema.given("data.file"))
    check.fault("data.file", "must be given, the HDF5 file of the patterns");
  check_file(check, "data.file", c.data.file);
  check_file(check, "scan.file", c.scan.file);
  check_file(check, "object.start", c.object.start);
  if (c.data.mask.find(":/") != std::string::npos)
    check_file(check, "data.mask", file_part(c.data.mask));
  if (c.probe.start != "optics" && c.probe.start != "mean")
    check_file(check, "probe.start", file_part(c.probe.start));
}

void check_output(const ReconstructConfig& c, const Check& check) {
  const fs::path folder = c.output.folder;
  std::error_code ignored;
  if (fs::exists(folder, ignored) && !fs::is_directory(folder, ignored)) {
    check.fault("output.folder", fmt::format("{} is a file, not a folder", folder.string()));
    return;
  }
  if (fs::exists(folder / "result.h5", ignored) && !c.output.overwrite)
    check.fault("output.folder", fmt::format("{} has a result.h5 already; --overwrite replaces it",
                                             folder.string()));
  // The nearest folder above that exists is the one that must take the new one.
  fs::path there = folder;
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, ignored))
    check.fault("output.folder", fmt::format("{} is a file, not a folder", there.string()));
  else if (access(there.c_str(), W_OK | X_OK) != 0)
    check.fault("output.folder", fmt::format("the folder {} may not be written", there.string()));
}

}  // namespace

void check_reconstruct(ReconstructConfig& config, const Schema& schema,
                       const std::string& config_file, Faults& faults) {
  if (config.output.folder.empty()) {
    const auto path = fs::absolute(config_file).lexically_normal();
    const auto folder = path.parent_path() / path.stem();
    config.output.folder = folder == path ? path.string() + "-result" : folder.string();
  }
  const Check check{schema, faults};
  check_files(config, check);
  check_calibration(check);
  check_scan(config, check);
  check_optics(config, check);
  check_output(config, check);
}

}  // namespace ptyle
