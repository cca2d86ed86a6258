#include "session/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/units.hpp"
#include "physics/propagator.hpp"
#include "prepare/calibration.hpp"
#include "solver/batches.hpp"
#include "solver/blur.hpp"
#include "solver/parts.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/rules/low_pass.hpp"
#include "solver/states.hpp"
#include "solver/variables/probe_limits.hpp"
#include "solver/variables/recentre.hpp"
#include "solver/variables/variable_probe_options.hpp"

namespace ptyle {
namespace {

double aperture_k(const Experiment& e) {
  const double wavelength = e.calibration.wavelength;
  return wavelength > 0 ? e.optics.semi_angle * mrad / wavelength : 0;
}

double depths_of_focus(const ReconstructConfig& config, const Experiment& e) {
  return Continuation::depths_of_focus(config.object.slices * config.object.slice_thickness,
                                       e.optics.semi_angle * mrad, e.calibration.wavelength);
}

bool continues(const ReconstructConfig& config, const Experiment& e) {
  const Switch choice = config.solver.continuation;
  if (choice == Switch::off || aperture_k(e) <= 0 || config.object.slices < 2) return false;
  return choice == Switch::on ||
         (config.object.start.empty() && Continuation::thick(depths_of_focus(config, e)));
}

/// The weight of differences between neighbouring pixels, 1/rad², where none is given. Phases of
/// slices grow with their thickness t, so that of n slices in place of one each is expected to have
/// 1/n² of the squares; 0.5 rad at 10 Å serve doses from 1e3 to 1e7 electrons per Å²
/// (docs/math.md).
double automatic_roughness_weight(const ReconstructConfig& config, const Experiment& e, int ranks) {
  constexpr double weight_by_thickness = 40;  // Å/rad²
  const bool electrons = e.optics.xray_energy == 0;
  if (!electrons || !e.integer_counts || config.object.slices < 2) return 0;
  if (!sums_every_batch(config.ranks, ranks)) return 0;
  return weight_by_thickness / config.object.slice_thickness;
}

/// k_α as far as the configuration says it, 1/Å; 0: the file may say it.
double aperture_k(const OpticsConfig& optics) {
  const double wavelength = wavelength_of(optics);
  return wavelength > 0 ? optics.semi_angle * mrad / wavelength : 0;
}

/// The rule and its preconditioner, chosen where the configuration leaves them to ptyle
/// (docs/math.md).
RuleOptions chosen_rule(const ReconstructConfig& config, const Cores& cores,
                        const ScanOnObject& scan, double pixel) {
  // 7 mini-batches of 4 of each rank: with fewer, a mini-batch leaves ranks without work, and
  // L-BFGS needs about as many passes with one sum each (bench/convergence).
  constexpr i64 few = 28;
  RuleOptions rule = config.parts.of<RuleOptions>();
  const bool sums = sums_every_batch(config.ranks, cores.mesh.ranks()), given = rule.step > 0;
  const i64 positions = std::ssize(scan.centres);
  FitOptions asked;
  asked.parts = config.parts;
  if (rule.rule == RuleChoice::automatic && asked_parts<float>(asked).rule) return rule;
  if (rule.rule == RuleChoice::automatic) {
    const bool whole = config.solver.batches == 0 && cores.of > 1 && positions < few * cores.of;
    rule.rule = !sums || given ? RuleChoice::descent
                : whole        ? RuleChoice::lbfgs
                               : RuleChoice::momentum;
  }
  if (rule.preconditioner != PreconditionerChoice::automatic) return rule;
  const Halo halo = halo_of(config.ranks.halo, scan.window, pixel);
  const i64 reach = reach_of_transfer(rule.transfer, aperture_k(config.optics), pixel, scan.window);
  // The reach of an aperture that only the file says is not known yet: an exact halo has any.
  const i64 has = std::min(halo.before, halo.after), exact = (scan.window - 1) / 2;
  const bool known = rule.transfer.reach > 0 || aperture_k(config.optics) > 0 || has >= exact;
  const bool found = known && reach <= has,
             whole_scan = rule.rule == RuleChoice::lbfgs || rule.rule == RuleChoice::gauss_newton;
  const bool one_state = config.parts.of<StatesOptions>().states == 1;
  rule.preconditioner = whole_scan && config.object.slices > 1 && found && one_state
                            ? PreconditionerChoice::transfer
                            : PreconditionerChoice::illumination;
  return rule;
}

}  // namespace

std::string nearest_folder(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::path there = folder;
  while (!std::filesystem::exists(there, ignored) && there.has_relative_path())
    there = there.parent_path();
  return there.empty() ? "." : there.string();
}

std::optional<std::string> fault_of_folder(const std::string& folder) {
  std::error_code ignored;
  const std::string there = nearest_folder(folder);  // which must take the new one
  if (!std::filesystem::is_directory(there, ignored))
    return fmt::format("{} is a file, not a folder", there);
  if (access(there.c_str(), W_OK | X_OK) != 0)
    return fmt::format("the folder {} may not be written", there);
  return std::nullopt;
}

std::string scratch_folder(const OutputConfig& output) {
  if (!output.scratch.empty()) return output.scratch;
  return output.folder.empty() ? std::filesystem::temp_directory_path().string()
                               : nearest_folder(output.folder);
}

int default_threads(int processes_on_node) {
  const auto cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, std::min(available_threads(), cores / processes_on_node));
}

