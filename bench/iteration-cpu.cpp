// A whole iteration over its bare FFTs, on two threads: object and probe updated, default
// mini-batches
//
//   1. 1024 positions, 128², 6 slices, 6 probe modes (bench/workload.hpp), float, no band limit
//   2. the viruses in ice (cryo_virus.h5): 2116 positions, 256², one slice, one mode; left out by
//      name where the file is not there
//
// The first one also with its positions refined from the first iteration, with two variable modes
// of the probe beside, and with a fitted defocus, by turns with the plain one: the ratios are
// printed.
//
// An iteration is all that Fit::iterate does: gradients, estimates and trials of the step on one
// mini-batch in eight, preconditioner, updates of object and probe. Bare FFTs: positions · modes ·
// (4 (S − 1) + 2) transforms by FFTW's PATIENT plans, the fastest of four kinds, as many on each
// thread. Iterations and bare FFTs in turn, by the clock; medians of the rounds' ratios
// [quartiles].
//
//   bench-iteration-cpu [ROUNDS]    default 9
//   last line: the first one's ratio

#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <numeric>
#include <optional>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "gradient.hpp"
#include "session/open_experiment.hpp"
#include "session/settings.hpp"
#include "session/start.hpp"
#include "solver/fit.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/variable_probe_options.hpp"
#include "workload.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

constexpr int threads = Workload::threads;

template <class Work>
double wall(Work&& work) {
  const double start = wall_seconds();
  work();
  return wall_seconds() - start;
}

double load() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : 0;
}

/// What an iteration asks its operator for, by the clock, s.
struct Stages {
  double gradient = 0, curvature = 0, misfit = 0, object = 0, probe = 0;
  [[nodiscard]] double sum() const { return gradient + curvature + misfit + object + probe; }
};

/// An operator that looks at the clock.
class Timed final : public Operator<float> {
  using C = Complex<float>;

 public:
  Timed(std::unique_ptr<Operator<float>> op, Stages& stages)
      : op_(std::move(op)), stages_(stages) {}
  [[nodiscard]] const OperatorSetup& setup() const override { return op_->setup(); }
  void set_object(const ObjectView<float>& object) override {
    stages_.object += wall([&] { op_->set_object(object); });
  }
  void set_probe(View<const C, 3> probe) override {
    stages_.probe += wall([&] { op_->set_probe(probe); });
  }
  void set_weights(View<const float, 2> weight, View<const float, 2> valid) override {
    op_->set_weights(weight, valid);
  }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    op_->set_propagator(propagator);
  }
  void set_background(double background) override { op_->set_background(background); }
  void forward(const Placement& at, View<C, 3> wave) const override { op_->forward(at, wave); }
  void tangent(const Placement& at, const ObjectView<float>& d_object, View<const C, 3> d_probe,
               View<C, 3> d_wave) const override {
    op_->tangent(at, d_object, d_probe, d_wave);
  }
  void adjoint(const Placement& at, View<const C, 3> d, const Gradient<float>& sum) const override {
    op_->adjoint(at, d, sum);
  }
  Misfit gradient(std::span<const Placement> places, const Measured<float>& measured, Wanted wanted,
                  const Gradient<float>& sum) const override {
    Misfit result;
    stages_.gradient += wall([&] { result = op_->gradient(places, measured, wanted, sum); });
    return result;
  }
  [[nodiscard]] Misfit misfit(std::span<const Placement> places,
                              const Measured<float>& measured) const override {
    Misfit result;
    stages_.misfit += wall([&] { result = op_->misfit(places, measured); });
    return result;
  }
  [[nodiscard]] double curvature(std::span<const Placement> places,
                                 const ObjectView<float>& d_object, View<const C, 3> d_probe,
                                 std::span<double> each) const override {
    double result = 0;
    stages_.curvature += wall([&] { result = op_->curvature(places, d_object, d_probe, each); });
    return result;
  }
  void gauss_newton_product(std::span<const Placement> places, const ObjectView<float>& d_object,
                            View<const C, 3> d_probe, const Gradient<float>& sum) const override {
    stages_.curvature += wall([&] { op_->gauss_newton_product(places, d_object, d_probe, sum); });
  }

 private:
  std::unique_ptr<Operator<float>> op_;
  Stages& stages_;
};

