// The findings of a quick look, as keys of a configuration.

#include <fmt/format.h>

#include <cmath>

#include "core/rounded.hpp"
#include "core/units.hpp"
#include "session/orientation.hpp"
#include "session/quick_look.hpp"

namespace ptyle {
namespace {

/// By more than three standard errors, and more than so much.
bool differs(double found, double given, double error, double least) {
  return std::abs(found - given) > std::max(told_apart * error, least);
}

constexpr double little = 1;  // degree of rotation that is not worth a change

bool as_given(const FoundBeam& f) {
  return f.flips.name() == "none" && !differs(f.rotation, 0, f.rotation_error, little);
}

/// scan.rotation with what was found, degrees.
double whole_rotation(const QuickLook& look) {
  const double before = std::atan2(look.raster.slow.col, look.raster.slow.row) / degree;
  return rounded(std::remainder(before + look.found.rotation, 360.0), look.found.rotation_error);
}

/// The keys of the orientation that was found.
std::string orientation_keys(const QuickLook& look, const DataConfig& data) {
  const std::string flips = keys_of(look.found.flips, data);
  return fmt::format("{}{}scan.rotation={:.4g}", flips, flips.empty() ? "" : " ",
                     whole_rotation(look));
}

}  // namespace

bool tells_orientation(const QuickLook& look) {
  const FoundBeam& f = look.found;
  return f.known && f.flip_known && f.rotation_known && f.sign != SignBy::nothing;
}

std::optional<std::string> warning_of_quick_look(const QuickLook& look, const DataConfig& data) {
  constexpr double much = 10;  // degrees
  const FoundBeam& f = look.found;
  if (!tells_orientation(look) || (f.flips.name() == "none" && std::abs(f.rotation) < much))
    return {};
  return fmt::format("orientation looks wrong: by the quick look it is {}",
                     orientation_keys(look, data));
}

namespace {

/// Puts flips and rotation into their keys. False where they are others than those given, and stay.
bool adopt_orientation(const QuickLook& look, DataConfig& data, ScanConfig& scan,
                       std::vector<std::string>& lines) {
  const FoundBeam& f = look.found;
  if (!tells_orientation(look)) {
    lines.emplace_back("orientation and sign of the defocus are not determined: their keys stay");
    return false;
  }
  if (as_given(f)) return true;
  const std::string found = orientation_keys(look, data);
  const bool raster = scan.step[0] > 0 && scan.positions.empty();
  const bool given = scan.rotation || data.flip_rows || data.flip_cols || data.transpose;
  if (!raster || given) {
    lines.push_back(
        fmt::format("orientation found differs from the one given, which stays: {}{}", found,
                    raster ? "" : ", with scan.step in place of positions, which are final"));
    return false;
  }
  data.flip_rows = f.flips.flip_rows;
  data.flip_cols = f.flips.flip_cols;
  data.transpose = f.flips.transpose;
  scan.rotation = whole_rotation(look);
  lines.push_back("put in: " + found);
  return true;
}

}  // namespace

std::vector<std::string> adopt(const QuickLook& look, double thickness, DataConfig& data,
                               ScanConfig& scan, OpticsConfig& optics) {
  std::vector<std::string> lines;
  const FoundBeam& f = look.found;
  if (!look.refusal.empty() || !f.known) return lines;
  if (!adopt_orientation(look, data, scan, lines)) return lines;
  const double defocus = rounded(f.defocus + thickness / 2, f.defocus_error);
  constexpr double share = 0.03;
  if (!optics.defocus) {
    optics.defocus = defocus;
    lines.push_back(fmt::format("put in: optics.defocus={:.6g}", defocus));
  } else if (differs(defocus, *optics.defocus, f.defocus_error, share * std::abs(defocus))) {
    lines.push_back(
        fmt::format("optics.defocus={:.6g} stays; found is {:.6g}", *optics.defocus, defocus));
  }
  if (!f.astigmatism_known) return lines;
  const double C12 = rounded(f.C12, f.C12_error), phi12 = rounded(f.phi12, f.phi12_error);
  const std::string found = fmt::format("optics.C12={:.5g} optics.phi12={:.4g}", C12, phi12);
  if (optics.C12 == 0 && optics.phi12 == 0) {
    optics.C12 = C12;
    optics.phi12 = phi12;
    lines.push_back("put in: " + found);
  } else {
    lines.push_back(fmt::format("optics.C12={:.5g} optics.phi12={:.4g} stay; found is {}",
                                optics.C12, optics.phi12, found));
  }
  return lines;
}

}  // namespace ptyle
