// 1. The calibration of the patterns' axes, as EMD and hyperspy keep it beside them.
// 2. py4DSTEM's calibration group, in place of the axes where it differs from them.
// 3. The instrument: hyperspy's metadata, CXI's and NeXus' groups.
// 4. Positions and mask, where the layout has a place for them.

#include "session/file_dialects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "prepare/positions.hpp"

namespace ptyle {
namespace {

constexpr double joule_in_keV = 1 / 1.602176634e-16;  // exact since 2019 (SI)

std::string group_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// "[1_/_n_m]", as EMD 0.2 writes units, and "$A^{-1}$" or "k_A^-1", as pyxem does, without the
/// brackets, dashes and marks of TeX.
std::string plain(std::string unit) {
  std::erase_if(unit,
                [](char c) { return std::string_view("[]{}$_ ").find(c) != std::string::npos; });
  return unit;
}

/// Å of a unit of length; nothing where it is none, or a pixel.
std::optional<double> angstroms_of(const std::string& unit) {
  const auto length = unit_named(unit);
  if (!length || *length == LengthUnit::pixel) return {};
  return angstroms_in(*length, 1);
}

/// 1/Å of a unit of reciprocal length: "1/nm", "nm^-1", "Å⁻¹"; or of pyxem's "knm^-1" and of
/// "qnm^-1", where q = 2π k.
std::optional<double> per_angstrom(const std::string& unit) {
  std::string of = unit.starts_with("1/") ? unit.substr(2) : "";
  for (const std::string_view power : {"^-1", "-1", "⁻¹"})
    if (of.empty() && unit.ends_with(power)) of = unit.substr(0, unit.size() - power.size());
  if (of.empty()) return {};
  if (const auto length = angstroms_of(of)) return 1 / *length;
  const auto length = angstroms_of(of.substr(1));
  if (!length || (of[0] != 'k' && of[0] != 'q')) return {};
  return 1 / (*length * (of[0] == 'q' ? 2 * pi : 1));
}

/// mrad of a unit of angle; pyxem's "2thdeg" is that of the scattering angle, 2θ.
std::optional<double> mrad_of(std::string unit) {
  if (unit.starts_with("2th")) unit.erase(0, 3);
  if (unit == "mrad") return 1;
  if (unit == "rad") return 1 / mrad;
  if (unit == "deg" || unit == "°") return degree / mrad;
  return {};
}

/// keV of a unit of energy.
std::optional<double> keV_of(const std::string& unit) {
  const std::pair<const char*, double> known[] = {
      {"ev", 1e-3}, {"kev", 1}, {"mev", 1e3}, {"j", joule_in_keV}, {"joule", joule_in_keV}};
  const std::string small = lower_case(unit);
  for (const auto& [name, keV] : known)
    if (small == name) return keV;
  return {};
}

bool is_size(double v) { return std::isfinite(v) && v > 0; }

class Dialect {
 public:
  Dialect(const h5::File& file, const Frames& frames) : file_(file), frames_(frames) {}

  DialectFacts read() {
    read_axes();
    read_py4dstem();
    read_hyperspy();
    read_cxi();
    read_nexus();
    return std::move(facts_);
  }

 private:
  /// The step of an axis and its unit, as its object beside the patterns says.
  struct Axis {
    double step = 0;
    std::string unit, where;
  };

  void take(const std::string& key, std::vector<double> numbers, const std::string& where) {
    if (std::all_of(numbers.begin(), numbers.end(), is_size))
      facts_.values.insert_or_assign(key, StatedValue{std::move(numbers), where});
  }