/// A configuration's fit on one rank, and what it needs to live.
struct Opened {
  explicit Opened(const ReconstructConfig& c)
      : experiment(open_experiment(c.data, c.calibration, c.scan, c.optics)),
        division(divide(c, experiment.positions, experiment.patterns->window(),
                        experiment.calibration.pixel, 1)),
        valid(converted<float, float, 2>(experiment.valid.view())),
        setup(operator_setup(c, experiment)) {
    FitData<float> data;
    data.positions = division.frame.positions;
    data.load = [this](i64 i, float* to) { experiment.patterns->load(i, to); };
    data.valid = valid;
    data.dk = experiment.calibration.dk;
    auto object = start_object(c.object, division.frame, division.frame.box(),
                               experiment.calibration.pixel, false);
    std::vector<TileStart<float>> start;
    start.push_back({std::move(object.phase), {}});
    fit.emplace(
        std::make_unique<Timed>(make_cpu_operator<float>(setup, threads), stages), std::move(data),
        fit_options(c, experiment, division, threads), *team, division.sharing, std::move(start),
        converted<Complex<float>, Complex<double>, 3>(start_probe(c.probe, experiment).view()));
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  std::unique_ptr<Team> team = make_local_team();
  Experiment experiment;
  Division division;
  Array<float, 2> valid;
  OperatorSetup setup;
  Stages stages;
  std::optional<Fit<float>> fit;
};

/// `count` transforms, shared by the threads, by the kind of plan that is the fastest.
class Transforms {
 public:
  Transforms(i64 window, i64 count) {
    struct Kind {
      i64 batch;
      bool in_place;
    };
    Kind best{};
    double least = INFINITY;
    for (const Kind kind : {Kind{1, false}, Kind{1, true}, Kind{6, false}, Kind{6, true}}) {
      const std::vector<BareFfts> tried = on_threads(window, 120, kind.batch, kind.in_place);
      std::vector<double> times;
      for (int round = 0; round < 9; ++round) times.push_back(run(tried));
      if (const double time = band(times).median; time < least) least = time, best = kind;
    }
    all_ = on_threads(window, count / threads, best.batch, best.in_place);
  }
  [[nodiscard]] double seconds() const { return run(all_); }
  [[nodiscard]] const std::string& name() const { return all_.front().name(); }

 private:
  static std::vector<BareFfts> on_threads(i64 window, i64 count, i64 batch, bool in_place) {
    std::vector<BareFfts> all;
    for (int t = 0; t < threads; ++t) all.emplace_back(window, count, batch, in_place);
    return all;
  }
  static double run(const std::vector<BareFfts>& all) {
    return wall([&] {
      parallel_for(threads, threads, [&](i64 t, int) { all[static_cast<std::size_t>(t)].run(); });
    });
  }
  std::vector<BareFfts> all_;
};

void print_row(const std::string& name, const Band& b) {
  fmt::print("    {:<44} {:7.3f} [{:.3f}, {:.3f}]\n", name, b.median, b.low, b.high);
}

/// Iterations of one fit, by the clock.
class Timing {
 public:
  explicit Timing(const ReconstructConfig& config) : opened_(config) {
    iterate();  // plans are made, memory is touched
    iterate();
    opened_.stages = {};
    seconds_.clear();
  }
  double iterate() {
    seconds_.push_back(wall([&] { report_ = opened_.fit->iterate(); }));
    return seconds_.back();
  }
  [[nodiscard]] const Opened& opened() const { return opened_; }
  [[nodiscard]] Band seconds() const { return band(seconds_); }
  void print_stages() const {
    const Stages& t = opened_.stages;
    const double all = std::accumulate(seconds_.begin(), seconds_.end(), 0.0);
    const auto percent = [&](double seconds) { return 100 * seconds / all; };
    fmt::print(
        "    of an iteration: gradients {:.1f} %, curvatures {:.1f} %, costs of steps {:.1f} %, "
        "transmission {:.1f} %, probe's spectrum {:.1f} %, the rest {:.1f} %\n",
        percent(t.gradient), percent(t.curvature), percent(t.misfit), percent(t.object),
        percent(t.probe), percent(all - t.sum()));
    fmt::print("    R = {:.4f} after {} iterations; load {:.1f}\n", report_.fitted.r_factor(),
               seconds_.size() + 2, load());
  }

