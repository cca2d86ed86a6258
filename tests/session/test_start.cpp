#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>

#include "core/error.hpp"
#include "core/waves.hpp"
#include "device/cpu/fft.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "io/temporary_folder.hpp"
#include "operator/operator.hpp"
#include "operator/probe.hpp"
#include "session/memory_scan.hpp"
#include "session/start.hpp"
#include "solver/variables/probe_limits.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

TEST(ObjectFrame, IsJustWhatTheWindowsReach) {
  for (const i64 window : {16, 17}) {
    const std::vector<Position> at{{10.2, -3.1}, {14.9, 8.4}, {12.0, 2.0}};  // Å
    const auto frame = frame_object(at, window, 0.5);
    i64 top = 1000, left = 1000, bottom = 0, right = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      EXPECT_NEAR(frame.positions[i].row * 0.5 + frame.origin.row, at[i].row, 1e-12);
      EXPECT_NEAR(frame.positions[i].col * 0.5 + frame.origin.col, at[i].col, 1e-12);
      const Placement corner = place(frame.positions[i], window);
      top = std::min(top, corner.row);
      left = std::min(left, corner.col);
      bottom = std::max(bottom, corner.row + window);
      right = std::max(right, corner.col + window);
    }
    EXPECT_EQ(top, 0);
    EXPECT_EQ(left, 0);
    EXPECT_EQ(bottom, frame.rows);
    EXPECT_EQ(right, frame.cols);
  }
}

TEST(ObjectFrame, RefusesPositionsOfAnotherUnit) {
  for (const double far : {1e6, 1e30, double(INFINITY)}) {
    const auto said = message_of<UserError>([&] {
      frame_object(std::vector<Position>{{0, 0}, {5, far}}, 16, 0.5);
    });
    EXPECT_TRUE(says(said, {"positions", "scan.unit"})) << said;
  }
}

/// Two slices of 5 Å on 6 × 7 pixels of 0.5 Å, numbered; pixel [0,0] at (1, 2) Å.
std::string earlier_result(const TemporaryFolder& folder) {
  Result r;
  r.phase = Array<float, 3>({2, 6, 7});
  std::iota(r.phase.begin(), r.phase.end(), 1.0f);
  r.probe = Array<Complex<float>, 3>({1, 4, 4});
  r.probe.fill(1);
  r.pixel_size = 0.5;
  r.slice_thickness = 5;
  r.origin = Position{1, 2};
  write_result(folder / "earlier.h5", r, false);
  return folder / "earlier.h5";
}

ObjectConfig object(int slices, double slice_thickness, const std::string& start = "") {
  ObjectConfig config;
  config.slices = slices;
  config.slice_thickness = slice_thickness;
  config.start = start;
  return config;
}

TEST(StartObject, IsVacuumWithoutAnEarlierResult) {
  ObjectFrame frame{4, 5, {}, {}};
  const auto start = start_object(object(3, 5), frame, frame.box(), 1, true);
  EXPECT_EQ(start.phase.shape(), (std::array<i64, 3>{3, 4, 5}));
  EXPECT_EQ(start.absorption.shape(), start.phase.shape());
  for (const float v : start.phase) EXPECT_EQ(v, 0);
}

TEST(StartObject, MovesAnEarlierResultAndSharesItsSlices) {
  const TemporaryFolder folder;
  const Result earlier = read_result(earlier_result(folder));
  const ObjectFrame frame{9, 9, {}, {0.5, 0.5}};  // the earlier pixel [0,0] is here pixel [1,3]
  for (const int slices : {1, 2, 4, 5}) {
    const ObjectConfig config{
        .slices = slices, .slice_thickness = 10.0 / slices, .start = folder / "earlier.h5"};
    const auto start = start_object(config, frame, frame.box(), 0.5, false);
    for (i64 y = 0; y < 6; ++y)
      for (i64 x = 0; x < 6; ++x) {  // the last column falls off the frame
        float sum = 0;
        for (i64 s = 0; s < slices; ++s) sum += start.phase(s, y + 1, x + 3);
        const float expected = earlier.phase(0, y, x) + earlier.phase(1, y, x);
        EXPECT_NEAR(sum, expected, 1e-6 * expected * slices) << slices << " slices";
      }
    if (slices == 4) {
      EXPECT_FLOAT_EQ(start.phase(1, 1, 3), earlier.phase(0, 0, 0) / 2);
    }
    EXPECT_EQ(start.phase(0, 0, 0), 0);
  }
}

