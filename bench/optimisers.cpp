// Which rule is quickest to a given object, and to a given held-out R, on four sets
//
//   convergence   bench/convergence's, the probe known; to the RMSE of the summed phase that the
//                 best `literal` has there after 100 iterations, and about its R
//   film          examples/film.yaml and film-run.yaml, by defaults; to an SSIM
//   cryo          examples/cryo-virus.yaml, where $PTYLE_DATA or ../shared/data has cryo_virus.h5;
//                 measured, so that there is no truth: to a held-out R alone
//   thick         40 slices of bench/recovery_set.hpp, by defaults; to a correlation
//
// 1. each rule of the table, with its default step; `default` is a run that sets no key of the rule
// 2. the same on `convergence` with the best of steps that are factors of √2 apart, found uphill
//    from the default's neighbourhood: the least iterations to the object, or else the best object.
//    L-BFGS has no step to choose
//
// A row ends once it has the object and R, at its set's limit of iterations, or after so many
// seconds. R is that of held-out detector pixels (2 %), of cryo that of held-out patterns. Seconds
// are those of the iterations, on one rank; exchanges are those that ranks would have, one a
// mini-batch, without those of Gauss-Newton's products; passes through the data are
// IterationReport's.
//
//   bench-optimisers [SET …] [ROW …] [seconds=N] [defaults-only]
//   ROW: default or RULE[:MINI-BATCHES[:PRECONDITIONER]], as lbfgs:1:transfer; 0 mini-batches: as
//   by default. All sets and rows where none is named; 300 seconds a row
//   last line: seconds of the default to the film's SSIM; nan where that was not run

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "film.hpp"
#include "kept_set.hpp"
#include "recovery_set.hpp"
#include "session/reconstruction.hpp"
#include "tiled_set.hpp"

using namespace ptyle;
using namespace ptyle::bench;

