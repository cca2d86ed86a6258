// How fast do the updates converge on 9 ranks: the paper's (Fig. 9), and ptyle's?
//
// A noise-free set: PbTiO3 along c, 200 kV, 30 mrad, 150 Å underfocus, window 64² at 0.2 Å, 14 × 14
// positions 1.45 Å apart, 6 slices of 1.25 Å, the probe known. Nine virtual ranks (3 × 3 tiles),
// halo exact, from vacuum.
//
//   1. each update with steps on one grid of factors of √2, from a guess uphill until the cost
//      after the last iteration is worse on both sides; the best is printed
//   2. the default, whose step is estimated, with its own number of mini-batches, and with the 4, 2
//      and 1 that thousands of ranks can share (solver/batches)
//   3. the iterations that the default needs to reach what the best `literal` has at its end
//   4. the rules by which the object moves, with their estimated steps, after so many passes
//      through the data; every gradient, cost and curvature of a position counts, and every product
//      with the Gauss-Newton matrix one and a half times, so that what a step costs beside its
//      gradient is in it. An exchange is a sum and a fill
//   5. passes to what the best `literal` has at its end, with the transfer preconditioner
//
// The cost is that of the stitched object, of all positions with one operator over the whole of it;
// the error is that of its summed phase against the truth (analysis/comparison).
//
//   bench-convergence [ITERATIONS]    default 100
//   bench-convergence rules [NAME=VALUE …]    4. and 5. alone, with keys solver.NAME of numbers
//   last line: those of L-BFGS on the whole scan, one exchange each

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "tiled_set.hpp"

using namespace ptyle;
using Set = bench::TiledSet<float>;