TEST(StartObject, OfAResultWithoutOriginIsPlacedByItsPositions) {
  const TemporaryFolder folder;
  Result earlier = read_result(earlier_result(folder));
  earlier.origin.reset();
  earlier.positions = {{1, 1}, {1, 2}};  // Å, from its own pixel [0,0]
  write_result(folder / "other.h5", earlier, false);
  // The same two in this frame: (3, 4) and (3, 6) px, so the earlier pixel [0,0] is [1, 2] here.
  const ObjectFrame frame{9, 9, {{3, 4}, {3, 6}}, {20, -7}};
  const auto start =
      start_object(object(2, 5, folder / "other.h5"), frame, frame.box(), 0.5, false);
  EXPECT_EQ(start.phase(0, 1, 2), earlier.phase(0, 0, 0));
  EXPECT_EQ(start.phase(1, 6, 8), earlier.phase(1, 5, 6));
}

TEST(StartObject, RefusesAnotherPixelSize) {
  const TemporaryFolder folder;
  const ObjectConfig config = object(2, 5, earlier_result(folder));
  const auto said = message_of<UserError>([&] {
    start_object(config, {9, 9, {}, {}}, {{0, 9}, {0, 9}}, 0.4, false);
  });
  EXPECT_TRUE(says(said, {"object.start", "0.5", "0.4"})) << said;
}

TEST(StartObject, RefusesOneThatLiesElsewhereOrIsNotFinite) {
  const TemporaryFolder folder;
  const ObjectConfig config = object(2, 5, earlier_result(folder));
  const auto start_at = [&](Position origin, const ObjectConfig& from) {
    return message_of<UserError>([&] {
      start_object(from, {9, 9, {}, origin}, {{0, 9}, {0, 9}}, 0.5, false);
    });
  };
  // 6 × 7 pixels from (1, 2) Å on, against 9 × 9: a row or column in common, and none.
  EXPECT_EQ(start_at({3.5, 2}, config), "");
  EXPECT_TRUE(says(start_at({4, 2}, config), {"object.start", "-6 rows"}));
  EXPECT_EQ(start_at({1, -2}, config), "");
  EXPECT_TRUE(says(start_at({1, -2.5}, config), {"object.start", "9 columns"}));
  EXPECT_TRUE(says(start_at({1e12, 2}, config), {"object.start", "beside"}));
  Result spoilt = read_result(config.start);
  spoilt.phase(1, 2, 3) = NAN;
  write_result(folder / "spoilt.h5", spoilt, false);
  EXPECT_TRUE(says(start_at({1, 2}, object(2, 5, folder / "spoilt.h5")), {"not finite"}));
}

TEST(StartObject, RefusesSlicesOfUnknownThickness) {
  const TemporaryFolder folder;
  Result earlier = read_result(earlier_result(folder));
  earlier.slice_thickness = 0;
  write_result(folder / "thin.h5", earlier, false);
  const auto said = message_of<UserError>([&] {
    start_object(object(4, 2.5, folder / "thin.h5"), {9, 9, {}, {}}, {{0, 9}, {0, 9}}, 0.5, false);
  });
  EXPECT_TRUE(says(said, {"object.start", "2 slices", "thick"})) << said;
}