 private:
  Opened opened_;
  IterationReport report_;
  std::vector<double> seconds_;
};

/// A fit with a part on top, by the name of what it fits.
struct WithPart {
  std::string name;
  ReconstructConfig config;
};

/// `also`: fits whose iterations take turns with the first one's.
double measure(const std::string& what, const ReconstructConfig& config, int rounds,
               const std::vector<WithPart>& also = {}) {
  Timing plain(config);
  std::deque<Timing> others;
  for (const WithPart& one : also) others.emplace_back(one.config);
  const OperatorSetup& s = plain.opened().setup;
  const i64 positions = plain.opened().experiment.patterns->count();
  const i64 count = positions * s.modes * transforms(s.slices);
  const Transforms bare(s.window, count);
  (void)bare.seconds();
  std::vector<double> of_bare, ratios;
  std::vector<std::vector<double>> more(also.size());
  for (int round = 0; round < rounds; ++round) {
    of_bare.push_back(bare.seconds());
    const double alone = plain.iterate();
    ratios.push_back(alone / of_bare.back());
    for (std::size_t i = 0; i < also.size(); ++i) more[i].push_back(others[i].iterate() / alone);
  }
  const auto shape = plain.opened().fit->state().field("phase").on(0).shape;
  const RuleOptions rule = settled_parts(config, plain.opened().division).of<RuleOptions>();
  fmt::print("{}: {} positions, {}², {} slices of {} x {}, {} modes; by {}; solver.rule {}\n", what,
             positions, s.window, s.slices, shape[1], shape[2], s.modes, describe_path(s.window),
             word_of(rule.rule));
  print_row(fmt::format("{} bare FFTs ({}), s", count, bare.name()), band(of_bare));
  print_row("iteration, s", plain.seconds());
  print_row("ratio", band(ratios));
  plain.print_stages();
  for (std::size_t i = 0; i < also.size(); ++i) {
    print_row(fmt::format("iteration with {}, s", also[i].name), others[i].seconds());
    print_row("ratio to the iteration without", band(more[i]));
    others[i].print_stages();
  }
  return band(ratios).median;
}

/// The same with parts that begin in the first iteration, and everything free.
std::vector<WithPart> with_parts(const ReconstructConfig& plain) {
  ReconstructConfig positions = plain;
  positions.parts.of<PositionOptions>().refine = Switch::on;
  positions.parts.of<PositionOptions>().start = 1;
  ReconstructConfig varying = positions;
  varying.solver.continuation = Switch::off;
  varying.parts.of<VariableProbeOptions>().modes = 2;
  varying.parts.of<VariableProbeOptions>().start = 1;
  ReconstructConfig geometry = plain;
  geometry.parts.of<GeometryOptions>().refine = {"defocus"};
  return {{"positions refined", positions},
          {"positions, two variable modes", varying},
          {"a fitted defocus", geometry}};
}

/// As examples/cryo-virus.yaml, but for its blur and what it holds out.
std::optional<ReconstructConfig> viruses() {
  const char* folder = std::getenv("PTYLE_DATA");
  const std::string file = std::string(folder ? folder : "../shared/data") + "/cryo_virus.h5";
  if (!std::filesystem::exists(file)) return std::nullopt;
  ReconstructConfig c;
  c.data.file = file;
  c.data.patterns = "/data";
  c.data.centre = {{126.1, 127.7}};
  c.calibration.pixel_size = 4.65;
  c.scan.positions = "/positions";
  c.optics.energy = 300;
  c.optics.semi_angle = 1.03;
  c.optics.defocus = 135000;
  c.probe.refine_from = 1;
  c.solver.threads = threads;
  return c;
}

}  // namespace

int main(int argc, char** argv) try {
  const int rounds = argc > 1 ? std::stoi(argv[1]) : 9;
  fmt::print("{}\n{} threads, medians of {} rounds [quartiles]; load {:.1f}\n", processor(),
             threads, rounds, load());
  const Folder folder;
  simulate_workload(folder / "workload.h5");
  const ReconstructConfig workload = reconstruct_workload(folder / "workload.h5");
  const double ratio = measure("workload", workload, rounds, with_parts(workload));
  if (const auto config = viruses())
    measure("viruses in ice", *config, rounds);
  else
    fmt::print("viruses in ice: left out, cryo_virus.h5 is not in $PTYLE_DATA or ../shared/data\n");
  fmt::print("iteration-cpu = {:.3f} ratio\n", ratio);
} catch (const std::exception& e) {
  fmt::print(stderr, "iteration-cpu: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
