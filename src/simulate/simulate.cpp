#include "simulate/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "io/dataset.hpp"
#include "simulate/detector.hpp"
#include "simulate/object.hpp"
#include "simulate/patterns.hpp"

namespace ptyle {
namespace {

constexpr double cell_bytes = 1.25e9, batch_bytes = 64e6;

h5::Type file_type(CountType type) {
  switch (type) {
    case CountType::uint8:
      return h5::type_of<std::uint8_t>();
    case CountType::uint16:
      return h5::type_of<std::uint16_t>();
    case CountType::uint32:
      return h5::type_of<std::uint32_t>();
    case CountType::float32:
      break;
  }
  return h5::type_of<float>();
}

// Atoms whose place is inside the object; a file of more than some millions helps nobody.
std::vector<Atom> atoms_for_file(const Plan& plan) {
  constexpr std::size_t most = 4'000'000;
  std::vector<Atom> atoms;
  for (const SpecimenAtom& a : plan.atoms) {
    const double row = a.row / plan.pixel, col = a.col / plan.pixel;
    if (row >= -0.5 && row < static_cast<double>(plan.ny) - 0.5 && col >= -0.5 &&
        col < static_cast<double>(plan.nx) - 0.5)
      atoms.push_back({a.Z, a.row, a.col, a.z});
  }
  if (atoms.size() > most) atoms.clear();
  return atoms;
}

/// Facts that a microscope would not tell: they are in the file where the recipe has any of it.
DatasetTruth make_truth(const Recipe& recipe, const Plan& plan) {
  DatasetTruth truth;
  const ScanRecipe& scan = recipe.scan;
  const SimulatedOptics& optics = recipe.optics;
  const auto add = [&](const char* name, std::vector<double> values) {
    truth.numbers.emplace_back(name, std::move(values));
  };
  if (reports_nominal(scan)) {
    const auto affine = scan_affine(scan);
    add("scan_affine", {affine.begin(), affine.end()});
    add("scan_middle_A", {plan.middle.row, plan.middle.col});
    add("drift_A", {scan.drift[0], scan.drift[1]});
  }
  if (optics.source_size > 0) add("source_size_A", {optics.source_size});
  if (optics.focal_spread > 0) add("focal_spread_A", {optics.focal_spread});
  if (plan.tilt.row != 0 || plan.tilt.col != 0)
    add("tilt_mrad", {recipe.specimen.tilt_row, recipe.specimen.tilt_col});
  if (plan.blur > 0) add("blur_px", {plan.blur});
  if (plan.background > 0) add("background", {plan.background});
  if (plan.readout.any()) {
    add("gain", {plan.readout.gain});
    add("offset", {plan.readout.offset});
    add("readout_noise", {plan.readout.noise});
  }
  if (!plan.defocus_changes.empty()) {
    std::vector<double> all;
    for (const double change : plan.defocus_changes) all.push_back(optics.defocus + change);
    truth.by_position.push_back({"/truth/defocus", "A", std::move(all)});
  }
  if (!plan.currents.empty()) truth.by_position.push_back({"/truth/current", "1", plan.currents});
  truth.descan = plan.descan;
  truth.dead = plan.dead.view();
  truth.gains = plan.gains.view();
  if (!truth.numbers.empty() || !truth.by_position.empty() || !truth.descan.empty() ||
      !truth.dead.empty() || !truth.gains.empty())
    truth.positions = plan.positions;
  return truth;
}

DatasetHeader make_header(const Recipe& recipe, const Plan& plan) {
  DatasetHeader header;
  header.pattern_type = file_type(plan.type);
  header.detector = plan.detector;
  header.positions = plan.reported;
  header.truth = make_truth(recipe, plan);
  header.probe = Array<Complex<float>, 3>(plan.probe.shape());
  std::copy(plan.probe.begin(), plan.probe.end(), header.probe.begin());
  header.object = {plan.slices, plan.ny, plan.nx};
  header.configurations = plan.configurations;
  header.atoms = atoms_for_file(plan);
  header.recipe = describe(recipe);
  header.version = PTYLE_VERSION;
  const double dk = recipe.detector.bin / (static_cast<double>(plan.window) * plan.pixel);
  const auto& [rows, cols] = recipe.scan.shape;
  header.numbers = {{"pixel_size", {plan.pixel}},
                    {"slice_thickness", {plan.slice_thickness}},
                    {"energy_kV", {recipe.optics.energy}},
                    {"semi_angle_mrad", {recipe.optics.semi_angle}},
                    {"defocus_A", {recipe.optics.defocus}},
                    {"dk_inv_A", {dk}},
                    {"scan_shape", {double(rows), double(cols)}},
                    {"scan_step_A", {recipe.scan.step[0], recipe.scan.step[1]}},
                    {"scan_rotation_deg", {recipe.scan.rotation}},
                    {"band_limit", {plan.band_limit}},
                    {"electrons_per_pattern", {plan.electrons}}};
  if (recipe.dose.electrons_per_A2 > 0)
    header.numbers.emplace_back("dose_e_per_A2", std::vector{recipe.dose.electrons_per_A2});
  return header;
}

/// One run of simulate().
class Run {
 public:
  Run(const Recipe& recipe, const Plan& plan, SimulatedSet& set, const SimulateCallbacks& callbacks)
      : recipe_(recipe), plan_(plan), set_(set), callbacks_(callbacks) {}