namespace {

constexpr int threads = 2;

/// A line of the table is a row.
const std::vector<std::string> all_rows{
    "default",
    "descent:1",
    "descent:4",
    "momentum",
    "momentum:4",
    "momentum:1",
    "adam",
    "lbfgs:1",
    "lbfgs:1:transfer",
    "gauss_newton:1:transfer",
    "momentum:0:transfer",
    "momentum:7:transfer",
    "momentum:4:transfer",
    "momentum:1:transfer",
    "pie",
};

struct Goal {
  std::string name;   ///< "SSIM"
  double value = 0;   ///< to be reached
  bool less = false;  ///< less is better
  std::function<double(const Agreement&)> of = {};
  [[nodiscard]] bool met_by(double figure) const {
    return less ? figure <= value : figure >= value;
  }
};

struct Set {
  std::string name;
  std::optional<Goal> object = {};  ///< none: there is no truth
  double r = 0;                     ///< held-out, to be reached
  int iterations = 0;               ///< at most
  ReconstructConfig config = {};
  Result truth = {};
};

// ------------------------------------------------------------------------------------- the sets

Set convergence() {
  constexpr int slices = 6;
  const Recipe recipe = convergence_recipe(slices);
  Set set{.name = "convergence",
          .object = Goal{"RMSE", 0.0057, true, [](const Agreement& a) { return a.rmse; }},
          .r = 1e-5,
          .iterations = 100};
  ReconstructConfig& c = set.config;
  c.data.file = kept_set(recipe, set.name);
  c.calibration.pixel_size = recipe.detector.pixel_size;
  c.scan.positions = "/positions";
  c.optics.energy = recipe.optics.energy;
  c.optics.semi_angle = recipe.optics.semi_angle;
  c.optics.defocus = recipe.optics.defocus;
  c.object.type = ObjectType::potential;
  c.object.slices = slices;
  c.object.slice_thickness = recipe.specimen.slice_thickness;
  c.object.band_limit = recipe.detector.band_limit;
  c.probe.refine_from = 0;
  c.solver.continuation = Switch::off;
  return set;
}

Set film() {
  Set set{.name = "film",
          .object = Goal{"SSIM", 0.88, false, [](const Agreement& a) { return a.ssim; }},
          .r = 0.018,
          .iterations = 60};
  set.config = film_run(kept_set(film_recipe(), set.name), set.iterations);
  return set;
}

Set thick() {
  constexpr int slices = 40;
  const auto correlation = [](const Agreement& a) { return a.correlation; };
  Set set{.name = "thick",
          .object = Goal{"correlation", 0.99, false, correlation},
          .r = 2e-3,
          .iterations = 40};
  set.config = recovery_run(slices, set.iterations,
                            kept_set(recovery_recipe(slices, {}), "lead-titanate-40"));
  return set;
}

std::optional<Set> cryo() {
  const char* folder = std::getenv("PTYLE_DATA");
  const std::string file = std::string(folder ? folder : "../shared/data") + "/cryo_virus.h5";
  if (!std::filesystem::exists(file)) {
    fmt::print("\ncryo: left out, cryo_virus.h5 is not in $PTYLE_DATA or ../shared/data\n");
    return std::nullopt;
  }
  Set set{.name = "cryo", .r = 0.1155, .iterations = 20};
  set.config =
      read_reconstruct(film_example("cryo-virus.yaml"), {"data.file=" + file}, true).config;
  return set;
}

std::optional<Set> set_named(const std::string& name) {
  std::optional<Set> set = name == "convergence" ? std::optional(convergence())
                           : name == "film"      ? std::optional(film())
                           : name == "thick"     ? std::optional(thick())
                                                 : cryo();
  if (!set) return set;
  set->config.solver.iterations = set->iterations;
  set->config.solver.threads = threads;
  if (set->config.solver.hold_out == 0) set->config.solver.hold_out_pixels = 0.02;
  if (set->object) set->truth = read_result(set->config.data.file);
  return set;
}

// ------------------------------------------------------------------------------------- the rows

struct Row {
  std::string name;
  RuleOptions rule = {};
  int batches = 0;
  bool by_default = false;
};

Row row_named(const std::string& text) {
  Row row{text};
  if (text == "default") {
    row.by_default = true;
    return row;
  }
  std::vector<std::string> parts{""};
  for (const char c : text)
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  const auto rule = choice_named<RuleChoice>(parts[0]);
  if (!rule) throw UserError(text + " is neither a set nor a row: " + parts[0] + " is no rule");
  row.rule.rule = *rule;
  if (parts.size() > 1) {
    const auto end = parts[1].data() + parts[1].size();
    const auto [read, error] = std::from_chars(parts[1].data(), end, row.batches);
    if (error != std::errc() || read != end || row.batches < 0)
      throw UserError(text + ": " + parts[1] + " is no number of mini-batches");
  }
  if (parts.size() > 2) {
    const auto preconditioner = choice_named<PreconditionerChoice>(parts[2]);
    if (!preconditioner) throw UserError(text + ": " + parts[2] + " is no preconditioner");
    row.rule.preconditioner = *preconditioner;
  }
  return row;
}

/// When a goal was reached.
struct Reached {
  int iterations = 0;
  i64 exchanges = 0;
  double passes = 0, seconds = 0;
};

struct Outcome {
  std::optional<Reached> object, r;
  Reached end;
  double figure = NAN, last_r = NAN;  ///< at the end
};

double held_out(const Progress& p) {
  return p.r_held_out_pixels >= 0 ? p.r_held_out_pixels : p.r_held_out;
}

double figure_of(const Set& set, const Reconstruction& run) {
  const ObjectValues object = run.object();
  const std::vector<Position> at = run.positions();
  const Result& truth = set.truth;
  const double pixel = truth.pixel_size;  // of all sets: a run keeps it
  return set.object->of(
      compare_objects({object.phase.view(), at, pixel, set.config.object.slice_thickness, {}},
                      {truth.phase.view(), truth.positions, pixel, truth.slice_thickness, {}},
                      threads)
          .summed);
}

struct Limits {
  double seconds = 0;
  int iterations = 0;         ///< 0: the set's
  bool object_alone = false;  ///< R need not be reached
};

/// Until the goals are reached, or a limit.
Outcome run(const Set& set, const Row& row, const Limits& limits) {
  ReconstructConfig config = set.config;
  if (limits.iterations > 0) config.solver.iterations = limits.iterations;
  if (!row.by_default) {
    config.parts.of<RuleOptions>() = row.rule;
    config.solver.batches = row.batches;
  }
  Outcome out;
  ReconstructCallbacks callbacks;
  callbacks.stop = [&] { return ++out.end.exchanges, false; };  // asked in every mini-batch
  const auto team = make_local_team();
  Reconstruction fit(config, *team, callbacks);
  while (!fit.finished() && out.end.seconds < limits.seconds &&
         !(out.object && (out.r || limits.object_alone))) {
    const auto start = std::chrono::steady_clock::now();
    const Progress now = fit.step();
    out.end.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    out.end.iterations = now.iteration;
    out.end.passes = now.passes;
    out.last_r = held_out(now);
    if (!out.r && out.last_r <= set.r) out.r = out.end;
    if (set.object) out.figure = figure_of(set, fit);
    if (!out.object && (!set.object || set.object->met_by(out.figure))) out.object = out.end;
  }
  if (!set.object) out.object.reset();
  return out;
}

// ------------------------------------------------------------------------------- the best of steps

/// The number that a rule's steps are multiplied by; none: there is nothing to choose.
double* step_of(Row& row) {
  if (row.by_default || row.rule.rule == RuleChoice::lbfgs) return nullptr;
  return row.rule.rule == RuleChoice::adam ? &row.rule.adam_step : &row.rule.step;
}

/// Less is better: iterations to the object, or else more than there can be, by its figure after
/// as many as the best so far needs.
double penalty_of(const Set& set, const Outcome& out) {
  if (out.object) return out.object->iterations;
  const double worse = set.object->less ? out.figure : -out.figure;
  return std::isfinite(worse) ? 1e6 + worse : INFINITY;
}

/// With its best step, or nothing where it has none to choose.
std::optional<std::pair<Row, Outcome>> best(const Set& set, Row row, double seconds) {
  double* step = step_of(row);
  if (!step) return {};
  const double unit = *step > 0 ? *step : 1;
  std::map<int, Outcome> tried;
  Limits limits{seconds, set.iterations, true};
  const auto at = [&](int power) {
    if (!tried.contains(power)) {
      *step = unit * std::pow(std::sqrt(2.0), power);
      try {
        tried[power] = run(set, row, limits);
        if (tried[power].object) limits.iterations = tried[power].object->iterations;
      } catch (const CostNotFinite&) {
        tried[power] = {};
      }
    }
    return penalty_of(set, tried[power]);
  };
  int power = row.rule.rule == RuleChoice::adam ? 0 : -2;
  for (const int way : {1, -1})
    while (at(power + way) < at(power)) power += way;
  *step = unit * std::pow(std::sqrt(2.0), power);
  row.name += fmt::format(", step {:.2g}", *step);
  return std::pair{row, run(set, row, {seconds})};
}

// ------------------------------------------------------------------------------------- the table

std::string text_of(const std::optional<Reached>& reached) {
  if (!reached) return fmt::format("{:>34}", "-");
  return fmt::format("{:6d} {:9d} {:8.1f} {:8.1f}", reached->iterations, reached->exchanges,
                     reached->passes, reached->seconds);
}

void print_head(const Set& set) {
  const std::string object =
      set.object ? fmt::format("to {} {:.4g}", set.object->name, set.object->value) : "no truth";
  fmt::print("\n{:<33}{:^35}{:^35}  at the end\n", set.name, object,
             fmt::format("to held-out R {:.3g}", set.r));
  constexpr const char* columns = " iter. exchanges   passes  seconds";
  fmt::print("{:<33}{} {}   iter. {:>11}   held-out R\n", "rule:mini-batches:preconditioner",
             columns, columns, set.object ? set.object->name : "");
}

void print(const std::string& name, const Outcome& out) {
  const std::string figure = std::isfinite(out.figure) ? fmt::format("{:.4f}", out.figure) : "-";
  fmt::print("{:<33}{} {}   {:5d} {:>11}   {:.3e}\n", name, text_of(out.object), text_of(out.r),
             out.end.iterations, figure, out.last_r);
  std::fflush(stdout);
}

/// The default's seconds to the object; infinite where that was not reached, none where not run.
std::optional<double> compare_on(const Set& set, const std::vector<Row>& rows, double seconds,
                                 bool with_best) {
  print_head(set);
  std::optional<double> of_default;
  for (const Row& row : rows) {
    try {
      const Outcome out = run(set, row, {seconds});
      print(row.name, out);
      if (row.by_default) of_default = out.object ? out.object->seconds : INFINITY;
      if (!with_best) continue;
      if (const auto found = best(set, row, seconds)) print(found->first.name, found->second);
    } catch (const UserError& e) {  // refused, or the cost is no number
      fmt::print("{:<33} {}\n", row.name, e.what());
    }
  }
  return of_default;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> all_sets{"convergence", "film", "cryo", "thick"};
  std::vector<std::string> sets;
  std::vector<Row> rows;
  double seconds = 300;
  bool with_best = true;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text.starts_with("seconds="))
      seconds = std::stod(text.substr(text.find('=') + 1));
    else if (text == "defaults-only")
      with_best = false;
    else if (std::find(all_sets.begin(), all_sets.end(), text) != all_sets.end())
      sets.push_back(text);
    else
      rows.push_back(row_named(text));
  }
  if (sets.empty()) sets = all_sets;
  if (rows.empty())
    for (const std::string& text : all_rows) rows.push_back(row_named(text));
  double of_film = NAN;
  for (const std::string& name : sets)
    if (const auto set = set_named(name)) {
      const auto found = compare_on(*set, rows, seconds, with_best && name == "convergence");
      if (name == "film") of_film = found.value_or(NAN);
    }
  fmt::print("\noptimisers = {:.1f} seconds\n", of_film);
} catch (const std::exception& e) {
  fmt::print(stderr, "optimisers: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
