// A phase object that the test makes, seen through the whole of `inspect`.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"
#include "device/cpu/fft.hpp"
#include "io/hdf5.hpp"
#include "io/result.hpp"
#include "io/temporary_folder.hpp"
#include "operator/probe.hpp"
#include "physics/electron.hpp"
#include "session/found_config.hpp"
#include "session/inspect.hpp"
#include "session/inspect_result.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct_keys.hpp"
#include "simulate/simulate.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

constexpr i64 window = 64, lines = 14;
constexpr double pixel = 1.0, step = 4.0, energy = 300, semi_angle = 3, defocus = 3000;
constexpr i64 object_side = window + static_cast<i64>(step) * lines;

/// Round peaks of phase at irregular places.
std::vector<double> phase_object() {
  std::vector<double> phase(object_side * object_side);
  for (i64 y = 0; y < object_side; ++y)
    for (i64 x = 0; x < object_side; ++x)
      for (int k = 0; k < 12; ++k) {
        const double row = 30 + 57 * std::abs(std::sin(1.7 * k + 0.3)),
                     col = 30 + 57 * std::abs(std::cos(2.9 * k + 1.1));
        const double r = std::hypot(double(y) - row, double(x) - col);
        phase[y * object_side + x] += 0.5 * std::exp(-r * r / 18);
      }
  return phase;
}

/// Patterns of a raster, scaled to counts; rows, columns turned upside down where asked for.
std::string simulated(const std::string& path, bool flip_rows,
                      const std::function<void(std::vector<std::uint16_t>&)>& spoil = {}) {
  const double wavelength = electron_wavelength(energy);
  Aberrations aberrations;
  aberrations.C10 = -defocus;
  const auto probe = form_probe({wavelength, semi_angle * mrad, aberrations}, window, pixel);
  const auto phase = phase_object();
  const Fft2<double> fft(window, window, FftRigor::estimate);
  std::vector<std::uint16_t> patterns(lines * lines * window * window);
  std::vector<double> positions;
  Array<Complex<double>, 2> wave({window, window});
  for (i64 n = 0; n < lines * lines; ++n) {
    const i64 row = static_cast<i64>(step) * (n / lines),
              col = static_cast<i64>(step) * (n % lines);
    for (i64 y = 0; y < window; ++y)
      for (i64 x = 0; x < window; ++x)
        wave(y, x) = probe(y, x) * std::polar(1.0, phase[(row + y) * object_side + col + x]);
    fft.forward(wave.data());
    for (i64 y = 0; y < window; ++y)
      for (i64 x = 0; x < window; ++x) {
        const i64 to = flip_rows ? window - 1 - to_centred(y, window) : to_centred(y, window);
        const double counts = 1e6 * std::norm(wave(y, x)) / double(window * window);
        patterns[(n * window + to) * window + to_centred(x, window)] = std::uint16_t(counts + 0.5);
      }
    positions.push_back(step * double(n / lines));
    positions.push_back(step * double(n % lines));
  }
  if (spoil) spoil(patterns);
  h5::File file = h5::File::create(path);
  file.write("/patterns", {lines * lines, window, window}, patterns.data());
  file.write("/positions", {lines * lines, 2}, positions.data());
  file.set("/", "energy_kV", energy);
  file.set("/", "semi_angle_mrad", semi_angle);
  file.set("/", "defocus_A", defocus);
  file.set("/", "pixel_size", pixel);
  file.commit();
  return path;
}

struct Inspected {
  Inspection found;
  std::string text;
};

Inspected look(const std::string& file, const std::string& folder = "",
               const std::function<void(InspectConfig&)>& change = {}) {
  InspectConfig config;
  config.data.file = file;
  config.folder = folder;
  if (change) change(config);
  Inspected i;
  i.found = inspect(config, [&](const std::string& line) { i.text += line + "\n"; });
  return i;
}