class FlatPatterns final : public PatternStore {
 public:
  i64 count() const override { return 1; }
  std::span<const i64> held() const override { return held_; }
  i64 window() const override { return 24; }
  void load(i64, float* to) const override { std::fill_n(to, 24 * 24, 1.0f); }
  void load(i64, double* to) const override { std::fill_n(to, 24 * 24, 1.0); }
  RawPattern raw(i64) const override { return {}; }
  std::string type() const override { return "uint8"; }
  std::size_t bytes_a_pattern() const override { return 24 * 24; }
  void* take(i64) override { return nullptr; }
  void drop(i64) override {}

 private:
  std::array<i64, 1> held_{0};
};

Experiment experiment() {
  Experiment e;
  e.patterns = std::make_unique<FlatPatterns>();
  e.optics.energy = 200;
  e.optics.semi_angle = 25;
  e.calibration = {0.025079, 0.4, 1 / (24 * 0.4)};
  e.mean_pattern = Array<double, 2>({24, 24});
  for (i64 y = 9; y < 16; ++y)
    for (i64 x = 9; x < 16; ++x) e.mean_pattern(y, x) = 40;
  e.mean_counts = 49 * 40;
  return e;
}

double power(const Array<Complex<double>, 3>& probe) {
  double sum = 0;
  for (const auto& v : probe) sum += std::norm(v);
  return sum;
}

TEST(StartProbe, HasThePowerOfTheData) {
  const Experiment e = experiment();
  for (const char* start : {"optics", "mean"})
    for (const int modes : {1, 3}) {
      Ledger ledger;
      const ProbeConfig config{.start = start, .modes = modes, .mode_power = 0.1};
      const auto probe = start_probe(config, e, &ledger);
      EXPECT_EQ(probe.shape(), (std::array<i64, 3>{modes, 24, 24}));
      EXPECT_EQ(double(ledger.peak()), start_probe_bytes(config, e));
      // A pattern's total is W² Σ|probe|²; one scaling by a square root: rounding only.
      EXPECT_NEAR(24 * 24 * power(probe) / e.mean_counts, 1, 1e-12) << start << modes;
    }
}

TEST(StartProbe, HasTheCountsOfAVacuumWhereTheyAreGiven) {
  const Experiment e = experiment();
  ProbeConfig config;
  config.counts = 1.3 * e.mean_counts;
  EXPECT_NEAR(24 * 24 * power(start_probe(config, e)) / e.mean_counts, 1.3, 1e-12);
  config.counts = 0.98 * e.mean_counts;
  EXPECT_TRUE(
      says(message_of<UserError>([&] { (void)start_probe(config, e); }),
           {"probe.counts: 1920.8 counts", "less than the mean pattern's 1960", "in vacuum"}));
}

/// A beam that has a quarter more counts in vacuum: by ½ log 1.25 = 0.112 more is absorbed. R of
/// 0.003 says that amplitudes are off by √R = 5 % of theirs, which is 0.05 of a pattern's pixel and
/// a fifth of it of the mean of some 25 patterns that see a place. With R from 0.0030 to 0.0027 the
/// fit is no worse.
TEST(StartProbe, OfAVacuumMakesTheObjectAbsorbWhatIsMissing) {
  ReconstructConfig config = testing::memory_scan().config();
  config.solver.iterations = 30;
  config.parts.of<ProbeLimitOptions>().power = ProbePower::fixed;
  const auto absorbed = [](const Result& result) {
    const auto [slices, rows, cols] = result.absorption.shape();
    double sum = 0, pixels = 0;
    for (i64 y = rows / 3; y < rows - rows / 3; ++y)
      for (i64 x = cols / 3; x < cols - cols / 3; ++x, ++pixels)
        for (i64 z = 0; z < slices; ++z) sum += double(result.absorption(z, y, x));
    return sum / pixels;
  };
  const Result vacuum = testing::result_of(config);
  config.probe.counts =
      1.25 * 32 * 32 *
      power_of<double>(converted<Complex<double>, Complex<float>, 3>(vacuum.probe.view()).view());
  const Result more = testing::result_of(config);
  EXPECT_NEAR(absorbed(more) - absorbed(vacuum), 0.5 * std::log(1.25), 0.01);
  EXPECT_LE(more.history.r_factor.back(), vacuum.history.r_factor.back());
}

