#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/random.hpp"
#include "operator/probe.hpp"
#include "physics/propagator.hpp"
#include "solver/fit.hpp"

namespace ptyle {
namespace {

// A small electron microscope: 32² window of 0.4 Å at 200 kV, 25 mrad, 5 × 5 positions 1.6 Å apart,
// two slices of smooth blobs.
class Scene {
 public:
  static constexpr i64 window = 32, slices = 2, side = 5;
  static constexpr double pixel = 0.4, wavelength = 0.025;

  /// Noise-free; or patterns of so many counted electrons, to be fitted by the Poisson loss.
  explicit Scene(double electrons = 0) {
    const double dk = 1 / (window * pixel);
    setup_.window = window;
    setup_.slices = slices;
    setup_.epsilon = 1e-9;
    setup_.propagator = propagator(window, pixel, wavelength, 10.0);
    const auto wave = form_probe({wavelength, 0.025, {.C10 = -80}}, window, pixel);
    probe_ = Array<Complex<double>, 3>({1, window, window});
    std::copy(wave.begin(), wave.end(), probe_.begin());
    if (electrons > 0) {
      for (auto& v : probe_) v *= std::sqrt(electrons) / window;
      setup_.loss = Loss::poisson;
      setup_.epsilon = 1e-2 * electrons / (window * window);
    }
    for (i64 r = 0; r < side; ++r)
      for (i64 c = 0; c < side; ++c)
        positions_.push_back({window / 2 + 4.0 * double(r), window / 2 + 4.0 * double(c) + 0.3});
    n_ = window + 4 * (side - 1) + 2;
    truth_ = Array<double, 3>({slices, n_, n_});
    Philox random(5, 0, 0);
    for (i64 s = 0; s < slices; ++s)
      for (int blob = 0; blob < 25; ++blob) {
        const double y0 = random.uniform() * double(n_), x0 = random.uniform() * double(n_);
        for (i64 y = 0; y < n_; ++y)
          for (i64 x = 0; x < n_; ++x)
            truth_(s, y, x) +=
                0.3 *
                std::exp(-0.5 * (std::pow(double(y) - y0, 2) + std::pow(double(x) - x0, 2)) / 2.25);
      }
    dk_ = dk;
    patterns_ = Array<double, 3>({i64(positions_.size()), window, window});
    auto op = make_cpu_operator<double>(setup_, 1);
    op->set_object({truth_.view(), {}});
    op->set_probe(probe_);
    Array<Complex<double>, 3> exit({1, window, window});
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      op->forward(place(positions_[i], window), exit);
      for (i64 k = 0; k < window * window; ++k)
        patterns_.data()[i64(i) * window * window + k] =
            electrons > 0 ? counted(std::norm(exit.data()[k]), i, k) : std::norm(exit.data()[k]);
    }
  }

  Fit<double> fit(FitOptions options, bool from_truth = false) const {
    FitData<double> data;
    data.positions = positions_;
    data.load = [this](i64 i, double* to) {
      std::copy_n(patterns_.data() + i * window * window, window * window, to);
    };
    data.dk = dk_;
    options.pixel = pixel;
    options.aperture_k = 1.0;
    Array<double, 3> phase({slices, n_, n_});
    if (from_truth) std::copy(truth_.begin(), truth_.end(), phase.begin());
    return {make_cpu_operator<double>(setup_, options.threads),
            std::move(data),
            options,
            std::move(phase),
            {},
            converted<Complex<double>, Complex<double>, 3>(probe_.view())};
  }

 private:
  static double counted(double mean, std::size_t position, i64 pixel_number) {
    Philox random(8, static_cast<std::uint32_t>(position), std::uint64_t(pixel_number));
    return std::poisson_distribution<int>(mean)(random);
  }