TEST(Inspect, FindsWhatASimulatedSetIsMadeOf) {
  const TemporaryFolder folder;
  const auto [found, text] = look(simulated(folder / "a.h5", false), folder / "pictures");
  EXPECT_TRUE(
      says(text, {"/patterns: 196 x 64 x 64, uint16", "/positions: 196 x 2, float64",
                  "energy_kV = 300", "bright-field disc", "overlap", "dose", "best guess"}));
  // Rounding to counts leaves at most half a count a pixel.
  EXPECT_NEAR(found.pattern_mean, 1e6, 0.5 * window * window);
  EXPECT_NEAR(found.step, step, 1e-12);
  const double radius =
      defocus * semi_angle * mrad + 0.61 * electron_wavelength(energy) / (semi_angle * mrad);
  EXPECT_NEAR(found.probe_radius, radius, 1e-9);
  const double x = step / (2 * radius);
  EXPECT_NEAR(found.overlap, 2 / pi * (std::acos(x) - x * std::sqrt(1 - x * x)), 1e-12);
  EXPECT_NEAR(found.dose, found.pattern_mean / 16, 1e-9);
  EXPECT_EQ(found.dead + found.hot + found.saturated, 0);
  for (const char* name : {"mean_pattern.png", "scan.png", "dark_field.png", "orientation.png"})
    EXPECT_TRUE(std::filesystem::exists(folder / ("pictures/" + std::string(name)))) << name;
}

/// The file with these texts as attributes: of which object, by which name, the text.
std::string with_texts(const std::string& path,
                       const std::vector<std::array<std::string, 3>>& texts) {
  h5::File file = h5::File::update(path);
  for (const auto& [object, name, text] : texts) file.set(object, name.c_str(), text);
  return path;
}

TEST(Inspect, WritesTextsOutThatATerminalWouldObey) {
  const TemporaryFolder folder;
  const std::string text =
      look(with_texts(simulated(folder / "a.h5", false), {{"/", "note", "a\nwarning: \x1b[31mred"},
                                                          {"/patterns", "unit", "\x9b"},
                                                          {"/", "defocus_A", "\x1b[2J"}}))
          .text;
  EXPECT_TRUE(
      says(text, {"  note = a\n    warning: \\x1b[31mred\n", "unit = \\x9b\n",
                  "warning: the attribute 'defocus_A'", "is \"\\x1b[2J\" and is not taken"}));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x9b'), std::string::npos);
}

TEST(Inspect, ShowsTheFirstLinesOfALongText) {
  const TemporaryFolder folder;
  const std::string text = look(with_texts(simulated(folder / "a.h5", false),
                                           {{"/", "seven", "1\n2\n3\n4\n5\n6\n7\n"},
                                            {"/", "eight", "1\n2\n3\n4\n5\n6\n7\n8"}}))
                               .text;
  const std::string six = "1\n    2\n    3\n    4\n    5\n    6\n    ";
  EXPECT_TRUE(says(text, {"  seven = " + six + "7\n", "  eight = " + six + "… 2 more lines\n"}));
}

TEST(Inspect, CallsTheOrientationRightWhereItIs) {
  const TemporaryFolder folder;
  const auto [found, text] = look(simulated(folder / "a.h5", false));
  EXPECT_TRUE(found.orientation.clear);
  EXPECT_EQ(found.orientation.flips.name(), "none");
  // The probe is as wide as a third of the scan, which ends amid peaks: a few degrees.
  EXPECT_NEAR(found.orientation.rotation, 0, 4);
  EXPECT_TRUE(found.orientation.sign_settled);
  EXPECT_TRUE(says(text, {"180° ambiguity resolved: the shadow image moves"}));
}

TEST(Inspect, FindsAFlipAndAMissingRotation) {
  const TemporaryFolder folder;
  const std::string file = simulated(folder / "a.h5", true);
  const Inspected flipped = look(file);
  EXPECT_EQ(flipped.found.orientation.flips.name(), "flip_rows");
  EXPECT_TRUE(says(flipped.text, {"warning: orientation looks wrong: adding flips flip_rows",
                                  "lowers the curl from"}));
  const Inspected by_180 = look(file, "", [](InspectConfig& c) { c.data.flip_cols = true; });
  EXPECT_TRUE(says(by_180.text, {"warning: orientation looks wrong: from position to position",
                                 "with data.flip_rows=true data.flip_cols=false"}));
  const Inspected rotated = look(file, "", [](InspectConfig& c) {
    c.data.flip_rows = true;
    c.data.scan_shape = {lines, lines};
    c.scan.step = {step, step};
    c.scan.rotation = 50;  // where it is 0
  });
  EXPECT_EQ(rotated.found.orientation.flips.name(), "none");
  EXPECT_NEAR(rotated.found.orientation.rotation, -50, 4);
  EXPECT_TRUE(
      says(rotated.text, {"warning: orientation looks wrong: adding flips none, scan rotation -"}));
}