TEST(StartProbe, FurtherModesHaveAQuarterOfThePowerTogetherOrAsMuchAsIsSaid) {
  const Experiment e = experiment();
  const auto further = [&](double mode_power) {
    const auto probe = start_probe({.start = "optics", .modes = 4, .mode_power = mode_power}, e);
    return 1 - shares_of_power<double>(probe)[0];
  };
  EXPECT_NEAR(further(0), 0.25, 1e-12);  // rounding only
  EXPECT_NEAR(further(0.02), 0.06, 1e-12);
}

TEST(StartProbe, OfABeamThatIsNotCoherentHasItsModes) {
  Experiment e = experiment();
  e.optics.defocus = 80;
  e.optics.source_size = 0.3;
  for (const char* start : {"optics", "mean"}) {
    std::vector<std::string> log;
    Ledger ledger;
    const auto probe = start_probe({.start = start, .modes = 3}, e, &ledger,
                                   [&](const std::string& line) { log.push_back(line); });
    EXPECT_NEAR(24 * 24 * power(probe) / e.mean_counts, 1, 1e-9);  // rounding
    ASSERT_EQ(log.size(), 1U);
    EXPECT_TRUE(says(log[0], {"a source of 0.3 Å", "% of the power:", "in weaker ones"})) << log[0];
    EXPECT_GE(ledger.peak(), 2U * 3 * 16 * 49);  // twice the modes, over the pixels of the mean
    EXPECT_EQ(double(ledger.peak()), start_probe_bytes({.start = start, .modes = 3}, e));
    EXPECT_EQ(ledger.now(), 16U * 3 * 24 * 24);  // the modes themselves
    // Wider, it leaves less for the first mode; a spread of the focus has modes of its own.
    const auto first = [&](double source, double spread) {
      Experiment other = experiment();
      other.optics = e.optics;
      other.optics.source_size = source, other.optics.focal_spread = spread;
      return shares_of_power<double>(start_probe({.start = start, .modes = 3}, other))[0];
    };
    EXPECT_LT(first(0.5, 0), first(0.3, 0) - 0.05);
    EXPECT_GT(std::abs(first(0.3, 100) - first(0.3, 0)), 1e-3);
  }
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "modes.h5");
  Array<Complex<double>, 3> two({2, 24, 24});
  two.fill(1);
  file.write("/probe", two.view());
  file.commit();
  const auto said = message_of<UserError>(
      [&] { start_probe({.start = folder / "modes.h5:/probe", .modes = 3}, e); });
  EXPECT_TRUE(says(said, {"probe.start", "2 modes", "optics.source_size"})) << said;
}

TEST(StartProbe, HasTheCountsThatMaskedPixelsLeave) {
  Experiment e = experiment();
  const auto whole = start_probe({.start = "optics"}, e);
  // 25 mrad are 9.6 pixels: half of the disc, but for the row through its middle, is masked.
  e.valid = Array<float, 2>({24, 24});
  e.valid.fill(1);
  for (i64 y = 1; y < 12; ++y) std::fill_n(&e.valid(y, 0), 24, 0.0F);
  const auto half = start_probe({.start = "optics"}, e);
  Array<Complex<double>, 2> wave({24, 24});
  Fft2<double>(24, 24, FftRigor::estimate).forward(half.data(), wave.data());
  double seen = 0;
  for (i64 i = 0; i < wave.size(); ++i) seen += e.valid.data()[i] * std::norm(wave.data()[i]);
  EXPECT_NEAR(seen / e.mean_counts, 1, 1e-12);  // rounding only
  EXPECT_GT(power(half), 1.5 * power(whole));
  // With no more than a corner of the dark field nothing is known: as without a mask.
  e.valid.fill(0);
  e.valid(12, 12) = 1;
  EXPECT_NEAR(power(start_probe({.start = "optics"}, e)) / power(whole), 1, 1e-12);
}