namespace {

/// px about a voxel that the fit looks at beside the windows (check_options); −1: unknown, since
/// the file may say the aperture.
i64 looked_at(const ReconstructConfig& config, const RuleOptions& rule, double pixel,
              const ScanOnObject& scan) {
  FitOptions fit;
  fit.parts = config.parts;
  fit.parts.of<RuleOptions>() = rule;
  fit.parts.of<PositionOptions>().refine = scan.margin > 0 ? Switch::on : Switch::off;
  const auto parts = asked_parts<float>(fit);
  i64 reach = 1;  // of differences between neighbours, which are perhaps penalised unasked
  const double k = aperture_k(config.optics);
  if (rule.preconditioner == PreconditionerChoice::transfer) {
    if (k == 0 && rule.transfer.reach == 0) return -1;
    reach = reach_of_transfer(rule.transfer, k, pixel, scan.window);
  }
  for (const auto& one : parts.variables) reach = std::max(reach, one->reach());
  for (const auto& one : parts.penalties) reach = std::max(reach, one->reach());
  for (const auto& one : parts.regularisers) reach = std::max(reach, one->reach());
  if (config.solver.continuation == Switch::off || config.object.slices < 2) return reach;
  if (k == 0) return -1;
  fit.pixel = pixel;
  fit.continuation = Continuation({k, 0.5 / pixel, config.object.slices, 1});
  return std::max(reach, reach_of_blur(low_pass_sigma(fit)));
}

}  // namespace

i64 planes_of(const ReconstructConfig& config) {
  return exchanged_planes(config.parts.of<StatesOptions>().states * config.object.slices,
                          config.object.absorbs());
}

Division divide(const ReconstructConfig& config, std::span<const Position> positions, i64 window,
                double pixel, int ranks) {
  return divide(config, positions, window, pixel, ranks, [](const Mesh&) { return -1; });
}

Division divide(const ReconstructConfig& config, std::span<const Position> positions, i64 window,
                double pixel, int ranks, const std::function<int(const Mesh&)>& only) {
  const auto& refinement = config.parts.of<PositionOptions>();
  const i64 margin = margin_of_moves(refinement, config.ranks, ranks, positions, window, pixel);
  ScanOnObject scan = scan_on_object(positions, window, pixel, margin);
  const Cores cores = cores_of(scan, config.ranks, ranks, planes_of(config));
  Cut cut = cut_along(cores, scan, pixel, config);
  const int rank = only(cut.sharing.mesh);
  return divide(std::move(scan), std::move(cut), rank);
}