TEST(Inspect, DoesNotCallOrientationWrongWhereStepsAreTooWideToTell) {
  const TemporaryFolder folder;
  // Steps of 1 Å over columns 0.5 Å wide: there is curl in any orientation, least some degrees off.
  Recipe recipe;
  recipe.specimen.thickness = 60;
  recipe.specimen.slice_thickness = 4;
  recipe.optics = {.energy = 200, .semi_angle = 25, .defocus = 80};
  recipe.detector = {.window = 48, .pixel_size = 0.25};
  recipe.scan = {.shape = {24, 24}, .step = {1, 1}, .rotation = 35};
  recipe.output = folder / "a.h5";
  simulate(recipe, {}, {});
  const auto [found, text] = look(folder / "a.h5");
  EXPECT_GT(std::abs(found.orientation.rotation), 5) << "this set would warn of nothing anyway";
  EXPECT_EQ(text.find("looks wrong"), std::string::npos) << text;
}

TEST(Inspect, FindsDeadHotAndSaturatedPixels) {
  const TemporaryFolder folder;
  const auto spoil = [](std::vector<std::uint16_t>& patterns) {
    for (i64 n = 0; n < lines * lines; ++n) {
      std::uint16_t* p = &patterns[n * window * window];
      for (i64 k = 0; k < window * window; ++k) p[k] = std::min<std::uint16_t>(p[k], 3000);
      p[30 * window + 33] = 0;   // dead, in the disc
      p[5 * window + 7] = 2000;  // hot, in the dark
    }
  };
  const auto [found, text] = look(simulated(folder / "a.h5", false, spoil));
  EXPECT_EQ(found.dead, 1);
  EXPECT_EQ(found.hot, 1);
  EXPECT_GT(found.saturated, 0);
  EXPECT_EQ(found.largest, 3000);
  EXPECT_TRUE(says(text, {"cut off at 3000", "1 dead: (30, 33)", "1 hot: (5, 7)"}));
}

TEST(Inspect, FindsTheDiscThatMovesOverTheScan) {
  const TemporaryFolder folder;
  const auto spoil = [](std::vector<std::uint16_t>& patterns) {
    for (i64 n = lines / 2 * lines; n < lines * lines; ++n)  // the lower half, by a column
      for (i64 y = 0; y < window; ++y) {
        std::uint16_t* const row = &patterns[(n * window + y) * window];
        std::rotate(row, row + window - 1, row + window);
      }
  };
  const auto [found, text] = look(simulated(folder / "a.h5", false, spoil));
  ASSERT_TRUE(found.descan.along_rows);
  // Each half's disc to 0.05 px (test_calibration), and what the specimen takes from it.
  EXPECT_NEAR(found.descan.along_rows->col, 1, 0.2);
  EXPECT_NEAR(found.descan.along_rows->row, 0, 0.2);
  EXPECT_FALSE(found.descan.along_cols);
  EXPECT_TRUE(says(text, {"px elsewhere in the lower half of the scan", "descan"}));
  const Descan none = look(simulated(folder / "b.h5", false)).found.descan;
  EXPECT_FALSE(none.along_rows || none.along_cols);
}

TEST(Inspect, GoesOnWithoutCalibrationAndPositionsAndWarns) {
  const TemporaryFolder folder;
  const std::string path = folder / "bare.h5";
  {
    h5::File file = h5::File::create(path);
    const std::vector<std::uint8_t> patterns(6 * 10 * 12, 3);
    file.write("/frames", {2, 3, 10, 12}, patterns.data());
    file.commit();
  }
  const auto [found, text] = look(path, folder / "pictures");
  EXPECT_EQ(found.smallest, 3);
  EXPECT_EQ(found.pattern_mean, 360);
  EXPECT_TRUE(says(text, {"/frames: 2 x 3 x 10 x 12", "warning: no positions are given",
                          "10 x 12 px are padded", "orientation:"}));
  const Inspected calibrated = look(path, "", [](InspectConfig& c) { c.optics.energy = 300; });
  EXPECT_TRUE(says(calibrated.text, {"warning: no calibration is given"}));
}

