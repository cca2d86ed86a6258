#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "io/temporary_folder.hpp"
#include "simulate/in_memory.hpp"
#include "simulate/simulate.hpp"
#include "simulate/small_recipe.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

bool exists(const std::string& path) { return std::filesystem::exists(path); }

void expect_equal_sets(const std::string& a, const std::string& b) {
  const auto first = h5::File::open(a), second = h5::File::open(b);
  ASSERT_EQ(first.datasets().size(), second.datasets().size());
  for (const auto& set : first.datasets()) {
    EXPECT_EQ(second.info(set.path).type, set.type);
    if (set.type.kind == h5::Kind::complex)
      EXPECT_EQ(first.read<Complex<float>>(set.path), second.read<Complex<float>>(set.path));
    else
      EXPECT_EQ(first.read<double>(set.path), second.read<double>(set.path)) << set.path;
  }
}

TEST(Set, HoldsWhatIsPromised) {
  const TemporaryFolder folder;
  Recipe r = small_recipe();
  r.output = folder / "set.h5";
  const SimulateReport report = simulate(r, {}, {});
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.file, r.output);
  EXPECT_EQ(report.made, 12);
  EXPECT_EQ(report.left, 0);
  EXPECT_FALSE(exists(r.output + ".part"));
  const Plan plan = make_plan(r);
  const auto f = h5::File::open(r.output);
  EXPECT_EQ(f.info("/patterns").shape, (h5::Shape{12, 48, 48}));
  EXPECT_EQ(f.info("/patterns").chunk, (h5::Shape{1, 48, 48}));
  EXPECT_EQ(f.info("/patterns").type, h5::type_of<std::uint16_t>());
  EXPECT_EQ(f.info("/object/phase").shape, (h5::Shape{plan.slices, plan.ny, plan.nx}));
  EXPECT_EQ(f.info("/probe").shape, (h5::Shape{1, 48, 48}));
  EXPECT_EQ(f.info("/positions").shape, (h5::Shape{12, 2}));
  EXPECT_EQ(f.info("/atoms/positions").shape[0], f.info("/atoms/numbers").shape[0]);
  EXPECT_EQ(f.text("/positions", "units"), "A");
  EXPECT_EQ(f.number("/", "pixel_size"), 0.15);
  EXPECT_EQ(f.number("/", "dose_e_per_A2"), 1e5);
  EXPECT_EQ(f.number("/", "defocus_A"), 60);
  EXPECT_NEAR(f.number("/", "dk_inv_A").value(), 1 / (48 * 0.15), 1e-12);
  EXPECT_NEAR(f.number("/", "band_limit").value(), 2.0 / 3, 1e-12);
  EXPECT_EQ(f.text("/", "recipe"), describe(r));
}

TEST(Set, PiecesEqualTheWholeBitwise) {
  const TemporaryFolder folder;
  for (const bool noise : {true, false}) {
    Recipe whole = small_recipe(), pieces = whole;
    whole.dose.noise = pieces.dose.noise = noise;
    whole.output = folder / (noise ? "whole.h5" : "whole-expected.h5");
    pieces.output = folder / (noise ? "pieces.h5" : "pieces-expected.h5");
    pieces.threads = 1;
    simulate(whole, {}, {});
    EXPECT_EQ(simulate(pieces, {{5, 9}}, {}).left, 8);
    EXPECT_TRUE(exists(pieces.output + ".part"));
    EXPECT_FALSE(exists(pieces.output));
    EXPECT_EQ(simulate(pieces, {{7, 12}}, {}).made, 3);
    EXPECT_TRUE(simulate(pieces, {{0, 5}}, {}).complete);
    EXPECT_FALSE(exists(pieces.output + ".part"));
    expect_equal_sets(whole.output, pieces.output);
  }
}