  OperatorSetup setup_;
  Array<Complex<double>, 3> probe_;
  std::vector<Position> positions_;
  i64 n_ = 0;
  double dk_ = 0;
  Array<double, 3> truth_, patterns_;
};

const Scene& scene() {
  static const Scene one;
  return one;
}

FitOptions options() {
  FitOptions o;
  o.groups = 5;
  o.probe_from = 0;
  return o;
}

TEST(Fit, TheTruthHasNoError) {
  auto fit = scene().fit(options(), true);
  const auto report = fit.iterate();
  // Patterns and model are the same numbers but for the order of sums: R ~ (1e-15)².
  EXPECT_LT(report.fitted.r_factor(), 1e-26);
}

TEST(Fit, BringsTheErrorDown) {
  auto fit = scene().fit(options());
  const double first = fit.iterate().fitted.r_factor();
  double last = first;
  for (int i = 0; i < 30; ++i) last = fit.iterate().fitted.r_factor();
  EXPECT_LT(last, 1e-2 * first);
}

TEST(Fit, IsTheSameForAnyNumberOfThreads) {
  auto o = options();
  o.probe_from = 1;
  auto one = scene().fit(o);
  o.threads = 3;
  auto three = scene().fit(o);
  for (int i = 0; i < 3; ++i) {
    one.iterate();
    three.iterate();
  }
  EXPECT_TRUE(std::equal(one.phase().begin(), one.phase().end(), three.phase().begin()));
  EXPECT_TRUE(std::equal(one.probe().begin(), one.probe().end(), three.probe().begin()));
}

TEST(Fit, DependsOnTheSeed) {
  auto o = options();
  auto a = scene().fit(o);
  o.seed = 1;
  auto b = scene().fit(o);
  a.iterate();
  b.iterate();
  EXPECT_FALSE(std::equal(a.phase().begin(), a.phase().end(), b.phase().begin()));
}

TEST(Fit, KeepsPhasesWithinTheirLimits) {
  auto o = options();
  o.phase_min = 0;
  o.phase_max = 0.2;
  auto fit = scene().fit(o);
  for (int i = 0; i < 3; ++i) fit.iterate();
  const auto [low, high] = std::minmax_element(fit.phase().begin(), fit.phase().end());
  EXPECT_GE(*low, 0);
  EXPECT_LE(*high, 0.2);
  EXPECT_GT(*high, 0.1);
}

TEST(Fit, TiedSlicesAreEqual) {
  auto o = options();
  o.continuation = Continuation(
      {.aperture_k = 1, .nyquist_k = 1.25, .slices = Scene::slices, .depths_of_focus = 1});
  auto fit = scene().fit(o);
  const auto report = fit.iterate();
  EXPECT_NE(report.stage, "");
  const auto phase = fit.phase();
  EXPECT_TRUE(std::equal(phase[0].begin(), phase[0].end(), phase[1].begin()));
}

TEST(Fit, LeavesTheProbeAloneUntilItsIteration) {
  auto o = options();
  o.probe_from = 2;
  auto fit = scene().fit(o);
  const auto start = converted<Complex<double>, Complex<double>, 3>(fit.probe());
  fit.iterate();
  EXPECT_TRUE(std::equal(start.begin(), start.end(), fit.probe().begin()));
  fit.iterate();
  EXPECT_FALSE(std::equal(start.begin(), start.end(), fit.probe().begin()));
}

TEST(Fit, HeldOutPatternsAreNotFitted) {
  auto o = options();
  o.hold_out = 0.2;
  auto fit = scene().fit(o);
  ASSERT_EQ(fit.held_out().size(), 5u);
  const auto report = fit.iterate();
  EXPECT_GT(report.held_out.r_denominator, 0);
  // 20 of 25 patterns of nearly equal power were fitted (electrons scattered off the detector:
  // none).
  EXPECT_NEAR(report.fitted.r_denominator / report.held_out.r_denominator, 4, 1e-9);
}

TEST(Fit, NoticesDivergenceAndHalvesTheStep) {
  auto o = options();
  o.step = 50;
  auto fit = scene().fit(o);
  fit.iterate();
  bool noticed = false;
  for (int i = 0; i < 4; ++i) noticed = noticed || fit.iterate().diverging;
  EXPECT_TRUE(noticed);
}

TEST(Fit, PoissonLossOfFewCountsComesDown) {
  // Where there is an electron and the model has none, the curvature of a perfect fit says nothing.
  const Scene few(2000);
  auto fit = few.fit(options());
  const double first = fit.iterate().fitted.cost;
  double last = first;
  for (int i = 0; i < 10; ++i) last = fit.iterate().fitted.cost;
  EXPECT_LT(last, first);
  for (const double v : fit.phase())
    ASSERT_LT(std::abs(v), 3.2);  // true phases are below 1.5, π more is a wrong one
}

TEST(Fit, BlursTheObject) {
  auto rough = [](View<const double, 3> v) {
    double sum = 0;
    for (i64 y = 0; y < v.shape[1]; ++y)
      for (i64 x = 1; x < v.shape[2]; ++x) sum += std::pow(v(0, y, x) - v(0, y, x - 1), 2);
    return sum;
  };
  auto o = options();
  auto sharp = scene().fit(o);
  o.blur = 1;
  auto blurred = scene().fit(o);
  o.blur = 0;
  o.blur_z = 1;
  auto along = scene().fit(o);
  sharp.iterate();
  blurred.iterate();
  along.iterate();
  EXPECT_LT(rough(blurred.phase()), 0.8 * rough(sharp.phase()));
  const auto spread = [](View<const double, 3> v) {
    double sum = 0;
    for (i64 i = 0; i < v[0].size(); ++i) sum += std::pow(v[0].data[i] - v[1].data[i], 2);
    return sum;
  };
  EXPECT_LT(spread(along.phase()), 0.8 * spread(sharp.phase()));
}

}  // namespace
}  // namespace ptyle