namespace {

constexpr int ranks = 9;

struct Method {
  std::string name;
  FitOptions options;
  int guess = 0;  ///< of the step: √2 to this power; not used where the step is estimated
};

struct Point {
  int iteration = 0;
  double passes = 0;
  i64 gradients = 0, others = 0, exchanges = 0;
  double cost = 0, error = 0, step = 0;
};

/// Iterations whose cost is looked at.
bool looked_at(int i, int last) {
  return i == 1 || i == 2 || i == 5 || i == 10 || i == 20 || i == 50 || i == last;
}

/// Ends early where the cost is no number, or above that of vacuum in the tenth iteration.
std::vector<Point> run(const Set& set, const FitOptions& options, int iterations, bool every) {
  const Sharing sharing{set.mesh({3, 3}, Halo::exact(set.plan().window)), Scheme::owner};
  const auto team = make_local_team(ranks);
  bench::Work work;
  auto fit = set.fit(options, *team, sharing, work);
  const double vacuum = set.misfit(Array<float, 3>(set.truth().shape)).cost;
  std::vector<Point> points;
  for (int i = 1; i <= iterations; ++i) {
    const IterationReport report = fit.iterate();
    if (!std::isfinite(report.fitted.cost) || (i == 10 && report.fitted.cost > vacuum)) break;
    if (!every && !looked_at(i, iterations)) continue;
    const auto object = set.stitched(fit);
    const double error =
        looked_at(i, iterations) ? set.compare(object.view()).summed.rmse : std::nan("");
    points.push_back({i, work.all() / double(set.count()), work.gradients, work.others,
                      i * options.batches, set.misfit(object.view()).cost, error, report.step});
  }
  return points;
}

void print(const std::vector<Point>& points) {
  for (const Point& p : points)
    if (std::isfinite(p.error))
      fmt::print("  {:4d} {:10d} {:8d} {:8d}   {:.3e}   {:.4f}   {:.4f}\n", p.iteration,
                 p.gradients, p.others, p.exchanges, p.cost, p.error, p.step);
}

double last_cost(const std::vector<Point>& points, int iterations) {
  return points.empty() || points.back().iteration < iterations ? INFINITY : points.back().cost;
}

/// What a method made of every step that was tried, by the power of √2.
using Tried = std::map<int, std::vector<Point>>;

/// The best on the grid of steps, found uphill from the guess.
int best(const Set& set, const Method& method, int iterations, Tried& tried) {
  const auto cost_at = [&](int power) {
    if (!tried.contains(power)) {
      FitOptions o = method.options;
      o.parts.of<RuleOptions>().step = std::pow(std::sqrt(2.0), power);
      tried[power] = run(set, o, iterations, false);
    }
    return last_cost(tried[power], iterations);
  };
  int at = method.guess;
  for (const int way : {1, -1})
    while (cost_at(at + way) < cost_at(at)) at += way;
  return at;
}

FitOptions with(Update update, bool preconditioner, i64 batches, i64 local_positions) {
  FitOptions o;
  o.update = update;
  if (!preconditioner) o.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::none;
  o.batches = batches;
  o.local_positions = local_positions;
  return o;
}

std::vector<Method> methods(i64 positions, i64 usual) {
  const i64 each = (positions + ranks - 1) / ranks;  // mini-batches of as many positions as ranks
  const auto literal = Update::literal, consistent = Update::consistent;
  return {
      {"literal, once an iteration", with(literal, false, 1, 1), -13},
      {"literal, twice an iteration", with(literal, false, 2, 1), -11},
      {"literal, at every position", with(literal, false, each, 1), -6},
      {"consistent, not preconditioned, local steps, once", with(consistent, false, 1, 1), -12},
      {"consistent, not preconditioned, local steps, at every position",
       with(consistent, false, each, 1), -4},
      {"consistent, not preconditioned, once", with(consistent, false, 1, 0), -13},
      {fmt::format("consistent, not preconditioned, {} mini-batches", usual),
       with(consistent, false, usual, 0), -4},
      {fmt::format("consistent, not preconditioned, {} mini-batches", each),
       with(consistent, false, each, 0), -4},
      {"consistent, preconditioned, once", with(consistent, true, 1, 0), -5},
      {fmt::format("consistent, preconditioned, {} mini-batches", usual),
       with(consistent, true, usual, 0), -1},
  };
}

/// A rule by its name, with mini-batches.
struct RuleRow {
  RuleChoice rule;
  i64 batches;
  PreconditionerChoice preconditioner = PreconditionerChoice::illumination;
  double damping = 0;  ///< of the transfer; 0: the default
};

constexpr int looked_at_passes[] = {10, 20, 30, 50, 100};

/// After the iterations that have taken so many passes.
std::vector<Point> run_passes(const Set& set, const FitOptions& options) {
  const Sharing sharing{set.mesh({3, 3}, Halo::exact(set.plan().window)), Scheme::owner};
  const auto team = make_local_team(ranks);
  bench::Work work;
  auto fit = set.fit(options, *team, sharing, work);
  std::vector<Point> points;
  for (int i = 1; points.size() < std::size(looked_at_passes); ++i) {
    const IterationReport report = fit.iterate();
    if (!std::isfinite(report.fitted.cost)) break;
    const double passes = work.all() / double(set.count());
    if (passes < looked_at_passes[points.size()]) continue;
    const auto object = set.stitched(fit);
    const i64 products = work.products / set.count();  // a sum and a fill each, as an iteration
    points.push_back({i, passes, work.gradients, work.others, i * options.batches + products,
                      set.misfit(object.view()).cost, set.compare(object.view()).summed.rmse,
                      report.step});
  }
  return points;
}

FitOptions options_of(const RuleRow& row) {
  FitOptions o;
  o.batches = row.batches;
  o.parts.of<RuleOptions>().rule = row.rule;
  o.parts.of<RuleOptions>().preconditioner = row.preconditioner;
  o.parts.of<RuleOptions>().transfer.damping = row.damping;
  o.parts.of<RuleOptions>().transfer.how = TransferInverse::damped;
  return o;
}

/// `change`: of the options of each.
void compare_rules(const Set& set, const std::function<void(RuleOptions&)>& change) {
  const i64 usual = set.usual_batches();
  const std::vector<RuleRow> rows{
      {RuleChoice::descent, 1},
      {RuleChoice::momentum, 1},
      {RuleChoice::lbfgs, 1},
      {RuleChoice::descent, usual},
      {RuleChoice::momentum, usual},
      {RuleChoice::adam, usual},
      {RuleChoice::lbfgs, 1, PreconditionerChoice::transfer},
      {RuleChoice::momentum, usual, PreconditionerChoice::transfer},
      {RuleChoice::momentum, usual, PreconditionerChoice::transfer, 0.02},
      {RuleChoice::momentum, 4, PreconditionerChoice::transfer, 0.02},
      {RuleChoice::momentum, 1, PreconditionerChoice::transfer},
      {RuleChoice::gauss_newton, 1},
      {RuleChoice::gauss_newton, 1, PreconditionerChoice::transfer}};
  std::vector<std::vector<Point>> points(rows.size());
  parallel_for(std::ssize(rows), available_threads(), [&](i64 i, int) {
    FitOptions o = options_of(rows[static_cast<std::size_t>(i)]);
    change(o.parts.of<RuleOptions>());
    points[static_cast<std::size_t>(i)] = run_passes(set, o);
  });
  fmt::print("\n passes     it  exchanges   cost        error    step\n");
  for (std::size_t r = 0; r < rows.size(); ++r) {
    fmt::print("{}{}, {} mini-batch{} an iteration\n", word_of(rows[r].rule),
               rows[r].preconditioner != PreconditionerChoice::transfer ? ""
               : rows[r].damping > 0 ? fmt::format(", transfer (damping {})", rows[r].damping)
                                     : ", transfer",
               rows[r].batches, rows[r].batches == 1 ? "" : "es");
    for (const Point& p : points[r])
      fmt::print(" {:6.1f}   {:4d}   {:8d}   {:.3e}   {:.4f}   {:.4f}\n", p.passes, p.iteration,
                 p.exchanges, p.cost, p.error, p.step);
  }
}

/// Passes until the cost of the stitched object is no more than this; and how large its error is
/// then.
Point reach(const Set& set, const FitOptions& options, double cost) {
  constexpr double most = 100;
  const Sharing sharing{set.mesh({3, 3}, Halo::exact(set.plan().window)), Scheme::owner};
  const auto team = make_local_team(ranks);
  bench::Work work;
  auto fit = set.fit(options, *team, sharing, work);
  Point point;
  while (point.passes < most) {
    point.iteration += 1;
    fit.iterate();
    point.passes = work.all() / double(set.count());
    const auto object = set.stitched(fit);
    point.cost = set.misfit(object.view()).cost;
    if (point.cost > cost) continue;
    point.error = set.compare(object.view()).summed.rmse;
    return point;
  }
  throw std::runtime_error(fmt::format("a cost of {:.3e} is not reached in {} passes", cost, most));
}

/// With the transfer preconditioner; the passes of the first row.
double print_passes(const Set& set, double cost, const std::function<void(RuleOptions&)>& change) {
  constexpr auto transfer = PreconditionerChoice::transfer;
  const std::vector<RuleRow> rows{{RuleChoice::lbfgs, 1, transfer},
                                  {RuleChoice::momentum, 4, transfer, 0.02},
                                  {RuleChoice::momentum, 7, transfer, 0.02},
                                  {RuleChoice::momentum, set.usual_batches(), transfer, 0.02}};
  fmt::print("\nto a cost of {:.3e}, preconditioned by the transfer, damping 0.02\n", cost);
  double passes = 0;
  for (const RuleRow& row : rows) {
    FitOptions o = options_of(row);
    change(o.parts.of<RuleOptions>());
    const Point p = reach(set, o, cost);
    fmt::print("  {}, {} mini-batch{}: {:.1f} passes, {} exchanges, error {:.4f}\n",
               word_of(row.rule), row.batches, row.batches == 1 ? "" : "es", p.passes,
               p.iteration * row.batches, p.error);
    if (passes == 0) passes = p.passes;
  }
  return passes;
}

/// Keys of solver, as NAME=VALUE.
void set_keys(RuleOptions& options, int argc, char** argv) {
  Keys all;
  keys(all, options);
  for (int i = 0; i < argc; ++i) {
    const std::string text = argv[i];
    const auto equals = text.find('=');
    bool found = false;
    for (const Key& key : all.all())
      if (key.path == "solver." + text.substr(0, equals)) {
        const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
        const auto* number = std::get_if<double*>(&key.field);
        const auto* whole = std::get_if<int*>(&key.field);
        double read = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), read);
        if ((!number && !whole) || error != std::errc() || end != value.data() + value.size())
          throw UserError(text + ": a number is needed, for a key that takes one");
        if (number) **number = read;
        if (whole) **whole = static_cast<int>(read);
        found = true;
      }
    if (!found) throw UserError(text + ": no such key");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const bool rules_alone = argc > 1 && std::string(argv[1]) == "rules";
  const int iterations = argc > 1 && !rules_alone ? std::stoi(argv[1]) : 100;
  const Set set(bench::convergence_recipe(6), 1);
  const Array<float, 3> vacuum(set.truth().shape);
  fmt::print("{} positions on {} x {} px, {} slices; vacuum: cost {:.4g}, error {:.4f} rad\n",
             set.count(), set.plan().ny, set.plan().nx, set.plan().slices,
             set.misfit(vacuum.view()).cost, set.compare(vacuum.view()).summed.rmse);

