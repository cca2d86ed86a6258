// simulate, compare, plan: the commands' work as functions.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>

#include "core/ledger.hpp"
#include "python/arrays.hpp"
#include "python/data.hpp"
#include "python/errors.hpp"
#include "python/ranks.hpp"
#include "session/compare.hpp"
#include "session/fft_memory.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "session/reconstruct_keys.hpp"
#include "session/settings.hpp"
#include "session/simulate_keys.hpp"
#include "simulate/simulate.hpp"

namespace nb = nanobind;

namespace ptyle::python {
namespace {

using Tell = std::function<void(const std::string&, i64, i64)>;

std::string simulate_for_python(const std::string& file, const Values& values, bool overwrite,
                                const std::optional<Tell>& tell) {
  SimulateReport report;
  Interrupt interrupt;
  {
    const nb::gil_scoped_release unlocked;
    Recipe recipe = read_simulate_values(file, named(values)).recipe;
    recipe.overwrite = recipe.overwrite || overwrite;
    const FftMemory fft_memory(true);
    SimulateCallbacks callbacks;
    callbacks.stop = [&] { return interrupt.asked(); };
    if (tell)
      callbacks.progress = [&](const SimulateProgress& now) {
        const nb::gil_scoped_acquire lock;
        (*tell)(now.stage, now.done, now.total);
      };
    report = simulate(recipe, {}, callbacks);
  }
  interrupt.raise();
  return report.file;
}

/// A comparison with its lines.
struct Compared {
  CompareReport report;
  std::vector<std::string> lines;
};

Compared compare_for_python(const std::string& result, const std::string& reference,
                            const std::string& folder, bool overwrite) {
  return interruptible([&] {
    Compared it;
    it.report = compare({result, reference, folder, overwrite},
                        [&](const std::string& line) { it.lines.push_back(line); });
    return it;
  });
}

/// The forecast for one number of ranks.
struct Plan {
  RanksOutlook outlook;
};

std::vector<Plan> plan_for_python(const std::string& file, const Values& values,
                                  const Patterns* patterns, const std::vector<int>& ranks) {
  return interruptible([&] {
    const ReconstructConfig config =
        read_reconstruct_values(file, named(values), view_of(patterns)).config;
    const auto program = static_cast<double>(program_bytes());
    const FftMemory fft_memory(true);
    const Experiment experiment = plan_experiment(config.data, config.calibration, config.scan,
                                                  config.optics, view_of(patterns));
    const int threads = config.solver.threads > 0 ? config.solver.threads : default_threads(1);
    double seconds = config.ranks.seconds_per_position;
    if (seconds == 0) seconds = measure_position_seconds(config, experiment, threads);
    ScanToPlan scan(experiment);
    std::vector<Plan> plans;
    for (const int n : ranks)
      plans.push_back({plan_ranks(config, scan, n, threads, seconds, nullptr, program)});
    return plans;
  });
}

void bind_compare(nb::module_& m) {
  nb::class_<Agreement>(m, "Agreement", "How far two phases agree.")
      .def_ro("rmse", &Agreement::rmse, "rad")
      .def_ro("ssim", &Agreement::ssim, "structural similarity, 1: the same")
      .def_ro("correlation", &Agreement::correlation, "Pearson's")
      .def("__repr__", [](const Agreement& a) {
        return fmt::format("rmse {:.4g} rad, ssim {:.4f}, correlation {:.5f}", a.rmse, a.ssim,
                           a.correlation);
      });
  nb::class_<Compared>(m, "Comparison", "Two objects over the scanned area.")
      .def_ro("lines", &Compared::lines, "what `ptyle compare` prints")
      .def("__str__", [](const Compared& c) { return fmt::format("{}", fmt::join(c.lines, "\n")); })
      .def_prop_ro(
          "summed", [](const Compared& c) { return c.report.figures.summed; },
          "of the phases summed over the slices")
      .def_prop_ro(
          "slices", [](const Compared& c) { return c.report.figures.slices; },
          "of each slice; empty where they do not correspond")
      .def_prop_ro(
          "result",
          [](nb::handle self) {
            return seen(nb::cast<Compared&>(self).report.figures.result.view(), self);
          },
          nb::sig("def result(self) -> numpy.typing.NDArray[numpy.float64]"),
          "(row, col) float64, summed phase, registered, rad")
      .def_prop_ro(
          "reference",
          [](nb::handle self) {
            return seen(nb::cast<Compared&>(self).report.figures.reference.view(), self);
          },
          nb::sig("def reference(self) -> numpy.typing.NDArray[numpy.float64]"),
          "(row, col) float64, likewise");
  m.def("compare", &compare_for_python, nb::arg("result"), nb::arg("reference"), nb::arg("folder"),
        nb::arg("overwrite"));
}

void bind_plan(nb::module_& m) {
  const auto of = [](auto member) {
    return [member](const Plan& plan) { return plan.outlook.*member; };
  };
  nb::class_<Plan>(m, "Plan", "A forecast of a run on so many ranks.")
      .def_prop_ro("ranks", of(&RanksOutlook::ranks))
      .def_prop_ro("refused", of(&RanksOutlook::refused), "why it cannot be; empty: it can")
      .def_prop_ro("threads", of(&RanksOutlook::threads), "of a rank")
      .def_prop_ro("positions", of(&RanksOutlook::most), "of the rank that has most")
      .def_prop_ro("batches", of(&RanksOutlook::batches), "mini-batches an iteration")
      .def_prop_ro(
          "memory", [](const Plan& p) { return p.outlook.memory.total(); },
          "bytes of the rank that needs most")
      .def_prop_ro("first_rank_memory", of(&RanksOutlook::first_rank),
                   "bytes of rank 0 at its peak, the writing of the result included")
      .def_prop_ro(
          "seconds",
          [](const Plan& p) {
            return p.outlook.computing + p.outlook.exchanging + p.outlook.summing_probe;
          },
          "of an iteration")
      .def("__repr__", [](const Plan& p) {
        const RanksOutlook& o = p.outlook;
        if (!o.refused.empty()) return fmt::format("{} ranks: {}", o.ranks, o.refused);
        return fmt::format("{} rank{}: {:.1f} MiB, {:.3g} s an iteration", o.ranks,
                           o.ranks == 1 ? "" : "s", o.memory.total() / (1 << 20),
                           o.computing + o.exchanging + o.summing_probe);
      });
  m.def("plan", &plan_for_python, nb::arg("file"), nb::arg("values"), nb::arg("patterns").none(),
        nb::arg("ranks"));
}

}  // namespace

void bind_commands(nb::module_& m) {
  m.def("simulate", &simulate_for_python, nb::arg("file"), nb::arg("values"), nb::arg("overwrite"),
        nb::arg("progress").none());
  bind_compare(m);
  bind_plan(m);
}

}  // namespace ptyle::python