/// All that a microscope has and does not tell.
Recipe real_recipe() {
  Recipe r = small_recipe();
  r.specimen.structure = BuiltIn::SrTiO3;
  r.specimen.regions = {"at=(0 0 2) direction=30 inclination=10 turn=3"};
  r.specimen.substitutions = {"Sr=Ba share=0.5 at=(0 0) radius=5"};
  r.specimen.tilt_row = 2;
  r.thermal = {Motion::frozen_phonons, {"Sr=0.6", "Ti=0.4", "O=0.7", "Ba=0.6"}, {}, 2};
  r.optics.source_size = 0.2, r.optics.focal_spread = 20;
  r.scan.turn = 1, r.scan.scale = 1.01, r.scan.drift = {0.1, -0.2}, r.scan.line_jitter = 0.03;
  r.detector.blur = 0.4, r.detector.gain = 8, r.detector.offset = 40, r.detector.readout_noise = 3;
  r.detector.dead_pixels = 0.01;
  r.detector.background = 0.7, r.detector.gain_spread = 0.05;
  r.detector.descan_row = {0.1, 0}, r.detector.descan_col = {0, -0.05};
  return r;
}

TEST(Set, HoldsWhatAMicroscopeDoesNotTell) {
  const TemporaryFolder folder;
  Recipe r = real_recipe();
  r.output = folder / "set.h5";
  simulate(r, {}, {});
  const Plan plan = make_plan(r);
  const auto f = h5::File::open(r.output);
  EXPECT_EQ(f.info("/patterns").type, h5::type_of<float>());
  const auto pairs = [&](const char* name, const std::vector<Position>& expected) {
    const auto found = f.read<double>(name);
    ASSERT_EQ(found.size(), 2 * expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found[2 * i], expected[i].row);
      EXPECT_EQ(found[2 * i + 1], expected[i].col);
    }
  };
  pairs("/positions", plan.reported);
  pairs("/truth/positions", plan.positions);
  pairs("/truth/descan", plan.descan);
  EXPECT_EQ(f.info("/truth/mask").shape, (h5::Shape{48, 48}));
  const auto mask = f.read<std::uint8_t>("/truth/mask");
  EXPECT_TRUE(std::equal(mask.begin(), mask.end(), plan.dead.begin()));
  EXPECT_EQ(f.number("/truth", "source_size_A"), 0.2);
  EXPECT_EQ(f.number("/truth", "focal_spread_A"), 20);
  const auto gains = f.read<double>("/truth/gain");
  EXPECT_EQ(f.info("/truth/gain").shape, (h5::Shape{48, 48}));
  EXPECT_TRUE(std::equal(gains.begin(), gains.end(), plan.gains.begin()));
  EXPECT_EQ(f.number("/truth", "background"), 0.7);
  EXPECT_EQ(f.number("/truth", "gain"), 8);
  EXPECT_EQ(f.number("/truth", "offset"), 40);
  EXPECT_EQ(f.number("/truth", "readout_noise"), 3);
  EXPECT_EQ(f.number("/truth", "blur_px"), 0.4);
  EXPECT_EQ(f.numbers("/truth", "tilt_mrad"), (std::vector<double>{2, 0}));
  EXPECT_EQ(f.numbers("/truth", "drift_A"), (std::vector<double>{0.1, -0.2}));
  const auto affine = scan_affine(r.scan);
  EXPECT_EQ(f.numbers("/truth", "scan_affine"), std::vector<double>(affine.begin(), affine.end()));
  EXPECT_EQ(f.number("/", "scan_rotation_deg"), 20);  // the nominal one
  // A truth's positions are the true ones where it is compared with.
  EXPECT_EQ(read_result(r.output).positions[3].row, plan.positions[3].row);
  const auto numbers = f.read<int>("/atoms/numbers");
  EXPECT_GT(std::count(numbers.begin(), numbers.end(), 56), 0);
}

TEST(Set, WithoutAnyOfItThereIsNoTruthApart) {
  const TemporaryFolder folder;
  Recipe r = small_recipe();
  r.output = folder / "set.h5";
  simulate(r, {{0, 1}}, {});
  EXPECT_FALSE(h5::File::open(r.output + ".part").has("/truth"));
}

TEST(Set, AMicroscopesSetIsTheSameInPiecesAndByOneThread) {
  const TemporaryFolder folder;
  Recipe whole = real_recipe(), pieces = whole;
  whole.output = folder / "whole.h5", pieces.output = folder / "pieces.h5";
  whole.threads = 3, pieces.threads = 1;
  simulate(whole, {}, {});
  EXPECT_EQ(simulate(pieces, {{5, 9}}, {}).left, 8);
  EXPECT_TRUE(simulate(pieces, {}, {}).complete);
  expect_equal_sets(whole.output, pieces.output);
}