TEST(Inspect, SaysWhatAReconstructionIsRefusedFor) {
  const TemporaryFolder folder;
  const auto with = [&](std::vector<double> values, std::vector<i64> shape, const char* unit = "") {
    const std::string path = folder / "a.h5";
    std::filesystem::remove(path);
    simulated(path, false);
    h5::File file = h5::File::update(path);
    file.write("/others", std::move(shape), values.data());
    file.set("/others", "units", unit);
    return look(path, "", [](InspectConfig& c) { c.scan.positions = "/others"; });
  };
  const i64 n = lines * lines;
  const std::vector<double> none(static_cast<std::size_t>(2 * n), std::nan(""));
  for (const auto& [looked, said] :
       {std::pair{with(none, {n, 2}), "no finite numbers"},
        std::pair{with(std::vector<double>(20), {10, 2}), "has 10 positions"},
        std::pair{with(std::vector<double>(static_cast<std::size_t>(n)), {n}), "(N, 2)"},
        std::pair{with(none, {n, 2}, "furlong"), "no finite numbers"}}) {
    ASSERT_EQ(looked.found.refusals.size(), 1U) << said;
    EXPECT_TRUE(says(looked.found.refusals[0], {said}));
    EXPECT_TRUE(says(looked.text, {"warning: a reconstruction is refused, as", said}));
    EXPECT_GT(looked.found.pattern_mean, 0);  // the rest is said all the same
  }
  EXPECT_TRUE(look(simulated(folder / "b.h5", false)).found.refusals.empty());
}

TEST(Inspect, SaysThatAxesInAnotherOrderAreRefused) {
  const TemporaryFolder folder;
  const std::string path = simulated(folder / "a.h5", false);
  const auto values = h5::File::open(path).read<std::uint16_t>("/patterns");
  constexpr i64 n = lines * lines, pixels = window * window;
  std::vector<std::uint16_t> turned(values.size());
  for (i64 i = 0; i < n; ++i)
    for (i64 k = 0; k < pixels; ++k) turned[k * n + i] = values[i * pixels + k];
  {
    h5::File file = h5::File::update(path);
    file.write("/turned", {window, window, lines, lines}, turned.data());
  }
  const auto looked = look(path, "", [](InspectConfig& c) {
    c.data.patterns = "/turned";
    c.scan.step = {step, step};
  });
  ASSERT_FALSE(looked.found.refusals.empty());
  EXPECT_TRUE(says(looked.found.refusals[0], {"data.axes=[ky, kx, y, x]"}));
  EXPECT_TRUE(says(looked.text, {"warning: a reconstruction is refused, as the axes"}));
}

TEST(Inspect, SaysWhatAFarPartOfTheScanCosts) {
  const TemporaryFolder folder;
  const std::string path = simulated(folder / "a.h5", false);
  const auto with_line_at = [&](double far) {
    h5::File file = h5::File::update(path);
    auto positions = file.read<double>("/positions");
    for (std::size_t i = 14; i < 28; ++i) positions[2 * i] += far;  // the second line
    const std::string name = "/far" + std::to_string(int(far));
    file.write(name, {lines * lines, 2}, positions.data());
    return name;
  };
  const std::string far = with_line_at(40000), near = with_line_at(100);
  const auto text_of = [&](const std::string& name) {
    return look(path, "", [&](InspectConfig& c) { c.scan.positions = name; }).text;
  };
  // 40000 Å and some windows of 64, by 64 + 52 px of 4 bytes.
  EXPECT_TRUE(says(text_of(far), {"14 of the 196 positions", "numbers 14-27", "19 MB a slice",
                                  "116 px", "data.skip=[14-27]"}));
  EXPECT_EQ(text_of(near).find("lie far"), std::string::npos);
}

