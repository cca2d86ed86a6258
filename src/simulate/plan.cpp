#include "simulate/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/bounds.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "operator/coherence.hpp"
#include "operator/probe.hpp"
#include "simulate/recipe_checks.hpp"
#include "simulate/regions.hpp"

namespace ptyle {
namespace {

// Atoms are placed this far beyond the object, and no farther. The projected potential of most
// elements is there below 1e-4 of what it is 0.5 Å from the atom, of the alkali metals 1e-3.
constexpr double reach = 5;

// The object reaches half a step (and at least a pixel) beyond the windows of the outermost
// positions, so that n steps of s make an object of n·s + W pixels.
void place_scan(const Recipe& recipe, Plan& plan) {
  plan.positions = scan_positions(recipe.scan, recipe.seed);
  plan.middle = scan_middle(recipe.scan);
  const bool nominal = reports_nominal(recipe.scan);
  if (nominal) plan.reported = nominal_positions(recipe.scan);
  const double turn = recipe.scan.rotation * degree;
  const double slow = recipe.scan.step[0] / 2, fast = recipe.scan.step[1] / 2;
  const double half_row = std::abs(std::cos(turn)) * slow + std::abs(std::sin(turn)) * fast;
  const double half_col = std::abs(std::sin(turn)) * slow + std::abs(std::cos(turn)) * fast;
  const Bounds scan = bounds_of(plan.positions);
  const auto place_axis = [&](double Position::*axis, double half) {
    const double beyond = std::max(half, plan.pixel);
    const double low = scan.low.*axis, high = scan.high.*axis;
    const double move = beyond - low + static_cast<double>(plan.window / 2) * plan.pixel;
    for (Position& p : plan.positions) p.*axis += move;
    for (Position& p : plan.reported) p.*axis += move;
    plan.middle.*axis += move;
    return static_cast<i64>(std::floor((high - low + 2 * beyond) / plan.pixel + 1e-6)) +
           plan.window;
  };
  plan.ny = place_axis(&Position::row, half_row);
  plan.nx = place_axis(&Position::col, half_col);
  if (!nominal) plan.reported = plan.positions;
  constexpr i64 most = 65536;
  if (plan.ny > most || plan.nx > most)
    throw UserError(
        fmt::format("scan.step, scan.shape: the object would be {} x {} pixels, more than {} x {}",
                    plan.ny, plan.nx, most, most));
}

/// Texts that check_recipe() has found right.
template <class T>
std::vector<T> all_of(const std::vector<std::string>& texts,
                      std::string (*read)(const std::string&, T&)) {
  std::vector<T> all;
  for (const auto& text : texts) read(text, all.emplace_back());
  return all;
}

std::set<int> elements_of(const std::vector<SpecimenAtom>& atoms) {
  std::set<int> elements;
  for (const SpecimenAtom& atom : atoms) elements.insert(atom.Z);
  return elements;
}

/// Returns the elements that it may have, whatever is drawn: those of the structure, and those that
/// take their places.
std::set<int> place_specimen(const Recipe& recipe, Plan& plan) {
  const SpecimenRecipe& r = recipe.specimen;
  const Structure at_rest =
      r.file.empty() ? built_in_structure(r.structure) : read_structure(r.file);
  const Structure structure = oriented(at_rest, r.zone_axis, r.rotation * degree);
  const bool filling = r.repeat == std::array<int, 3>{};
  if (!filling && !structure.periodic)
    throw UserError(fmt::format("specimen.repeat: {} has no cell to repeat", r.file));
  if (!r.regions.empty() && !(filling && structure.periodic))
    throw UserError(
        "specimen.regions: only a crystal that fills what the windows reach has regions");
  const Vector3 middle{plan.middle.col, plan.middle.row, 0};
  const double beyond = static_cast<double>(plan.margin) * plan.pixel;
  SpecimenBox box{{-beyond, static_cast<double>(plan.ny) * plan.pixel + beyond},
                  {-beyond, static_cast<double>(plan.nx) * plan.pixel + beyond},
                  r.thickness};
  if (filling && structure.periodic) {
    if (r.thickness <= 0) box.thickness = repeat_along(at_rest, r.zone_axis);
    plan.atoms = fill(structure, box, all_of<Region>(r.regions, read_region), middle);
  } else {
    plan.atoms = block(structure, structure.periodic ? r.repeat : std::array<int, 3>{1, 1, 1}, box);
  }
  if (plan.atoms.empty()) throw UserError("specimen: no atom lies under the scan");
  std::set<int> possible = elements_of(plan.atoms);
  const auto substitutions = all_of<Substitution>(r.substitutions, read_substitution);
  for (const Substitution& one : substitutions) possible.insert(one.to);
  substitute(plan.atoms, substitutions, middle, recipe.seed);
  double thickness = box.thickness;
  for (const SpecimenAtom& atom : plan.atoms)
    if (r.thickness <= 0) thickness = std::max(thickness, atom.z + 1e-3);
  plan.slices = static_cast<i64>(std::ceil((thickness - 1e-6) / r.slice_thickness));
  if (plan.slices > 10000)
    throw UserError(
        fmt::format("specimen.slice_thickness: {} Å makes {} slices of {} Å; at most "
                    "10000 are possible",
                    r.slice_thickness, plan.slices, thickness));
  return possible;
}

void form_beam(const Recipe& recipe, Plan& plan) {
  const SimulatedOptics& o = recipe.optics;
  const DoseRecipe& d = recipe.dose;
  const double rim = o.semi_angle * mrad / plan.wavelength;
  const double nyquist = 0.5 / plan.pixel;
  const double limit = plan.band_limit > 0 ? plan.band_limit * nyquist : nyquist;
  if (rim > limit)
    throw UserError(fmt::format(
        "optics.semi_angle: the aperture of {} mrad reaches {:.3f} 1/Å, but detector.pixel_size "
        "{} Å holds {:.3f} 1/Å with detector.band_limit {:.3g}; take a smaller pixel",
        o.semi_angle, rim, plan.pixel, limit, plan.band_limit));
  const Aberrations aberrations{-o.defocus,       o.C12, o.phi12 * degree, o.C21,
                                o.phi21 * degree, o.C23, o.phi23 * degree, o.C30};
  const auto probe = form_probe({plan.wavelength, o.semi_angle * mrad, aberrations}, plan.window,
                                plan.pixel, o.aperture_edge);
  std::vector<double> shares(static_cast<std::size_t>(o.modes), o.mode_power);
  shares[0] = 1 - (o.modes - 1) * o.mode_power;
  auto modes = spread_modes(probe, shares);
  const Incoherence beam{o.source_size, o.focal_spread, o.left_out};
  if (beam.any()) modes = incoherent_modes(modes, plan.pixel, plan.wavelength, beam);
  const double area = recipe.scan.step[0] * recipe.scan.step[1];
  const double pixels = static_cast<double>(plan.window * plan.window);
  plan.electrons = d.electrons_per_A2 > 0 ? d.electrons_per_A2 * area : pixels;
  plan.probe = Array<Complex<float>, 3>(modes.shape());
  const double scale = std::sqrt(plan.electrons / pixels);
  std::transform(modes.begin(), modes.end(), plan.probe.begin(),
                 [scale](const Complex<double>& v) { return Complex<float>(v * scale); });
}

/// The beam of each position.
void vary_beam(const Recipe& recipe, Plan& plan) {
  const SimulatedOptics& o = recipe.optics;
  const std::size_t count = plan.positions.size();
  if (o.defocus_drift != 0 && count > 1)
    for (std::size_t i = 0; i < count; ++i)
      plan.defocus_changes.push_back(o.defocus_drift * (double(i) / double(count - 1) - 0.5));
  if (o.current_jitter <= 0) return;
  constexpr double least = 0.05;  // a beam is never dark
  for (std::size_t i = 0; i < count; ++i) {
    Philox random(recipe.seed, current_stream, i);
    plan.currents.push_back(std::max(least, 1 + o.current_jitter * normal_deviate(random)));
  }
}

/// A disc that leaves the detector would come in again at its other side. `radius`: of the
/// bright-field disc, px.
void check_descan(const Plan& plan, double radius) {
  const double room = std::max(0.0, static_cast<double>(plan.detector) / 2 - radius);
  for (const auto& [key, axis] : {std::pair{"detector.descan_row", &Position::row},
                                  std::pair{"detector.descan_col", &Position::col}}) {
    double most = 0;
    for (const Position& by : plan.descan) most = std::max(most, std::abs(by.*axis));
    if (most > room)
      throw UserError(fmt::format(
          "{}: patterns shift by up to {:.4g} px, and the bright-field disc, {:.4g} px in radius, "
          "leaves the detector of {} px; at most {:.2g} times as much is possible",
          key, most, radius, plan.detector, room / most));
  }
}

double largest_current(const Plan& plan) {
  return plan.currents.empty() ? 1 : *std::max_element(plan.currents.begin(), plan.currents.end());
}

/// Normal deviates about 1, at least a tenth, of which the mean is taken.
Array<double, 2> draw_gains(i64 detector, double spread, std::uint64_t seed) {
  constexpr double least = 0.1;
  Array<double, 2> gains({detector, detector});
  double sum = 0;
  for (i64 k = 0; k < gains.size(); ++k) {
    Philox random(seed, gain_stream, static_cast<std::uint64_t>(k));
    gains.data()[k] = std::max(least, 1 + spread * normal_deviate(random));
    sum += gains.data()[k];
  }
  for (double& gain : gains) gain *= static_cast<double>(gains.size()) / sum;
  return gains;
}

void describe_detector(const Recipe& recipe, Plan& plan) {
  const DetectorRecipe& c = recipe.detector;
  const DoseRecipe& d = recipe.dose;
  plan.blur = c.blur;
  plan.noise = d.electrons_per_A2 > 0 && d.noise;
  plan.readout = {c.gain, c.offset, c.readout_noise};
  plan.background = c.background;
  if (c.gain_spread > 0) plan.gains = draw_gains(plan.detector, c.gain_spread, recipe.seed);
  const double dk = c.bin / (static_cast<double>(plan.window) * plan.pixel);
  const double rim = recipe.optics.semi_angle * mrad / plan.wavelength;
  if (c.descan_row != std::array<double, 2>{} || c.descan_col != std::array<double, 2>{})
    for (const Position& p : plan.positions) {
      const double row = p.row - plan.middle.row, col = p.col - plan.middle.col;
      plan.descan.push_back({c.descan_row[0] * row + c.descan_row[1] * col,
                             c.descan_col[0] * row + c.descan_col[1] * col});
    }
  check_descan(plan, rim / dk);
  if (c.dead_pixels > 0) {
    plan.dead = Array<std::uint8_t, 2>({plan.detector, plan.detector});
    for (i64 k = 0; k < plan.dead.size(); ++k)
      plan.dead.data()[k] =
          Philox(recipe.seed, dead_stream, static_cast<std::uint64_t>(k)).uniform() < c.dead_pixels;
  }
  if (plan.noise && d.type)
    plan.type = *d.type;
  else if (plan.noise && !plan.readout.any()) {
    const double disc = pi * rim * rim / (dk * dk);  // px
    const double gain =
        plan.gains.empty() ? 1 : *std::max_element(plan.gains.begin(), plan.gains.end());
    plan.type =
        count_type(gain * (plan.electrons * largest_current(plan) + plan.background * disc), disc);
  }
}

}  // namespace

std::vector<SpecimenAtom> atoms_of(const Plan& plan, std::uint64_t seed, int configuration) {
  std::vector<SpecimenAtom> atoms = plan.atoms;
  if (!plan.frozen_phonons) return atoms;
  const double thickness = static_cast<double>(plan.slices) * plan.slice_thickness;
  for (std::size_t i = 0; i < atoms.size(); ++i) {
    Philox random(seed, phonon_stream + static_cast<std::uint32_t>(configuration), i);
    const double rms = displacement_of_B(plan.B.at(atoms[i].Z));
    atoms[i].row += rms * normal_deviate(random);
    atoms[i].col += rms * normal_deviate(random);
    // An atom of the outermost layer stays in the outermost slice.
    atoms[i].z = std::clamp(atoms[i].z + rms * normal_deviate(random), 0.0, thickness - 1e-3);
  }
  return atoms;
}

CountType count_type(double electrons, double disc) {
  const double mean = 16 * electrons / std::max(disc, 1.0);
  const double bound = mean + 10 * std::sqrt(mean);
  for (const CountType type : {CountType::uint8, CountType::uint16})
    if (bound <= largest_count(type)) return type;
  return CountType::uint32;
}

double largest_count(CountType type) {
  switch (type) {
    case CountType::uint8:
      return 255;
    case CountType::uint16:
      return 65535;
    case CountType::uint32:
      return 4294967295.0;
    case CountType::float32:
      break;
  }
  return std::numeric_limits<float>::max();
}

std::string to_string(CountType type) {
  switch (type) {
    case CountType::uint8:
      return "uint8";
    case CountType::uint16:
      return "uint16";
    case CountType::uint32:
      return "uint32";
    case CountType::float32:
      break;
  }
  return "float32";
}

OperatorSetup Plan::operator_setup() const {
  OperatorSetup setup;
  setup.window = window;
  setup.slices = slices;
  setup.modes = probe.shape()[0];
  setup.propagator = propagator(window, pixel, wavelength, slice_thickness, tilt, band_limit);
  return setup;
}

Plan make_plan(const Recipe& recipe) {
  check_recipe(recipe);
  Plan plan;
  plan.threads = recipe.threads > 0 ? recipe.threads : available_threads();
  plan.wavelength = electron_wavelength(recipe.optics.energy);
  plan.semi_angle = recipe.optics.semi_angle * mrad;
  plan.interaction = interaction_constant(recipe.optics.energy);
  plan.pixel = recipe.detector.pixel_size;
  plan.window = recipe.detector.window;
  plan.detector = plan.window / recipe.detector.bin;
  plan.band_limit = recipe.detector.band_limit;
  plan.slice_thickness = recipe.specimen.slice_thickness;
  plan.tilt = {recipe.specimen.tilt_row * mrad, recipe.specimen.tilt_col * mrad};
  plan.parametrization = recipe.specimen.potential;
  place_scan(recipe, plan);
  plan.margin = static_cast<i64>(std::ceil(reach / plan.pixel));
  plan.grid = {quick_fft_size(plan.ny + 2 * plan.margin),
               quick_fft_size(plan.nx + 2 * plan.margin),
               {plan.pixel, plan.pixel},
               plan.band_limit};
  const std::set<int> possible = place_specimen(recipe, plan);
  plan.B = thermal_factors(recipe.thermal, elements_of(plan.atoms), possible);
  plan.frozen_phonons = recipe.thermal.motion == Motion::frozen_phonons;
  plan.configurations = plan.frozen_phonons ? recipe.thermal.configurations : 1;
  form_beam(recipe, plan);
  vary_beam(recipe, plan);
  describe_detector(recipe, plan);
  return plan;
}

}  // namespace ptyle