TEST(Set, AStoppedRunIsResumed) {
  const TemporaryFolder folder;
  Recipe whole = small_recipe(), stopped = whole;
  whole.output = folder / "whole.h5";
  stopped.output = folder / "stopped.h5";
  stopped.threads = 1;
  simulate(whole, {}, {});
  // Stopped in the object, then before the patterns.
  int asked = 0;
  SimulateCallbacks callbacks;
  callbacks.stop = [&] { return ++asked > 1; };
  EXPECT_EQ(simulate(stopped, {}, callbacks).made, 0);
  asked = -1;
  EXPECT_EQ(simulate(stopped, {}, callbacks).made, 0);
  std::vector<std::string> stages;
  callbacks.stop = {};
  callbacks.progress = [&](const SimulateProgress& p) {
    stages.push_back(p.stage);
    EXPECT_LE(p.done, p.total);
  };
  EXPECT_TRUE(simulate(stopped, {}, callbacks).complete);
  EXPECT_EQ(stages, std::vector<std::string>{"patterns"});  // the object was there
  expect_equal_sets(whole.output, stopped.output);
}

TEST(Set, AnotherRecipeIsRefused) {
  const TemporaryFolder folder;
  Recipe r = small_recipe();
  r.output = folder / "set.h5";
  simulate(r, {{0, 3}}, {});
  Recipe other = r;
  other.optics.defocus = 61;
  const auto run = [&] { simulate(other, {{3, 6}}, {}); };
  EXPECT_TRUE(says(message_of<UserError>(run), {"set.h5.part", "another recipe"}));
  simulate(r, {}, {});
  EXPECT_TRUE(says(message_of<UserError>(run), {"set.h5", "another recipe"}));
  EXPECT_EQ(simulate(r, {}, {}).made, 0);  // already there
  other.overwrite = true;
  EXPECT_TRUE(simulate(other, {}, {}).complete);
  EXPECT_EQ(h5::File::open(r.output).number("/", "defocus_A"), 61);
}

TEST(Set, BadRangesAndFilesAreRefused) {
  const TemporaryFolder folder;
  Recipe r = small_recipe();
  EXPECT_TRUE(says(message_of<UserError>([&] { simulate(r, {}, {}); }), {"output"}));
  r.output = folder / "set.h5";
  for (const auto& [a, b] : {std::pair<i64, i64>{-1, 3}, {5, 5}, {4, 13}, {6, 2}})
    EXPECT_TRUE(says(message_of<UserError>([&] { simulate(r, {{a, b}}, {}); }), {"0:12"}));
  folder.write_text("set.h5.part", "not HDF5");
  EXPECT_TRUE(says(message_of<UserError>([&] { simulate(r, {}, {}); }), {"set.h5.part", "remove"}));
  r.output = folder / "no-such-folder/set.h5";
  EXPECT_FALSE(message_of<UserError>([&] { simulate(r, {}, {}); }).empty());
}

TEST(Set, InMemoryIsTheSame) {
  const TemporaryFolder folder;
  Recipe r = small_recipe();
  r.output = folder / "set.h5";
  r.dose.noise = false;
  r.thermal = {Motion::frozen_phonons, {"Pb=0.9", "O=0.7"}, {"Ti=0.08"}, 3};
  simulate(r, {}, {});
  const MemorySet set = simulate_in_memory(r);
  const auto f = h5::File::open(r.output);
  EXPECT_EQ(f.info("/object/configurations").shape[0], 3);
  // Rounding of floats: 1e-7 of the largest value, a few operations deep.
  const auto near = [](const std::vector<float>& a, View<const float, 3> b) {
    ASSERT_EQ(static_cast<i64>(a.size()), b.size());
    const float largest = *std::max_element(a.begin(), a.end());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b.data[i], 1e-5 * largest);
  };
  near(f.read<float>("/patterns"), set.patterns.view());
  near(f.read<float>("/object/phase"), set.phase.view());
}

}  // namespace
}  // namespace ptyle