TEST(Inspect, LooksAtAPartOfWhatIsTooLarge) {
  const TemporaryFolder folder;
  const auto [found, text] = look(simulated(folder / "a.h5", false), "", [](InspectConfig& c) {
    c.most_memory_GB = 70 * 2.0 * window * window / 1e9;  // 70 of 196 patterns
  });
  EXPECT_TRUE(says(text, {"looking at patterns 63 to 132 of 196"}));
}

TEST(Inspect, SaysThatAnObjectIsDamaged) {
  const testing::TemporaryFolder folder;
  Result result = testing::result_of(testing::memory_scan().config());
  write_result(folder / "whole.h5", result, false);
  result.phase.data()[7] = std::numeric_limits<float>::quiet_NaN();
  write_result(folder / "damaged.h5", result, false);
  const auto said = [&](const char* name) {
    return fmt::format("{}", fmt::join(describe_result(folder / name), "\n"));
  };
  EXPECT_FALSE(testing::says(said("whole.h5"), {"damaged"}));
  EXPECT_TRUE(testing::says(said("damaged.h5"),
                            {"the object is damaged: 1 voxel not finite, the first in slice 0 at "
                             "[0, 7]"}));
}

TEST(Inspect, RefusesAFileWithoutPatterns) {
  const TemporaryFolder folder;
  const std::string text = folder.write_text("a.h5", "no");
  EXPECT_TRUE(says(message_of<UserError>([&] { look(text); }), {"not an HDF5 file"}));
}

TEST(Inspect, PatternsInMemoryAreLookedAtAsAFileIs) {
  const TemporaryFolder folder;
  const std::string file = simulated(folder / "a.h5", false);
  const auto of_file = look(file).found;
  const h5::File open = h5::File::open(file);
  const auto counts = open.dataset("/patterns").read<std::uint16_t>();
  const auto numbers = open.dataset("/positions").read<double>();
  PatternsInMemory patterns{
      View<const std::uint16_t, 3>{counts.data(), {lines * lines, window, window}}};
  for (std::size_t i = 0; i < numbers.size(); i += 2)
    patterns.positions.push_back({numbers[i], numbers[i + 1]});
  const auto [found, text] = look("", "", [&](InspectConfig& config) {
    config.patterns = &patterns;
    config.calibration.pixel_size = pixel;
    config.optics.energy = energy;
    config.optics.semi_angle = semi_angle;
    config.optics.defocus = defocus;
  });
  EXPECT_TRUE(says(text, {"patterns in memory: 196 of 64 x 64 px, integers, 2 bytes a value"}));
  EXPECT_EQ(found.pattern_mean, of_file.pattern_mean);
  EXPECT_EQ(found.dose, of_file.dose);
  EXPECT_EQ(found.overlap, of_file.overlap);
  EXPECT_EQ(found.orientation.curl, of_file.orientation.curl);
  ASSERT_EQ(found.mean_pattern.shape(), (std::array<i64, 2>{window, window}));
  EXPECT_TRUE(std::equal(found.mean_pattern.begin(), found.mean_pattern.end(),
                         of_file.mean_pattern.begin()));
  EXPECT_EQ(found.config.optics.energy, energy);
}

TEST(Inspect, WhatIsFoundIsAConfiguration) {
  const TemporaryFolder folder;
  const std::string file = simulated(folder / "a.h5", false);
  ReconstructConfig all;
  const Schema schema = reconstruct_schema(all);
  all.data.file = file;
  h5::File::create(folder / "bad.h5").commit();
  const std::string mask = folder / "bad.h5:/mask";
  const FoundText text = found_text(look(file).found, schema, all, mask);
  EXPECT_TRUE(text.complete) << text.yaml;
  EXPECT_TRUE(says(text.yaml, {"energy: 300", "file: " + file, "mask: " + mask}));

  ReconstructConfig none;
  const Schema its_schema = reconstruct_schema(none);
  Inspection unknown;
  h5::File::create(folder / "b.h5").commit();
  unknown.config.data.file = folder / "b.h5";
  const FoundText missing = found_text(unknown, its_schema, none, "");
  EXPECT_FALSE(missing.complete);
  EXPECT_EQ(missing.yaml.find("# Still to be given:\n"), 0U) << missing.yaml;
}

}  // namespace
}  // namespace ptyle