  /// A number in an attribute or in a dataset of one.
  [[nodiscard]] std::optional<double> number(const std::optional<h5::Attribute>& from) const {
    return from && from->numbers.size() == 1 ? std::optional(from->numbers[0]) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> number_in(const std::string& dataset) const {
    return number(file_.value(dataset));
  }
  [[nodiscard]] std::string text_in(const std::string& dataset) const {
    const auto value = file_.value(dataset);
    return value && value->texts.size() == 1 ? value->texts[0] : std::string();
  }
  [[nodiscard]] std::string unit_of(const std::string& object, const char* otherwise = "") const {
    const std::string unit = plain(file_.text(object, "units").value_or(""));
    return unit.empty() ? otherwise : unit;
  }

  /// HyperSpy's axis is a group of attributes, EMD's a dataset of the first places, or of all.
  [[nodiscard]] std::optional<Axis> axis(int d) const {
    const std::string object = object_of_axis(file_, frames_.info(), d);
    if (object.empty()) return {};
    const std::string where = fmt::format("'{}'", object);
    if (!file_.has_dataset(object)) {
      const auto scale = file_.number(object, "scale");
      return scale ? std::optional(Axis{std::abs(*scale), unit_of(object), where}) : std::nullopt;
    }
    const h5::Dataset set = file_.dataset(object);
    if (!set.info().type.is_real() || set.shape().size() != 1 || set.shape()[0] < 2) return {};
    std::array<double, 2> places{};
    set.read({0}, {2}, places.data());
    return Axis{std::abs(places[1] - places[0]), unit_of(object), where};
  }

  void read_axes() {
    const FrameAxes& axes = frames_.axes();
    if (const auto ky = axis(axes.ky), kx = axis(axes.kx); ky && kx) take_detector(*ky, *kx);
    if (axes.scan.size() == 2)
      if (const auto slow = axis(axes.scan[0]), fast = axis(axes.scan[1]); slow && fast)
        take_step({slow->step, fast->step}, slow->unit, fast->unit,
                  fmt::format("{} and {}", slow->where, fast->where));
  }

  void take_detector(const Axis& ky, const Axis& kx) {
    constexpr double alike = 0.01;
    if (!is_size(ky.step) || !is_size(kx.step) || ky.unit != kx.unit) return;
    const auto dk = per_angstrom(kx.unit), angle = mrad_of(kx.unit);
    const std::string where =
        ky.where == kx.where ? kx.where : fmt::format("{} and {}", ky.where, kx.where);
    if (!dk && !angle) return say_unknown(where, kx);
    if (std::abs(ky.step / kx.step - 1) > alike) {
      facts_.notes.push_back(
          fmt::format("{} state pixels of {:.5g} and {:.5g} {}, which are no squares: neither is "
                      "taken for the calibration",
                      where, ky.step, kx.step, kx.unit));
      return;
    }
    if (dk) take("calibration.dk", {kx.step * *dk}, where);
    if (angle) take("calibration.mrad_per_pixel", {kx.step * *angle}, where);
  }

  /// A unit that is none of the detector's; where an axis has no unit, or pixels, nothing is said.
  void say_unknown(const std::string& where, const Axis& axis) {
    constexpr std::string_view none = "<undefined>";  // hyperspy's
    if (axis.unit.empty() || axis.unit == none || unit_named(axis.unit) == LengthUnit::pixel)
      return;
    facts_.notes.push_back(fmt::format(
        "{} state pixels of {:.5g} '{}', which is no unit of reciprocal length or of angle that is "
        "known: it is not taken for the calibration; give calibration.dk or mrad_per_pixel",
        where, axis.step, printable(axis.unit)));
  }

  void take_step(std::array<double, 2> steps, const std::string& slow, const std::string& fast,
                 const std::string& where) {
    const auto a = angstroms_of(slow), b = angstroms_of(fast);
    if (a && b) take("scan.step", {steps[0] * *a, steps[1] * *b}, where);
  }

  /// The group lies at the root of the tree, or at the data cube.
  void read_py4dstem() {
    const std::string cube = group_of(frames_.info().path), root = group_of(cube);
    for (const std::string& at : {root, cube}) {
      const std::string group = at + "/metadatabundle/calibration";
      if (!file_.leads_somewhere(group)) continue;
      const auto in = [&](const char* name) { return fmt::format("{}/{}", group, name); };
      const std::string where = fmt::format("'{}'", group);
      if (const auto q = number_in(in("Q_pixel_size")))
        take_detector({*q, plain(text_in(in("Q_pixel_units"))), where},
                      {*q, plain(text_in(in("Q_pixel_units"))), where});
      const std::string length = plain(text_in(in("R_pixel_units")));
      if (const auto r = number_in(in("R_pixel_size"))) take_step({*r, *r}, length, length, where);
      if (const auto angle = number_in(in("convergence_semiangle_mrad")))
        take("optics.semi_angle", {*angle}, where);
      if (const auto turn = number_in(in("QR_rotation")); turn && *turn != 0)
        facts_.notes.push_back(
            fmt::format("{} states QR_rotation {:.4g} rad, which is not taken: ptyle inspect says "
                        "how the patterns lie to the scan",
                        where, *turn));
    }
  }

  /// The instrument is beside the signal: /Experiments/NAME/metadata.
  void read_hyperspy() {
    const std::string tem = group_of(frames_.info().path) + "/metadata/Acquisition_instrument/TEM";
    if (!file_.leads_somewhere(tem)) return;
    const auto attribute = [&](const char* name, const char* key) {
      if (const auto value = file_.number(tem, name))
        take(key, {*value}, fmt::format("{} of '{}'", name, tem));
    };
    attribute("beam_energy", "optics.energy");
    attribute("convergence_angle", "optics.semi_angle");
  }

  /// The first group whose name begins so.
  [[nodiscard]] std::string child(const std::string& group, std::string_view begins) const {
    for (const auto& name : file_.names(group))
      if (name.starts_with(begins)) return fmt::format("{}/{}", group, name);
    return {};
  }

  /// CXI 1.6: all is in SI units; photons, as it knows no other beam.
  void read_cxi() {
    const std::string entry = child("", "entry_");
    if (entry.empty()) return;
    const std::string instrument = child(entry, "instrument_");
    const std::string source = instrument.empty() ? "" : child(instrument, "source_");
    if (const auto joules = source.empty() ? std::nullopt : number_in(source + "/energy"))
      take("optics.xray_energy", {*joules * joule_in_keV}, fmt::format("'{}/energy'", source));
    read_illumination(source.empty() ? child(entry, "source_") : source);
    const std::string detector = instrument.empty() ? "" : child(instrument, "detector_");
    if (!detector.empty()) take_pixels(detector, "m");
    for (const char* place : {"/data_1/translation", "/sample_1/geometry_1/translation"})
      if (facts_.positions.empty() && file_.has_dataset(entry + place))
        facts_.positions = entry + place;
    if (facts_.positions.empty() && file_.has_dataset(detector + "/translation"))
      facts_.positions = detector + "/translation";
  }

  /// The wave at the specimen, (W, W) or (mode, W, W), centred.
  void read_illumination(const std::string& source) {
    const std::string at = source + "/illumination";
    if (source.empty() || !file_.has_dataset(at)) return;
    const h5::DatasetInfo info = file_.info(at);
    const auto rank = info.shape.size();
    const i64 side = std::max(frames_.rows(), frames_.cols());
    if (info.type.kind != h5::Kind::complex || rank < 2)
      facts_.notes.push_back(
          fmt::format("'{}' is {} of {}, and no illumination to start from, which is complex", at,
                      h5::to_string(info.shape), h5::to_string(info.type)));
    else if (info.shape[rank - 1] != side || info.shape[rank - 2] != side)
      facts_.notes.push_back(fmt::format(
          "'{}' is an illumination of {}, which fits a window of this size alone (data.window)", at,
          h5::to_string(info.shape)));
    else
      facts_.probe = at;
  }

  /// Angle of a pixel by its size and the detector's distance; and its mask.
  void take_pixels(const std::string& detector, const char* unit) {
    const auto size_in = [&](const char* name) -> std::optional<double> {
      const std::string at = fmt::format("{}/{}", detector, name);
      const auto value = number_in(at);
      const auto length = value ? angstroms_of(unit_of(at, unit)) : std::nullopt;
      return length ? std::optional(*value * *length) : std::nullopt;
    };
    const auto distance = size_in("distance"), x = size_in("x_pixel_size"),
               y = size_in("y_pixel_size");
    if (distance && x && y && is_size(*distance)) {
      const std::string where = fmt::format("'{}', its distance and pixel sizes", detector);
      take_detector({*y / *distance / mrad, "mrad", where}, {*x / *distance / mrad, "mrad", where});
    }
    for (const char* name : {"mask", "pixel_mask", "detectorSpecific/pixel_mask"})
      if (facts_.mask.empty() && file_.has_dataset(fmt::format("{}/{}", detector, name)))
        facts_.mask = fmt::format("{}/{}", detector, name);
  }

  /// NXmx and the like, Dectris' files among them, whose beam may be of electrons or of photons.
  void read_nexus() {
    const std::string instrument = "/entry/instrument", beam = instrument + "/beam",
                      detector = instrument + "/detector";
    if (!file_.leads_somewhere(instrument)) return;
    if (file_.leads_somewhere(detector)) take_pixels(detector, "m");
    const std::string energy = beam + "/incident_energy";
    const auto value = number_in(energy);
    const auto keV = value ? keV_of(unit_of(energy, "eV")) : std::nullopt;
    if (keV)
      take(electrons() ? "optics.energy" : "optics.xray_energy", {*value * *keV},
           fmt::format("'{}'", energy));
  }

  /// Is the source one of electrons, by what NeXus' probe says, or by the detector's model?
  [[nodiscard]] bool electrons() const {
    for (const char* probe : {"/entry/instrument/source/probe", "/entry/source/probe"})
      if (const std::string said = text_in(probe); !said.empty())
        return said.find("electron") != std::string::npos;
    const std::string model = text_in("/entry/instrument/detector/description");
    return std::any_of(electron_detectors.begin(), electron_detectors.end(),
                       [&](const char* name) { return model.find(name) != std::string::npos; });
  }
  static constexpr std::array electron_detectors{"ARINA", "ELA", "QUADRO", "SINGLA",
                                                 "Arina", "Ela", "Quadro", "Singla"};

  const h5::File& file_;
  const Frames& frames_;
  DialectFacts facts_;
};

}  // namespace

DialectFacts dialect_facts(const h5::File& file, const Frames& frames) {
  try {
    return Dialect(file, frames).read();
  } catch (const UserError&) {  // an attribute that cannot be read
    return {};
  }
}

}  // namespace ptyle
