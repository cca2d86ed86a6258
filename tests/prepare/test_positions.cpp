#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/units.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"
#include "prepare/positions.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::numbered;
using testing::says;

RawPositions raw(std::vector<double> values, std::vector<i64> shape) {
  RawPositions r;
  r.values = std::move(values);
  r.shape = std::move(shape);
  r.name = "the dataset";
  return r;
}
RawPositions three() { return raw({1, 2, 3, 4, 5, 6}, {3, 2}); }

std::vector<Position> read(const RawPositions& from, const std::string& unit,
                           const std::string& order = "row_col") {
  ScanConfig scan;
  scan.unit = choice_named<std::optional<LengthUnit>>(unit).value();
  scan.order = choice_named<PairOrder>(order).value();
  std::vector<std::string> warnings;
  return positions_from(from, scan, 3, "/data", 0.5, false, warnings);
}

TEST(Positions, InEveryUnitAndOrder) {
  EXPECT_EQ(read(three(), "A")[1].row, 3);
  EXPECT_EQ(read(three(), "A")[1].col, 4);
  EXPECT_EQ(read(three(), "px")[1].row, 1.5);
  const std::pair<const char*, double> units[] = {
      {"m", 1e10}, {"mm", 1e7}, {"um", 1e4}, {"nm", 10}, {"pm", 0.01}};
  for (const auto& [unit, angstroms] : units)
    EXPECT_DOUBLE_EQ(read(three(), unit)[1].col, 4 * angstroms) << unit;
  EXPECT_EQ(read(three(), "A", "x_y")[2].row, 6);
  EXPECT_EQ(read(three(), "A", "x_y")[2].col, 5);
  const auto cxi = raw({1, 2, 9, 3, 4, 9, 5, 6, 9}, {3, 3});
  EXPECT_EQ(read(cxi, "A", "x_y")[2].row, 6);
  const auto grid = raw({1, 2, 3, 4, 5, 6}, {1, 3, 2});
  EXPECT_EQ(read(grid, "A")[2].row, 5);
}

TEST(Positions, InTwoRowsAreTheRowsAndTheColumns) {
  const auto rows = raw({1, 3, 5, 2, 4, 6}, {2, 3});  // three(), as MATLAB's files have it
  for (const char* order : {"row_col", "x_y"})
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(read(rows, "A", order)[i].row, read(three(), "A", order)[i].row);
      EXPECT_EQ(read(rows, "A", order)[i].col, read(three(), "A", order)[i].col);
    }
  ScanConfig scan;
  std::vector<std::string> warnings;  // two positions: as they always were
  const auto two = positions_from(raw({1, 2, 3, 4}, {2, 2}), scan, 2, "/data", 1, false, warnings);
  EXPECT_EQ(two[0].col, 2);
}

TEST(Positions, OfOnePartAreAnsweredWithTheOthers) {
  RawPositions part = three();
  part.others = "/chunks/*/positions reads 2 more datasets with it";
  ScanConfig scan;
  std::vector<std::string> warnings;
  EXPECT_TRUE(says(
      message_of<UserError>([&] { positions_from(part, scan, 9, "/data", 1, false, warnings); }),
      {"3 positions", "9 patterns", "scan.positions=/chunks/*/positions reads 2 more"}));
}

TEST(Positions, ThatDoNotFitAreRefused) {
  const auto fault = [](std::vector<double> values, std::vector<i64> shape) {
    return message_of<UserError>([&] { read(raw(values, shape), "A"); });
  };
  EXPECT_TRUE(says(fault({1, 2, 3, 4}, {2, 2}), {"the dataset has 2 positions", "3 patterns"}));
  EXPECT_TRUE(says(fault({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}), {"the dataset", "2 x 4", "(N, 2)"}));
  EXPECT_TRUE(says(fault({1, 2, 3, 4, 5, 6}, {6}), {"the dataset", "(N, 2)"}));
}

TEST(Positions, WhoseUnitContradictsTheUsersIsWarnedOf) {
  RawPositions from = three();
  from.unit = "object pixel";
  std::vector<std::string> warnings;
  ScanConfig scan;
  scan.unit = LengthUnit::angstrom;
  const auto read = positions_from(from, scan, 3, "/data", 0.5, false, warnings);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(says(warnings[0], {"object pixel", "scan.unit is A"}));
  EXPECT_EQ(read[1].row, 3);
}

TEST(Positions, AreInTheUnitOfTheirDatasetWhereTheUserSaysNone) {
  const std::pair<const char*, double> units[] = {
      {"Å", 1},        {"angstrom", 1}, {"pm", 0.01},       {"nm", 10},  {"Nanometers", 10},
      {"um", 1e4},     {"µm", 1e4},     {"micron", 1e4},    {"m", 1e10}, {"micrometre", 1e4},
      {"pixels", 0.5}, {"mm", 1e7},     {"Millimeter", 1e7}};
  for (const auto& [unit, scale] : units) {
    RawPositions from = three();
    from.unit = unit;
    EXPECT_DOUBLE_EQ(read(from, "auto")[1].row, 3 * scale) << unit;
  }
}

