// Does the quick look find how a scan lies to its detector, and the beam's defocus and astigmatism?
//
// Three simulated sets, with scan rotation, astigmatism and a flip of the detector that the fit is
// not told, and a nominal defocus that is far off; and the cryo set of examples/cryo-virus.yaml,
// where $PTYLE_DATA or ../shared/data has it. Asked: rotation within 1 degree, defocus within 3 %
// (in focus: of a tenth of the depth of focus λ/α²), astigmatism within 20 Å, the flip right or
// said to be undetermined, 10 s each. The cryo set's values are those that make R least
// (docs/benchmarks.md): rotation within 2 degrees, defocus within 5 %. Defocus is that in the
// middle of the specimen.
//
//   bench-quick-look [FOLDER]   pictures are left there
//   last line: the largest error in units of its bound

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"
#include "folder.hpp"
#include "io/hdf5.hpp"
#include "session/open_experiment.hpp"
#include "session/quick_look.hpp"
#include "simulate/in_memory.hpp"

using namespace ptyle;
using namespace ptyle::bench;

namespace {

constexpr int threads = 2;
constexpr double most_seconds = 10;

struct Told {
  DataConfig data;
  CalibrationConfig calibration;
  ScanConfig scan;
  OpticsConfig optics;
};

struct Truth {
  Flips flips;          ///< that put the patterns straight
  double rotation = 0;  ///< of the scan, degrees
  double defocus = 0, C12 = 0, phi12 = 0;
  bool simulated = true;
};

struct Set {
  std::string name;
  Told told;
  Truth truth;
};

/// A frame as a detector records it that the flips put straight.
std::vector<float> recorded(const float* frame, i64 side, const Flips& flips) {
  std::vector<float> out(static_cast<std::size_t>(side * side));
  for (i64 y = 0; y < side; ++y)
    for (i64 x = 0; x < side; ++x) {
      i64 row = y, col = x;
      if (flips.transpose) std::swap(row, col);
      // about the zero frequency, as the program flips about pixel [N/2, N/2]
      if (flips.flip_cols) col = (side - col) % side;
      if (flips.flip_rows) row = (side - row) % side;
      out[row * side + col] = frame[y * side + x];
    }
  return out;
}

Set simulated(const std::string& name, const Recipe& recipe, const Flips& flips, double nominal,
              const std::string& path) {
  const MemorySet made = simulate_in_memory(recipe);
  const auto [count, side, width] = made.patterns.shape();
  h5::File file = h5::File::create(path, true);
  std::vector<float> frames;
  for (i64 i = 0; i < count; ++i) {
    const auto frame = recorded(made.patterns.view()[i].data, side, flips);
    frames.insert(frames.end(), frame.begin(), frame.end());
  }
  file.write("/dp", {count, side, width}, frames.data());
  file.commit();
  Set set{name, {}, {}};
  set.told.data.file = path;
  set.told.data.patterns = "/dp";
  set.told.data.scan_shape = recipe.scan.shape;
  set.told.calibration.pixel_size = recipe.detector.pixel_size;
  set.told.scan.step = recipe.scan.step;
  set.told.optics.energy = recipe.optics.energy;
  set.told.optics.semi_angle = recipe.optics.semi_angle;
  set.told.optics.defocus = nominal;
  const double thickness =
      static_cast<double>(made.phase.shape()[0]) * recipe.specimen.slice_thickness;
  set.truth = {flips, recipe.scan.rotation, recipe.optics.defocus - thickness / 2,
               recipe.optics.C12, recipe.optics.phi12};
  return set;
}

Recipe thin(double defocus, double C12, double phi12, double step, double rotation) {
  Recipe r;
  r.specimen.structure = BuiltIn::MoS2;
  r.specimen.rotation = 11;
  r.specimen.substitutions = {"Mo=W share=0.3 at=(3 -4) radius=6"};
  r.optics = {.energy = 80, .semi_angle = 25, .defocus = defocus, .C12 = C12, .phi12 = phi12};
  r.detector = {.window = 96, .pixel_size = 0.2};
  r.scan = {.shape = {48, 44}, .step = {step, step}, .rotation = rotation};
  r.dose.electrons_per_A2 = 1e4;
  r.seed = 3;
  return r;
}

Recipe thick() {
  Recipe r;
  r.specimen.structure = BuiltIn::SrTiO3;
  r.specimen.rotation = 7;
  r.specimen.thickness = 101.53;
  r.specimen.slice_thickness = 1.9525;
  r.optics = {.energy = 200, .semi_angle = 22, .defocus = 250, .C12 = 50, .phi12 = 70};
  r.detector = {.window = 96, .pixel_size = 0.2};
  r.scan = {.shape = {48, 48}, .step = {0.5, 0.5}, .rotation = -48};
  r.dose.electrons_per_A2 = 5e4;
  r.seed = 4;
  return r;
}

std::string cryo_file() {
  const char* folder = std::getenv("PTYLE_DATA");
  for (const std::string& at : {std::string(folder ? folder : ""), std::string("../shared/data")})
    if (!at.empty() && std::filesystem::exists(at + "/cryo_virus.h5")) return at + "/cryo_virus.h5";
  return "";
}

/// As examples/cryo-virus.yaml.
Set cryo(const std::string& path) {
  Set set{"cryo-virus", {}, {}};
  set.told.data.file = path;
  set.told.data.patterns = "/data";
  set.told.data.centre = {{126.1, 127.7}};
  set.told.calibration.pixel_size = 4.65;
  set.told.scan.positions = "/positions";
  set.told.scan.unit = LengthUnit::angstrom;
  set.told.optics.energy = 300;
  set.told.optics.semi_angle = 1.03;
  set.told.optics.defocus = 135000;
  set.truth = {{}, 5.6, 135000, 0, 0, false};
  return set;
}

struct Errors {
  double rotation = 0, defocus = 0, astigmatism = 0;
  bool flip_wrong = false;
};

Errors errors_of(const FoundBeam& found, const Truth& truth) {
  Errors e;
  e.flip_wrong = found.flips.mirrors() != truth.flips.mirrors();
  // Equal orientations by other flips: T' T⁻¹ is a rotation (session/quick_look.cpp). (1, 0) of the
  // scan on the detector, by both.
  Position axis{1, 0};
  for (const Flips& t : all_flips())  // T⁻¹ is among them
    if (const Position back = t(truth.flips({1, 2})); back.row == 1 && back.col == 2)
      axis = found.flips(t({1, 0}));
  const double further = std::atan2(axis.col, axis.row) / degree;
  e.rotation = std::remainder(found.rotation - further - truth.rotation, 360.0);
  e.defocus = found.defocus - truth.defocus;
  e.astigmatism = std::abs(std::polar(found.C12, 2 * (found.phi12 + further) * degree) -
                           std::polar(truth.C12, 2 * truth.phi12 * degree));
  return e;
}

/// The largest error of a set in units of its bound.
double judge(const Set& set, const std::string& pictures) {
  const auto start = std::chrono::steady_clock::now();
  const Told& t = set.told;
  const Experiment e = open_experiment(t.data, t.calibration, t.scan, t.optics);
  const QuickLook look = quick_look(e, {.threads = threads});
  if (!look.refusal.empty()) throw UserError(look.refusal);
  if (!pictures.empty()) draw_quick_look(pictures + "/" + set.name + ".png", look);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const FoundBeam& f = look.found;
  const Errors errors = errors_of(f, set.truth);
  const bool simulated = set.truth.simulated;
  const double depth = e.calibration.wavelength / std::pow(e.optics.semi_angle * mrad, 2);
  double worst = 0;
  fmt::print("{}: {}\n", set.name, f.known ? "" : "nothing found");
  const auto row = [&](const char* what, double value, double truth, double error, double bound,
                       const char* unit) {
    worst = std::max(worst, std::abs(error) / bound);
    fmt::print("  {:<14} {:>11.5g} {:>11.5g} {:>9.3g} {:>9.3g} {}\n", what, value, truth, error,
               bound, unit);
  };
  fmt::print("  {:<14} {:>11} {:>11} {:>9} {:>9}\n", "", "found", "truth", "error", "bound");
  row("rotation", f.rotation, set.truth.rotation, errors.rotation, simulated ? 1 : 2, "°");
  row("defocus", f.defocus, set.truth.defocus, errors.defocus,
      simulated ? std::max(0.03 * std::abs(set.truth.defocus), 0.1 * depth)
                : 0.05 * set.truth.defocus,
      "Å");
  if (simulated) row("astigmatism", f.C12, set.truth.C12, errors.astigmatism, 20, "Å");
  row("time", seconds, 0, seconds, most_seconds, "s");
  if (!f.known || (f.flip_known && errors.flip_wrong)) worst = std::max(worst, 100.0);
  fmt::print("  flips {}: {}\n", f.flips.name(),
             !f.flip_known       ? "said to be undetermined"
             : errors.flip_wrong ? "wrong"
                                 : "right");
  for (const auto& line : look.lines) fmt::print("    {}\n", line);
  std::fflush(stdout);
  return worst;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string pictures = argc > 1 ? argv[1] : "";
  const Folder folder;
  const std::vector<Set> sets{
      simulated("defocused", thin(300, 60, 25, 0.6, 33), {false, false, true}, 200,
                folder / "defocused.h5"),
      simulated("in-focus", thin(0, 35, -50, 0.4, -72), {true, false, false}, 0,
                folder / "focus.h5"),
      simulated("thick", thick(), {false, true, false}, 150, folder / "thick.h5")};
  double worst = 0;
  for (const Set& set : sets) worst = std::max(worst, judge(set, pictures));
  if (const std::string path = cryo_file(); !path.empty())
    worst = std::max(worst, judge(cryo(path), pictures));
  else
    fmt::print("cryo-virus: left out, as neither $PTYLE_DATA nor ../shared/data has it\n");
  fmt::print("\nquick-look = {:.2f} of its bound\n", worst);
  return worst <= 1 ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "quick-look: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
