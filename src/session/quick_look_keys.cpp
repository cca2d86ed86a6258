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
  return six_digits(
      rounded(std::remainder(before + look.found.rotation, 360.0), look.found.rotation_error));
}

}  // namespace

bool is_rotated(const FoundBeam& f) {
  constexpr double much = 10;  // degrees
  return differs(f.rotation, 0, f.rotation_error, much);
}

std::string orientation_keys(const QuickLook& look, const DataConfig& data) {
  const std::string flips = keys_of(look.found.flips, data);
  return fmt::format("{}{}scan.rotation={:.6g}", flips, flips.empty() ? "" : " ",
                     whole_rotation(look));
}

bool flips_given(const DataConfig& data) {
  return data.flip_rows || data.flip_cols || data.transpose || data.centre;
}

bool tells_orientation(const QuickLook& look) {
  const FoundBeam& f = look.found;
  return f.known && f.flip_known && f.rotation_known && f.sign != SignBy::nothing;
}

std::optional<std::string> warning_of_quick_look(const QuickLook& look, const DataConfig& data) {
  const FoundBeam& f = look.found;
  if (!tells_orientation(look) || (f.flips.name() == "none" && !is_rotated(f))) return {};
  return fmt::format("orientation looks wrong: by the quick look it is {}",
                     orientation_keys(look, data));
}

namespace {

std::string measured(double error, const char* unit) {
  return fmt::format("measured by the quick look, ± {:.2g} {}", error, unit);
}

/// Puts flips and rotation into their keys. False where clearly others than those found stay.
bool adopt_orientation(const QuickLook& look, DataConfig& data, ScanConfig& scan,
                       Adopted& adopted) {
  const FoundBeam& f = look.found;
  if (!tells_orientation(look)) {
    adopted.lines.emplace_back(
        "orientation and sign of the defocus are not determined: their keys stay");
    return false;
  }
  if (as_given(f)) return true;
  const std::string found = orientation_keys(look, data);
  const bool flips = flips_given(data);
  if (!look.by_step || scan.rotation || (flips && f.flips.name() != "none")) {
    adopted.lines.push_back(
        fmt::format("orientation found differs from the one given, which stays: {}{}", found,
                    look.by_step ? "" : ", with scan.step in place of positions, which are final"));
    return f.flips.name() == "none" && !is_rotated(f);
  }
  const auto put = [&](bool& key, bool value, const char* path) {
    if (value == key) return;
    key = value;
    adopted.where[path] = "measured by the quick look";
  };
  if (!flips) {
    put(data.flip_rows, f.flips.flip_rows, "data.flip_rows");
    put(data.flip_cols, f.flips.flip_cols, "data.flip_cols");
    put(data.transpose, f.flips.transpose, "data.transpose");
  }
  scan.rotation = whole_rotation(look);
  adopted.where["scan.rotation"] = measured(f.rotation_error, "degrees");
  adopted.lines.push_back("put in: " + found);
  return true;
}

void adopt_defocus(const FoundBeam& f, double thickness, OpticsConfig& optics, Adopted& adopted) {
  constexpr double share = 0.03;
  const double defocus = six_digits(rounded(f.defocus + thickness / 2, f.defocus_error));
  if (!optics.defocus) {
    optics.defocus = defocus;
    adopted.where["optics.defocus"] = measured(f.defocus_error, "Å");
    adopted.lines.push_back(fmt::format("put in: optics.defocus={:.6g}", defocus));
  } else if (differs(defocus, *optics.defocus, f.defocus_error, share * std::abs(defocus))) {
    adopted.lines.push_back(
        fmt::format("optics.defocus={:.6g} stays; found is {:.6g}", *optics.defocus, defocus));
  }
}

void adopt_astigmatism(const FoundBeam& f, OpticsConfig& optics, Adopted& adopted) {
  if (!f.astigmatism_known) return;
  const double C12 = six_digits(rounded(f.C12, f.C12_error)),
               phi12 = six_digits(rounded(f.phi12, f.phi12_error));
  const std::string found = fmt::format("optics.C12={:.6g} optics.phi12={:.6g}", C12, phi12);
  if (optics.C12 == 0 && optics.phi12 == 0) {
    optics.C12 = C12;
    optics.phi12 = phi12;
    adopted.where["optics.C12"] = measured(f.C12_error, "Å");
    adopted.where["optics.phi12"] = measured(f.phi12_error, "degrees");
    adopted.lines.push_back("put in: " + found);
  } else {
    adopted.lines.push_back(fmt::format("optics.C12={:.5g} optics.phi12={:.4g} stay; found is {}",
                                        optics.C12, optics.phi12, found));
  }
}

}  // namespace

Adopted adopt(const QuickLook& look, double thickness, DataConfig& data, ScanConfig& scan,
              OpticsConfig& optics) {
  Adopted adopted;
  if (!look.refusal.empty() || !look.found.known) return adopted;
  if (!adopt_orientation(look, data, scan, adopted)) return adopted;
  adopt_defocus(look.found, thickness, optics, adopted);
  adopt_astigmatism(look.found, optics, adopted);
  return adopted;
}

}  // namespace ptyle
