#include "prepare/calibration.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"
#include "physics/electron.hpp"
#include "prepare/disc.hpp"

namespace ptyle {

double wavelength_of(const OpticsConfig& o) {
  if (o.energy > 0 && o.xray_energy > 0)
    throw UserError("optics.energy and optics.xray_energy are both given, one is needed");
  if (o.energy > 0) return electron_wavelength(o.energy);
  if (o.xray_energy > 0) return photon_wavelength(o.xray_energy);
  return 0;
}

namespace {

std::vector<std::string> keys_given(const CalibrationConfig& c) {
  std::vector<std::string> keys;
  if (c.pixel_size > 0) keys.emplace_back("pixel_size");
  if (c.dk > 0) keys.emplace_back("dk");
  if (c.mrad_per_pixel > 0) keys.emplace_back("mrad_per_pixel");
  if (c.max_angle > 0) keys.emplace_back("max_angle");
  if (c.disc_radius > 0) keys.emplace_back("disc_radius");
  if (c.fit_disc) keys.emplace_back("fit_disc");
  return keys;
}

/// dk in 1/Å from the one calibration that is given.
double dk_of(const CalibrationInput& in, double wavelength, const std::string& key) {
  const auto& c = in.given;
  const auto w = static_cast<double>(in.window);
  if (key == "pixel_size") return 1 / (w * c.pixel_size);
  if (key == "dk") return c.dk;
  if (wavelength <= 0) throw UserError(fmt::format("calibration.{} needs optics.energy", key));
  if (key == "mrad_per_pixel") return c.mrad_per_pixel * mrad / wavelength;
  if (key == "max_angle")
    return c.max_angle * mrad / (static_cast<double>(in.extent) / 2) / wavelength;
  if (in.optics.semi_angle <= 0)
    throw UserError(fmt::format("calibration.{} needs optics.semi_angle", key));
  const double k = in.optics.semi_angle * mrad / wavelength;
  if (key == "disc_radius") return k / c.disc_radius;
  if (!in.disc)
    throw UserError(
        "calibration.fit_disc finds no bright-field disc in the mean pattern, give one of the "
        "others (pixel_size, dk, mrad_per_pixel, max_angle, disc_radius)");
  return k / in.disc->radius;
}

/// 1/Å of a pixel of the frame, by what the file states; `from` is told what that is.
std::optional<double> dk_of_file(const CalibrationInput& in, double wavelength, std::string& from) {
  const FileFacts& file = in.file;
  if (file.pixel_size && in.frame_side > 0) {
    from = "the file's attribute pixel_size";
    if (!(*file.pixel_size > 0 && std::isfinite(*file.pixel_size)))
      throw UserError(
          fmt::format("the file's attribute pixel_size is {:g} Å, it must be above 0; give "
                      "calibration.pixel_size or another calibration instead",
                      *file.pixel_size));
    return 1 / (static_cast<double>(in.frame_side) * *file.pixel_size);
  }
  if (file.dk) {
    from = file.where_is("calibration.dk");
    return *file.dk;
  }
  if (!file.mrad_per_pixel || wavelength <= 0) return {};
  from = file.where_is("calibration.mrad_per_pixel");
  return *file.mrad_per_pixel * mrad / wavelength;
}

void report(const CalibrationInput& in, const Calibration& c, const std::string& from,
            std::vector<std::string>& notes, std::vector<std::string>& warnings) {
  const double w = static_cast<double>(in.window), e = static_cast<double>(in.extent);
  std::string line =
      fmt::format("calibration from {}: pixel {:.5g} Å, dk {:.5g} 1/Å", from, c.pixel, c.dk);
  const double per_pixel = c.wavelength * c.dk / mrad;
  if (c.wavelength > 0)
    line += fmt::format(
        ", {:.5g} mrad per detector pixel, largest angle {:.5g} mrad, wavelength {:.5g} Å",
        per_pixel, per_pixel * e / 2, c.wavelength);
  notes.push_back(line + fmt::format(", field of a window {:.5g} Å", w * c.pixel));
  if (c.wavelength <= 0 || in.optics.semi_angle <= 0) return;
  const double radius = in.optics.semi_angle / per_pixel;
  notes.push_back(fmt::format("optics.semi_angle {:.4g} mrad is a disc of {:.2f} px radius",
                              in.optics.semi_angle, radius));
  if (radius > w / 2)
    warnings.push_back(
        fmt::format("the bright-field disc of {:.1f} px radius is larger than the window of {} px: "
                    "the calibration or optics.semi_angle is wrong, or data.crop too small",
                    radius, in.window));
  if (!in.disc || in.given.fit_disc) return;
  const double angle = in.disc->radius * per_pixel, off = angle / in.optics.semi_angle - 1;
  if (std::abs(off) > disc_tolerance)
    warnings.push_back(
        fmt::format("the disc measured on the mean pattern ({:.2f} px radius) is a convergence "
                    "angle of {:.4g} mrad, "
                    "{:+.1f} % off optics.semi_angle {:.4g}: the calibration or the angle is wrong",
                    in.disc->radius, angle, 100 * off, in.optics.semi_angle));
}

}  // namespace

double disc_radius(const OpticsConfig& optics, const Calibration& c) {
  if (optics.semi_angle <= 0 || c.wavelength <= 0 || c.dk <= 0) return 0;
  return optics.semi_angle * mrad / c.wavelength / c.dk;
}

Calibration calibrate(const CalibrationInput& in, std::vector<std::string>& notes,
                      std::vector<std::string>& warnings) {
  Calibration c;
  c.wavelength = wavelength_of(in.optics);
  const auto keys = keys_given(in.given);
  if (keys.size() > 1)
    throw UserError(fmt::format("calibration.{} are all given, exactly one is needed",
                                fmt::join(keys, ", calibration.")));
  std::string from;
  if (!keys.empty()) {
    from = "calibration." + keys.front();
    c.dk = dk_of(in, c.wavelength, keys.front());
  } else if (const auto dk = dk_of_file(in, c.wavelength, from)) {
    c.dk = static_cast<double>(in.bin) * *dk;
  } else if (c.wavelength > 0) {
    throw UserError(
        "no calibration is given: one of calibration.pixel_size, dk, mrad_per_pixel, max_angle, "
        "disc_radius or fit_disc is needed");
  } else {
    c.dk = 1 / static_cast<double>(in.window);
    notes.emplace_back("no energy and no calibration: everything is in pixels");
    return c;
  }
  c.pixel = 1 / (static_cast<double>(in.window) * c.dk);
  report(in, c, from, notes, warnings);
  return c;
}

}  // namespace ptyle