TEST(Positions, OfAnUnknownUnitAreRefusedUnlessTheUserSaysOne) {
  RawPositions from = three();
  from.unit = "furlong";
  EXPECT_TRUE(says(message_of<UserError>([&] { read(from, "auto"); }),
                   {"the dataset", "'furlong'", "scan.unit", "A, m, px, mm, um, nm, pm"}));
  EXPECT_EQ(read(from, "px")[1].row, 1.5);
  ScanConfig scan;
  scan.unit = LengthUnit::angstrom;
  std::vector<std::string> warnings;
  EXPECT_EQ(positions_from(from, scan, 3, "/data", 0.5, false, warnings)[1].row, 3);
  FramesInMemory frames = numbered(6, 4, 4);  // found, not asked for
  Measurement m = measurement(frames);
  m.scan = {};
  m.calibration.pixel_size = 0.5;
  m.positions->unit = "furlong";
  EXPECT_TRUE(says(message_of<UserError>([&] { prepare(m); }), {"'furlong'", "scan.unit"}));
  m.positions->unit = "nm";
  EXPECT_EQ(prepare(m).positions[1].col, 10 * m.positions->values[3]);
}

TEST(Positions, ARasterNeedsAShapeOfAsManyPatterns) {
  FramesInMemory frames = numbered(6, 4, 4);
  Measurement m = measurement(frames);
  m.positions.reset();
  m.scan.positions.clear();
  EXPECT_TRUE(says(message_of<UserError>([&] { prepare(m); }), {"scan.positions", "scan.step"}));
  m.scan.step = {2, 2};
  EXPECT_TRUE(says(message_of<UserError>([&] { prepare(m); }), {"data.scan_shape"}));
  m.data.scan_shape = {2, 4};
  EXPECT_TRUE(says(message_of<UserError>([&] {
                     m.data.scan_shape = {2, 2}, prepare(m);
                   }),
                   {"2 x 2", "4 positions", "6 patterns"}));
  EXPECT_TRUE(says(message_of<UserError>([&] {
                     m.data.scan_shape = {4, 3}, prepare(m);
                   }),
                   {"4 x 3", "12 positions", "6 patterns", "data.scan_shape=[2,3]"}));
  m.data.scan_shape = {2, 4};  // the last line ended early
  const Experiment early = prepare(m);
  ASSERT_EQ(early.positions.size(), 6u);
  EXPECT_EQ(early.positions[5].row, 2);
  EXPECT_TRUE(std::any_of(early.warnings.begin(), early.warnings.end(), [](const std::string& w) {
    return says(w, {"2 of the 8 positions of the scan"});
  }));
  m.data.scan_shape = {2, 3};
  EXPECT_EQ(prepare(m).positions[5].col, 4);
  frames.scan_shape = {3, 2};  // of a 4-D dataset
  EXPECT_TRUE(says(message_of<UserError>([&] { prepare(m); }), {"data.scan_shape", "3 x 2"}));
  frames.scan_shape = {1, 6};  // no scan of its own
  EXPECT_EQ(prepare(m).positions[5].col, 4);
  frames.scan_shape = {3, 2};
  m.data.scan_shape = {0, 0};
  EXPECT_EQ(prepare(m).positions[5].row, 4);
}

TEST(Positions, OfTheFilesOwnStepAreInAngstromWhateverTheUnitOfOthers) {
  FramesInMemory frames = numbered(6, 4, 4);
  Measurement m = measurement(frames);
  m.positions.reset();
  m.scan.positions.clear();
  m.calibration.pixel_size = 0.5;
  m.data.scan_shape = {2, 3};
  m.file.scan_step = {2, 2};
  for (const auto unit : {LengthUnit::angstrom, LengthUnit::pixel}) {
    m.scan.unit = unit;
    EXPECT_EQ(prepare(m).positions[5].col, 4) << word_of(unit);
  }
  m.scan.step = {2, 2};  // the user's, in pixels
  EXPECT_EQ(prepare(m).positions[5].col, 2);
  m.scan.step = {2e-10, 2e-10};
  m.scan.unit = LengthUnit::metre;
  EXPECT_DOUBLE_EQ(prepare(m).positions[5].col, 4);
}

TEST(Positions, ThatTellOfAWrongUnitAreWarnedOf) {
  FramesInMemory frames = numbered(6, 4, 4);
  Measurement m = measurement(frames);
  const auto warned = [&](double factor, const char* of) {
    for (std::size_t i = 0; i < 6; ++i) {
      m.positions->values[2 * i] = factor * static_cast<double>(i / 3);
      m.positions->values[2 * i + 1] = factor * static_cast<double>(i % 3);
    }
    const auto warnings = prepare(m).warnings;
    return std::any_of(warnings.begin(), warnings.end(), [&](const std::string& w) {
      return says(w, {of, "scan.unit"});
    });
  };
  for (const char* of : {"within", "beyond"}) {
    EXPECT_FALSE(warned(1, of)) << of;
    EXPECT_FALSE(warned(4, of)) << of;  // windows of 4 px that just touch
  }
  EXPECT_TRUE(warned(1e-10, "within"));  // metres taken for px
  EXPECT_TRUE(warned(0, "within"));
  EXPECT_TRUE(warned(5, "beyond"));
  // In another order the next one is far, but a neighbour is near.
  FramesInMemory many = numbered(36, 4, 4);
  m.frames = &many;
  m.positions->shape = {36, 2};
  m.positions->values.clear();
  for (int i = 0; i < 36; ++i)
    m.positions->values.insert(m.positions->values.end(), {i * 7 % 36 / 6 * 3.0, i * 7 % 6 * 3.0});
  EXPECT_TRUE(prepare(m).warnings.empty());
}

TEST(Positions, InAngstromNeedACalibration) {
  FramesInMemory frames = numbered(6, 4, 4);
  Measurement m = measurement(frames);
  m.scan.unit = ScanConfig{}.unit;  // Å
  EXPECT_TRUE(
      says(message_of<UserError>([&] { prepare(m); }), {"scan.unit is A", "scan.unit: px"}));
}

}  // namespace
}  // namespace ptyle