  /// Step 2. False: stopped.
  bool make_object() {
    if (set_.object_done()) return true;
    begin();
    const i64 total = plan_.slices * plan_.configurations;
    for (int c = 0; c < plan_.configurations; ++c) {
      const auto take = [&](i64 z, View<const float, 2> phase) {
        set_.write_slice(c, z, phase);
        report("object", c * plan_.slices + z + 1, total);
      };
      if (!make_slices(plan_, atoms_of(plan_, recipe_.seed, c), take, callbacks_.stop))
        return false;
    }
    if (plan_.configurations > 1) write_mean();
    set_.finish_object();
    return true;
  }

  /// Steps 3 and 4, for the positions of [range) that are not there yet. Returns how many were
  /// made.
  template <class T>
  i64 make_patterns(std::pair<i64, i64> range) {
    const auto cells = make_cells(plan_, cell_bytes, std::is_same_v<T, double>);
    const auto wanted = [&](i64 i) {
      return i >= range.first && i < range.second && !set_.done()[static_cast<std::size_t>(i)];
    };
    i64 total = 0;
    for (i64 i = range.first; i < range.second; ++i) total += wanted(i);
    PatternMaker<T> maker(plan_);
    begin();
    i64 made = 0;
    for (const Cell& cell : cells) {
      std::vector<i64> todo;
      std::copy_if(cell.positions.begin(), cell.positions.end(), std::back_inserter(todo), wanted);
      loaded_ = -1;
      for (std::size_t first = 0; first < todo.size(); first += batch()) {
        if (callbacks_.stop && callbacks_.stop()) return made;
        const std::vector<i64> now(
            todo.begin() + static_cast<std::ptrdiff_t>(first),
            todo.begin() + static_cast<std::ptrdiff_t>(std::min(todo.size(), first + batch())));
        make_batch(maker, cell, now);
        made += static_cast<i64>(now.size());
        report("patterns", made, total);
      }
    }
    return made;
  }

 private:
  std::size_t batch() const {
    const double frame = static_cast<double>(plan_.detector * plan_.detector) * 8;
    return static_cast<std::size_t>(
        std::clamp(batch_bytes / frame, static_cast<double>(plan_.threads), 1024.0));
  }

  template <class T>
  void make_batch(PatternMaker<T>& maker, const Cell& cell, const std::vector<i64>& positions) {
    const auto n = static_cast<i64>(positions.size());
    Array<T, 3> expected({n, plan_.detector, plan_.detector});
    for (int c = 0; c < plan_.configurations; ++c) {
      if (loaded_ != c) {
        Array<float, 3> part({plan_.slices, cell.ny, cell.nx});
        set_.read_object(c, {0, cell.row, cell.col}, part);
        maker.set_object(part.view(), cell.row, cell.col);
        loaded_ = c;
      }
      parallel_for(n, plan_.threads, [&](i64 k, int) {
        maker.add(positions[static_cast<std::size_t>(k)], expected.view()[k]);
      });
    }
    const T share = T(1) / static_cast<T>(plan_.configurations);
    for (T& value : expected) value *= share;
    if (plan_.type == CountType::float32) {
      parallel_for(n, plan_.threads, [&](i64 k, int) {
        record<T>(plan_, recipe_.seed, positions[static_cast<std::size_t>(k)], expected.view()[k]);
      });
      set_.write_patterns<T>(positions, expected.view());
      return;
    }
    Array<std::uint32_t, 3> counts(expected.shape());
    parallel_for(n, plan_.threads, [&](i64 k, int) {
      record<T>(plan_, recipe_.seed, positions[static_cast<std::size_t>(k)], expected.view()[k],
                counts.view()[k]);
    });
    set_.write_patterns<std::uint32_t>(positions, counts.view());
  }