TEST(StartProbe, OfTheMeanPatternHasItsAmplitude) {
  const Experiment e = experiment();
  const auto probe = start_probe({.start = "mean"}, e);
  OperatorSetup setup;
  setup.window = 24;
  auto op = make_cpu_operator<double>(setup, 1);
  Array<double, 3> vacuum({1, 24, 24});
  op->set_object({vacuum.view(), {}});
  op->set_probe(probe.view());
  Array<Complex<double>, 3> wave({1, 24, 24});
  op->forward({0, 0, 0, 0}, wave);
  for (i64 y = 0; y < 24; ++y)
    for (i64 x = 0; x < 24; ++x)
      EXPECT_NEAR(std::norm(wave(0, to_corner(y, 24), to_corner(x, 24))), e.mean_pattern(y, x),
                  1e-10);  // counts of 40, two transforms
}

// Where the zero frequency lies off the window's middle, so do the aperture, and the middle of the
// aberrations behind the mean pattern's amplitude.
TEST(StartProbe, StandsWhereTheZeroFrequencyLies) {
  Experiment e = experiment();
  e.optics.defocus = 300;
  const auto spectrum_of = [&](const char* start, std::array<double, 2> centre) {
    e.residual_shift = centre;
    const auto probe = start_probe({.start = start}, e);
    auto k = cornered<Complex<double>>(probe.view()[0]);
    Fft2<double>(24, 24, FftRigor::estimate).forward(k.data());
    return centred<Complex<double>>(k.view());
  };
  const auto middle = spectrum_of("optics", {}), moved = spectrum_of("optics", {1, -2});
  for (i64 y = 1; y < 24; ++y)
    for (i64 x = 0; x < 22; ++x)
      EXPECT_NEAR(std::abs(moved(y, x) - middle(y - 1, x + 2)), 0, 1e-9);  // of 6, rounding
  // The flat mean pattern stays where it is; inside it the phase moves.
  const auto mean = spectrum_of("mean", {}), other = spectrum_of("mean", {1, -2});
  for (i64 y = 10; y < 16; ++y)
    for (i64 x = 9; x < 14; ++x) EXPECT_NEAR(std::abs(other(y, x) - mean(y - 1, x + 2)), 0, 1e-9);
}

// MATLAB's array (y, x, mode) lies as (mode, x, y) in its file, behind 512 bytes that name MATLAB.
TEST(StartProbe, OfMatlabIsRightWayUp) {
  const TemporaryFolder folder;
  std::vector<std::complex<double>> values(2 * 24 * 24);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = {double(i), double(i % 7)};
  {
    h5::File file = h5::File::create(folder / "plain.h5");
    file.write("/probe", {1, 2, 24, 24}, values.data());
    file.commit();
  }
  std::ifstream plain(folder / "plain.h5", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(plain)), {});
  std::string block = "MATLAB 7.3 MAT-file";
  block.resize(512, ' ');
  folder.write_text("probe.mat", block + bytes);
  const auto probe = [&](const char* file) {
    return start_probe({.start = folder / file + ":/probe", .modes = 2}, experiment());
  };
  const auto a = probe("plain.h5"), b = probe("probe.mat");
  for (i64 m = 0; m < 2; ++m)
    for (i64 y = 0; y < 24; ++y)
      for (i64 x = 0; x < 24; ++x) EXPECT_EQ(a(m, y, x), b(m, x, y));
}

TEST(StartProbe, OfAnEarlierResultOfAnotherWindowIsRefused) {
  const TemporaryFolder folder;
  const std::string file = earlier_result(folder);
  const auto said = message_of<UserError>([&] { start_probe({.start = file}, experiment()); });
  EXPECT_TRUE(says(said, {"probe.start", "4 x 4", "24 x 24"})) << said;
}

}  // namespace
}  // namespace ptyle
