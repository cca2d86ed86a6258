#include "session/found_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/keys.hpp"
#include "core/rounded.hpp"
#include "prepare/selection.hpp"
#include "session/check.hpp"
#include "session/fitted_optics.hpp"

namespace ptyle {
namespace {

/// Dataset, mask and shape of the scan.
void add_frames(const StatedFacts& stated, const Frames& frames, FoundConfig& found) {
  DataConfig& data = found.data;
  if (data.patterns.empty()) {
    data.patterns = frames.pattern();
    found.where["data.patterns"] = "found by its shape";
  }
  if (data.mask.empty() && !stated.mask.empty()) {
    data.mask = stated.mask;
    found.where["data.mask"] = "as the layout has it";
  }
  const auto& shape = stated.facts.scan_shape;
  if (data.scan_shape[0] != 0 || frames.scan_shape()[0] != 0 || shape[0] == 0) return;
  data.scan_shape = {static_cast<int>(shape[0]), static_cast<int>(shape[1])};
  found.where["data.scan_shape"] = stated.facts.where_is("data.scan_shape");
}

void add_optics(const FileFacts& file, const OpticsConfig& completed, FoundConfig& found) {
  OpticsConfig& optics = found.optics;
  const auto take = [&](double& to, double from, const std::string& key) {
    if (to != 0 || from == 0) return;
    to = six_digits(from);
    found.where[key] = file.where_is(key);
  };
  take(optics.energy, completed.energy, "optics.energy");
  take(optics.xray_energy, completed.xray_energy, "optics.xray_energy");
  take(optics.semi_angle, completed.semi_angle, "optics.semi_angle");
  if (optics.defocus || completed.defocus.value_or(0) == 0) return;
  optics.defocus = six_digits(*completed.defocus);
  found.where["optics.defocus"] = file.where_is("optics.defocus");
}

/// A detector pixel, which holds with any bin, crop and window; or the disc, where no file says it.
void add_calibration(const FileFacts& file, const Experiment& e, FoundConfig& found) {
  if (!keys_given(found.calibration).empty()) return;
  const bool stated = file.states_calibration();
  if (stated && e.calibration.wavelength > 0) {
    found.calibration.dk = six_digits(e.calibration.dk);
    found.where["calibration.dk"] = file.pixel_size ? "the file's attribute pixel_size"
                                    : file.dk       ? file.where_is("calibration.dk")
                                                    : file.where_is("calibration.mrad_per_pixel");
  } else if (!stated && e.disc && found.optics.semi_angle > 0 &&
             (found.optics.energy > 0 || found.optics.xray_energy > 0)) {
    found.calibration.fit_disc = true;
    found.where["calibration.fit_disc"] =
        fmt::format("no calibration is stated; the disc has a radius of {:.2f} px", e.disc->radius);
  }
}

void add_step(const FileFacts& file, FoundConfig& found) {
  ScanConfig& scan = found.scan;
  if (scan.step[0] > 0 || file.scan_step[0] <= 0) return;
  scan.step = {six_digits(file.scan_step[0]), six_digits(file.scan_step[1])};
  found.where["scan.step"] = file.where_is("scan.step");
  if (scan.rotation || file.scan_rotation.value_or(0) == 0) return;
  scan.rotation = six_digits(*file.scan_rotation);
  found.where["scan.rotation"] = file.where_is("scan.rotation");
}

void add_scan(const h5::File& in_file, const StatedFacts& stated, FoundConfig& found) {
  ScanConfig& scan = found.scan;
  if (!scan.positions.empty() || scan.gives_step() || !scan.file.empty()) return;
  const FileFacts& file = stated.facts;
  if (in_file.has_dataset("/positions")) {
    scan.positions = "/positions";
    found.where["scan.positions"] = "found in the file";
  } else if (!stated.positions.empty()) {
    scan.positions = stated.positions;
    scan.order = PairOrder::x_y;
    scan.unit = scan.unit.value_or(LengthUnit::metre);
    for (const char* key : {"scan.positions", "scan.order", "scan.unit"})
      found.where[key] = "as the layout has it";
  } else {
    add_step(file, found);
  }
}

}  // namespace

FoundConfig found_config(const InspectConfig& given, const h5::File& file, const Frames& frames,
                         const StatedFacts& stated, const Experiment& e) {
  FoundConfig found{given.data, given.calibration, given.scan, given.optics, stated.probe, {}};
  if (std::max(frames.rows(), frames.cols()) != e.patterns->window()) found.probe_start.clear();
  if (!found.probe_start.empty())
    found.where["probe.start"] = "the illumination, as the layout has it";
  add_frames(stated, frames, found);
  add_optics(stated.facts, e.optics, found);
  add_calibration(stated.facts, e, found);
  add_scan(file, stated, found);
  return found;
}

FoundConfig found_config(const InspectConfig& given, const Experiment& e) {
  FoundConfig found{given.data, given.calibration, given.scan, given.optics, {}, {}};
  const FileFacts& facts = given.patterns->facts;
  add_optics(facts, e.optics, found);
  add_calibration(facts, e, found);
  if (given.patterns->positions.empty()) add_step(facts, found);
  return found;
}

FoundText found_text(const Inspection& found, const Schema& schema, ReconstructConfig& all,
                     const std::string& mask, const PatternsInMemory* patterns) {
  FoundText text;
  all.data = found.config.data;
  all.calibration = found.config.calibration;
  all.scan = found.config.scan;
  all.optics = found.config.optics;
  if (!schema.given("probe.start") && !found.config.probe_start.empty())
    all.probe.start = found.config.probe_start;
  if (!patterns)
    all.data.file = std::filesystem::absolute(all.data.file).lexically_normal().string();
  if (!mask.empty()) all.data.mask = mask;
  all.data.skip = ranges_of(found.skip);
  std::map<std::string, std::string> where = found.config.where;
  if (found.quick) {
    const Adopted adopted =
        adopt(*found.quick, thickness_of(all.object), all.data, all.scan, all.optics);
    text.adopted = adopted.lines;
    for (const auto& [key, comment] : adopted.where) where.insert_or_assign(key, comment);
    if (!adopted.where.empty()) all.optics.fitted = false;  // there is nothing left to measure
  }
  std::string missing;
  ReconstructConfig completed = all;
  complete(completed);
  for (const auto& [key, fault] :
       faults_between_keys(completed, {}, {Purpose::Folder::unused, patterns}))
    missing += fmt::format("# {}: {}\n", key, fault);
  text.complete = missing.empty();
  if (!text.complete) text.yaml = "# Still to be given:\n" + missing;
  text.yaml += schema.changes(where);
  return text;
}

}  // namespace ptyle