Cut cut_along(const Cores& cores, const ScanOnObject& scan, double pixel,
              const ReconstructConfig& config) {
  const RuleOptions rule = chosen_rule(config, cores, scan, pixel);
  Cut cut = cut_along(cores, scan, pixel, config.ranks, planes_of(config),
                      config.solver.precision == Precision::float64 ? 8 : 4,
                      looked_at(config, rule, pixel, scan));
  cut.rule = rule.rule;
  cut.preconditioner = rule.preconditioner;
  return cut;
}

PartOptions settled_parts(const ReconstructConfig& config, const Cut& cut) {
  PartOptions parts = config.parts;
  parts.of<PositionOptions>().refine = cut.margin > 0 ? Switch::on : Switch::off;
  auto& rule = parts.of<RuleOptions>();
  if (rule.rule == RuleChoice::automatic) rule.rule = cut.rule;
  if (rule.preconditioner == PreconditionerChoice::automatic)
    rule.preconditioner = cut.preconditioner;
  if (cut.transfer_reach > 0) rule.transfer.pixels = cut.transfer_reach;
  return parts;
}

i64 transfer_reach(const ReconstructConfig& config, const Experiment& e) {
  return reach_of_transfer(config.parts.of<RuleOptions>().transfer, aperture_k(e),
                           e.calibration.pixel, e.patterns->window());
}

double counts_per_detector_pixel(const Experiment& e) {
  return e.mean_counts / double(e.patterns->window() * e.patterns->window());
}

Loss loss_of(const ReconstructConfig& config, const Experiment& e) {
  const double counts = counts_per_detector_pixel(e);
  const bool sparse = e.integer_counts && counts > 0 && counts < 1;
  return config.solver.loss.value_or(sparse ? Loss::poisson : Loss::amplitude);
}

OperatorSetup operator_setup(const ReconstructConfig& config, const Experiment& e) {
  OperatorSetup setup;
  setup.window = e.patterns->window();
  setup.slices = config.object.slices;
  setup.states = config.parts.of<StatesOptions>().states;
  setup.modes = setup.states * config.probe.modes;
  setup.basis = setup.states > 1 ? config.probe.modes
                                 : config.parts.of<VariableProbeOptions>().basis(setup.modes);
  setup.absorption = config.object.absorbs();
  setup.loss = loss_of(config, e);
  const LossFacts& loss = facts_of(setup.loss);
  setup.epsilon = std::max(counts_per_detector_pixel(e) * loss.epsilon, loss.least_epsilon);
  setup.background = e.offset;
  const auto& geometry = config.parts.of<GeometryOptions>();
  setup.fits_propagator = setup.slices > 1 && geometry.fits_propagator();
  setup.products = needs_products(config.parts);
  setup.descan = geometry.has(GeometryPart::descan);
  if (setup.slices > 1) {
    if (e.calibration.wavelength <= 0)
      throw UserError(
          "object.slices: more than one slice needs optics.energy, the accelerating voltage in kV");
    setup.propagator =
        propagator(setup.window, e.calibration.pixel, e.calibration.wavelength,
                   config.object.slice_thickness, config.object.tilt(), config.object.band_limit);
  }
  return setup;
}

double counts_per_object_pixel(const Experiment& experiment, const Cut& cut) {
  if (!experiment.integer_counts) return std::numeric_limits<double>::infinity();
  const double pixels = std::max(1.0, cut.extent.length) * std::max(1.0, cut.extent.width());
  return experiment.mean_counts * double(cut.positions) / pixels;
}

GeometryOptions geometry_options(const ReconstructConfig& config, const Experiment& experiment,
                                 const Cut& cut) {
  GeometryOptions o = config.parts.of<GeometryOptions>();
  o.wavelength = experiment.calibration.wavelength;
  o.given = aberrations_of(experiment.optics);
  o.slice_thickness = config.object.slice_thickness;
  o.tilt = config.object.tilt();
  o.band_limit = config.object.band_limit;
  o.noise = 1 / (4 * counts_per_object_pixel(experiment, cut));
  o.descan = experiment.descan;
  o.in_pixels = experiment.calibration.in_pixels();
  return o;
}