  const auto change = [&](RuleOptions& options) {
    if (rules_alone) set_keys(options, argc - 2, argv + 2);
  };
  compare_rules(set, change);
  constexpr double of_literal = 4.94;  // as the whole benchmark finds it
  if (rules_alone) {
    fmt::print("convergence = {:.1f} passes\n", print_passes(set, of_literal, change));
    return 0;
  }
  const std::vector<Method> all = methods(set.count(), set.usual_batches());
  std::vector<Tried> tried(all.size());
  std::vector<int> best_of(all.size());
  const std::array<i64, 4> batches{set.usual_batches(), 4, 2, 1};
  std::array<std::vector<Point>, batches.size()> estimated;  // the default first
  parallel_for(std::ssize(all) + std::ssize(batches), available_threads(), [&](i64 i, int) {
    const auto m = static_cast<std::size_t>(i);
    if (m < all.size())
      best_of[m] = best(set, all[m], iterations, tried[m]);
    else
      estimated[m - all.size()] =
          run(set, with(Update::consistent, true, batches[m - all.size()], 0), iterations,
              m == all.size());
  });

  double literal = INFINITY;
  fmt::print("\n    it  gradients   others    syncs   cost        error    step\n");
  for (std::size_t m = 0; m < all.size(); ++m) {
    fmt::print("{}\n  steps tried (cost at the end):", all[m].name);
    for (const auto& [power, way] : tried[m])
      fmt::print(" {:.4f} ({:.3g})", std::pow(std::sqrt(2.0), power), last_cost(way, iterations));
    fmt::print("\n");
    const std::vector<Point>& found = tried[m].at(best_of[m]);
    print(found);
    if (all[m].options.update == Update::literal)
      literal = std::min(literal, last_cost(found, iterations));
  }
  for (std::size_t b = 0; b < batches.size(); ++b) {
    fmt::print("{}consistent, preconditioned, {} mini-batch{}, step estimated\n",
               b == 0 ? "the default: " : "", batches[b], batches[b] == 1 ? "" : "es");
    print(estimated[b]);
  }
  const std::vector<Point>& points = estimated[0];
  const auto reached =
      std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.cost <= literal; });
  if (reached == points.end())
    throw std::runtime_error(
        fmt::format("in {} iterations the default has not reached {:.3e}, which literal has",
                    iterations, literal));
  fmt::print("\nthe best literal has {:.3e} after {} iterations, the default {:.3e} after {}\n",
             literal, iterations, reached->cost, reached->iteration);
  fmt::print("convergence = {:.1f} passes\n", print_passes(set, literal, change));
} catch (const std::exception& e) {
  fmt::print(stderr, "convergence: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