  void write_mean() {
    Array<float, 3> slice({1, plan_.ny, plan_.nx});
    Array<double, 2> sum({plan_.ny, plan_.nx});
    for (i64 z = 0; z < plan_.slices; ++z) {
      sum.fill(0);
      for (int c = 0; c < plan_.configurations; ++c) {
        set_.read_object(c, {z, 0, 0}, slice);
        for (i64 k = 0; k < sum.size(); ++k) sum.data()[k] += slice.data()[k];
      }
      for (i64 k = 0; k < sum.size(); ++k)
        slice.data()[k] = static_cast<float>(sum.data()[k] / plan_.configurations);
      set_.write_mean_slice(z, std::as_const(slice).view()[0]);
    }
  }

  void begin() { start_ = std::chrono::steady_clock::now(); }

  void report(const char* stage, i64 done, i64 total) const {
    if (!callbacks_.progress) return;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    callbacks_.progress({stage, done, total, passed.count(),
                         passed.count() * static_cast<double>(total - done) /
                             static_cast<double>(std::max<i64>(done, 1))});
  }

  const Recipe& recipe_;
  const Plan& plan_;
  SimulatedSet& set_;
  const SimulateCallbacks& callbacks_;
  int loaded_ = -1;  ///< configuration of the present cell that the operator holds
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

SimulateReport simulate(const Recipe& recipe, std::optional<std::pair<i64, i64>> positions,
                        const SimulateCallbacks& callbacks) {
  if (recipe.output.empty()) throw UserError("output: name the data set's file, e.g. set.h5");
  const bool incoherent = recipe.optics.source_size > 0 || recipe.optics.focal_spread > 0;
  if (incoherent && callbacks.log)
    callbacks.log("finding the modes of the incoherent beam, the more the larger the source");
  const Plan plan = make_plan(recipe);
  const auto count = static_cast<i64>(plan.positions.size());
  const auto range = positions.value_or(std::pair<i64, i64>{0, count});
  if (range.first < 0 || range.first >= range.second || range.second > count)
    throw UserError(fmt::format("--positions {}:{}: the scan has positions 0:{}", range.first,
                                range.second, count));
  DatasetHeader header = make_header(recipe, plan);
  header.now = range.second - range.first;
  auto set = SimulatedSet::open(recipe.output, header, recipe.overwrite);
  if (!set) {
    if (callbacks.log)
      callbacks.log(fmt::format("{} is there already, made from this recipe", recipe.output));
    return {true, recipe.output, 0, 0};
  }
  if (callbacks.log)
    callbacks.log(
        fmt::format("object {} x {} x {} px, {} atoms, {} positions, patterns {} x {} {}, {:.4g} "
                    "electrons each, {} modes of the probe",
                    plan.slices, plan.ny, plan.nx, plan.atoms.size(), count, plan.detector,
                    plan.detector, to_string(plan.type), plan.electrons, plan.probe.shape()[0]));
  SimulateReport report;
  Run run(recipe, plan, *set, callbacks);
  try {
    if (run.make_object())
      report.made = recipe.precision == Precision::float64 ? run.make_patterns<double>(range)
                                                           : run.make_patterns<float>(range);
  } catch (const UserError&) {
    // Counts that the type does not hold, a full disk: nothing is lost where no pattern was made.
    if (std::count(set->done().begin(), set->done().end(), 0) == std::ssize(set->done()))
      set->discard();
    throw;
  }
  report.left = std::count(set->done().begin(), set->done().end(), 0);
  report.complete = set->finish();
  report.file = report.complete ? recipe.output : recipe.output + ".part";
  return report;
}

}  // namespace ptyle