namespace {

void complete_rule(RuleOptions& rule, const ReconstructConfig& config, const Experiment& e) {
  rule.transfer.pixels = transfer_reach(config, e);
  // Gradients are divided by a mean over states: the one that is seen most takes the step given.
  if (const auto shares = config.parts.of<StatesOptions>().shares(); !shares.empty())
    rule.step /= *std::max_element(shares.begin(), shares.end()) * double(shares.size());
}

RecentreOptions recentre_options(const ReconstructConfig& config, const Experiment& experiment) {
  RecentreOptions o = config.parts.of<RecentreOptions>();
  o.wavelength = experiment.calibration.wavelength;
  o.slice_thickness = config.object.slice_thickness;
  o.tilt = config.object.tilt();
  return o;
}

}  // namespace

FitOptions fit_options(const ReconstructConfig& config, const Experiment& e, const Cut& cut,
                       int threads) {
  FitOptions o;
  const auto& s = config.solver;
  const bool coarse_to_fine = continues(config, e);
  const auto thickness = !coarse_to_fine                   ? Thickness::thin
                         : depths_of_focus(config, e) <= 2 ? Thickness::thick
                                                           : Thickness::very_thick;
  o.parts = settled_parts(config, cut);
  complete_rule(o.parts.of<RuleOptions>(), config, e);
  o.group_of = cut.group_of;
  o.batches = s.batches > 0 ? std::min<i64>(s.batches, std::max<i64>(1, cut.positions))
              : !whole_scan_for(o.parts).empty()
                  ? 1
                  : batches_of_groups(
                        group_sizes(o.groups(), cut.positions, cut.of),
                        default_batches(cut.positions, counts_per_object_pixel(e, cut), thickness));
  o.hold_out = s.hold_out;
  o.left_out = e.screening.left_out;
  // Held-out patterns cannot judge positions that are refined one by one.
  const bool by_position = cut.margin > 0 || o.parts.of<VariableProbeOptions>().any();
  o.hold_out_pixels = s.hold_out_pixels.value_or(by_position ? 0.02 : 0);
  o.seed = s.seed;
  o.threads = threads;
  o.probe_from = config.probe.refine_from;
  o.probe_step = config.probe.step;
  auto& refinement = o.parts.of<PositionOptions>();
  if (refinement.largest_move == 0 || cut.margin == 0)
    refinement.largest_move = double(cut.margin) * e.calibration.pixel;
  refinement.noise = 1 / (4 * counts_per_object_pixel(e, cut));
  o.parts.of<GeometryOptions>() = geometry_options(config, e, cut);
  o.parts.of<ProbeLimitOptions>().centre = e.residual_shift;
  o.parts.of<RecentreOptions>() = recentre_options(config, e);
  auto& penalty = o.parts.of<PenaltyOptions>();
  penalty.lateral =
      penalty.lateral.value_or(automatic_roughness_weight(config, e, cut.sharing.mesh.ranks()));
  penalty.of_likelihood = facts_of(loss_of(config, e)).of_likelihood;
  o.pixel = e.calibration.pixel;
  o.aperture_k = aperture_k(e);
  if (coarse_to_fine)
    o.continuation = Continuation({aperture_k(e), 0.5 / e.calibration.pixel, config.object.slices,
                                   depths_of_focus(config, e)});
  const auto& object = config.object;
  if (object.phase_max > object.phase_min) {
    o.phase_min = object.phase_min;
    o.phase_max = object.phase_max;
  }
  // If only phases below 0 are asked for, auto keeps out of the way. The phase that X-rays get is
  // negative.
  const bool electrons = e.optics.xray_energy == 0;
  if (object.positivity == Switch::on ||
      (object.positivity == Switch::automatic && electrons && coarse_to_fine && o.phase_max > 0))
    o.phase_min = std::max(o.phase_min, 0.0);
  set_exchange(o, config.ranks);
  o.extra = cut.extra;
  o.verify = config.ranks.verify_halos;
  return o;
}

}  // namespace ptyle
