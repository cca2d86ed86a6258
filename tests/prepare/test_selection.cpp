// Which frame belongs to which position, and which of them are left out.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "core/error.hpp"
#include "io/temporary_folder.hpp"
#include "prepare/frames_in_memory.hpp"
#include "prepare/selection.hpp"

namespace ptyle {
namespace {

using testing::FramesInMemory;
using testing::measurement;
using testing::message_of;
using testing::says;

/// A raster of 4 × 6 without a dataset of positions.
Measurement raster(FramesInMemory& frames) {
  Measurement m = measurement(frames);
  m.positions.reset();
  m.scan.positions.clear();
  m.scan.step = {1, 1};
  m.data.scan_shape = {4, 6};
  return m;
}

Selection selected(const Measurement& m) {
  std::vector<std::string> notes, warnings;
  return select(m, notes, warnings);
}

std::string fault(const Measurement& m) {
  return message_of<UserError>([&] { selected(m); });
}

TEST(Selection, IsEverythingWhereNothingIsSaid) {
  FramesInMemory frames(24, 2, 2);
  const Selection s = selected(raster(frames));
  ASSERT_EQ(s.frames.size(), 24U);
  EXPECT_EQ(s.frames, s.positions);
}

TEST(Selection, FollowsTheOffsetOfFrames) {
  FramesInMemory frames(25, 2, 2);
  Measurement m = raster(frames);
  EXPECT_TRUE(
      says(fault(m), {"24 positions", "25 patterns", "data.frame_offset=1", "data.skip=[24]"}));
  m.data.frame_offset = 1;
  Selection s = selected(m);
  ASSERT_EQ(s.frames.size(), 24U);
  EXPECT_EQ(s.frames[0], 1);
  EXPECT_EQ(s.positions[23], 23);
  m.data.frame_offset = -2;  // the first two positions have none
  s = selected(m);
  ASSERT_EQ(s.frames.size(), 22U);
  EXPECT_EQ(s.positions[0], 2);
  EXPECT_EQ(s.frames[0], 0);
  EXPECT_EQ(s.left_out, (std::vector<i64>{0, 1}));
  m.data.frame_offset = 0;
  m.data.skip = {"24"};  // the last
  s = selected(m);
  EXPECT_EQ(s.frames.size(), 24U);
  EXPECT_EQ(s.frames[23], 23);
  m.data.frame_offset = 20;
  EXPECT_TRUE(says(fault(m), {"have no pattern", "data.frame_offset"}));
}

TEST(Selection, SaysWhatPositionsThatAreChosenHaveNoFrame) {
  FramesInMemory frames(24, 2, 2);
  Measurement m = raster(frames);
  m.data.frame_offset = -8;
  m.data.positions = {0, 6};
  EXPECT_TRUE(says(fault(m), {"6 of the 6 positions that data.positions chooses have no pattern",
                              "position 0 has frame -8", "data.frame_offset"}));
  m.data.positions = {6, 24};
  std::vector<std::string> notes, warnings;
  EXPECT_EQ(select(m, notes, warnings).left_out, (std::vector<i64>{6, 7}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(says(warnings[0], {"2 of the 18 positions that data.positions chooses"}));
  frames.count = 30;
  m.data.frame_offset = 3;
  m.data.positions = {0, 30};  // frames, not positions
  EXPECT_TRUE(says(fault(m), {"data.positions [0, 30]", "24 positions of the scan",
                              "whatever data.frame_offset"}));
}

TEST(Selection, LeavesTheWayBackOut) {
  FramesInMemory frames(28, 2, 2);  // 4 lines of 6 + 1
  Measurement m = raster(frames);
  EXPECT_TRUE(says(fault(m), {"28 patterns", "data.flyback=1"}));
  m.data.flyback = 1;
  Selection s = selected(m);
  ASSERT_EQ(s.frames.size(), 24U);
  EXPECT_EQ(s.frames[5], 5);
  EXPECT_EQ(s.frames[6], 7);
  EXPECT_EQ(s.frames[23], 26);
  m.data.scan_shape = {};
  frames.scan_shape = {4, 7};  // a 4-D dataset has them in its lines
  s = selected(m);
  EXPECT_EQ(s.lines, (std::array<i64, 2>{4, 6}));
  EXPECT_EQ(s.frames[6], 7);
  m.data.flyback = 7;
  EXPECT_TRUE(says(fault(m), {"data.flyback", "nothing"}));
}

TEST(Selection, AShapeAgainstTheDatasetsOwnIsRefused) {
  FramesInMemory frames(24, 2, 2);
  Measurement m = raster(frames);
  frames.scan_shape = {4, 6};
  EXPECT_EQ(selected(m).frames.size(), 24U);
  frames.scan_shape = {6, 4};
  EXPECT_TRUE(says(fault(m), {"data.scan_shape", "4 x 6", "6 x 4"}));
}

TEST(Selection, SkipsWhatIsNamed) {
  FramesInMemory frames(24, 2, 2);
  Measurement m = raster(frames);
  m.data.skip = {"0", "10-12", "23"};
  Selection s = selected(m);
  ASSERT_EQ(s.positions.size(), 19U);
  EXPECT_EQ(s.positions[0], 1);
  EXPECT_EQ(s.positions[9], 13);
  m.data.positions = {0, 12};
  EXPECT_EQ(selected(m).positions.size(), 9U);
  for (const char* wrong : {"24", "5-", "a", "7-3", "-1", "1.5"}) {
    m.data.skip = {wrong};
    EXPECT_TRUE(says(fault(m), {"data.skip", wrong})) << wrong;
  }
  m.data.positions.clear();
  m.data.skip = {"5-3"};
  EXPECT_TRUE(says(fault(m), {"data.skip: 5-3 ends before it begins", "as 3-5"}));
  m.data.skip = {"1.5"};
  EXPECT_TRUE(says(fault(m), {"\"1.5\"", "whole numbers"}));
  m.data.skip = {"24", "3", "20-30", "99"};
  EXPECT_TRUE(
      says(fault(m), {"data.skip: 24, 20-30, 99 are not among the 24 patterns", "0 to 23"}));
  m.data.skip = {"/skip"};
  m.skipped = RawSkip{{3, 24, 30}, {3}, "'/skip'"};
  EXPECT_TRUE(says(fault(m), {"data.skip: 24, 30 are not among the 24 patterns", "'/skip'"}));
  m.skipped = RawSkip{{3, 1.5}, {2}, "'/skip'"};
  EXPECT_TRUE(says(fault(m), {"data.skip: 1.5", "'/skip'", "no whole number"}));
  m.skipped = RawSkip{{3, 5}, {2}, "'/skip'"};
  EXPECT_EQ(selected(m).positions.size(), 22U);
  m.skipped = RawSkip{std::vector<double>(24, 0), {4, 6}, "'/skip'"};
  m.skipped->values[7] = 1;
  s = selected(m);
  EXPECT_EQ(s.positions.size(), 23U);
  EXPECT_EQ(s.positions[7], 8);
  m.skipped = RawSkip{{0, 1, 0, 1}, {2, 2}, "'/skip'"};
  EXPECT_TRUE(says(fault(m), {"data.skip", "2 x 2", "24"}));
  m.skipped = RawSkip{{30}, {1}, "'/skip'"};
  EXPECT_TRUE(says(fault(m), {"data.skip", "30", "24"}));
}

TEST(Selection, RangesAndListsAreTheSameText) {
  EXPECT_EQ(range_of("7"), (std::array<i64, 2>{7, 7}));
  EXPECT_EQ(range_of("10-14"), (std::array<i64, 2>{10, 14}));
  EXPECT_EQ(listed({3, 7, 8, 9, 40}), "3, 7-9, 40");
  std::vector<i64> many;
  for (i64 i = 0; i < 40; i += 2) many.push_back(i);
  EXPECT_TRUE(says(listed(many), {"0, 2, 4", "22 and 8 more"}));
}

/// A raster of steps 1 about (1000, 1000), each place moved by up to 0.3.
std::vector<Position> scan(i64 rows, i64 cols) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> jitter(-0.3, 0.3);
  std::vector<Position> all;
  for (i64 y = 0; y < rows; ++y)
    for (i64 x = 0; x < cols; ++x)
      all.push_back({1000 + double(y) + jitter(random), 1000 + double(x) + jitter(random)});
  return all;
}

TEST(FarPositions, AreThoseThatNoStepLeadsTo) {
  for (const auto& [rows, cols] : {std::pair<i64, i64>{16, 12}, {1, 200}, {40, 3}}) {
    auto at = scan(rows, cols);
    EXPECT_TRUE(far_positions(at).empty()) << rows << " x " << cols;
    at[7] = {5000, 1000};
    at[11] = {0, 0};  // never filled in
    at[12] = {0, 0};
    at[20] = {std::nan(""), 1000};
    at[30] = {1000, 1e12};
    EXPECT_EQ(far_positions(at), (std::vector<i64>{7, 11, 12, 20, 30})) << rows << " x " << cols;
  }
}

TEST(FarPositions, AreFoundWhereThreeInTenAreWrong) {
  auto at = scan(16, 12);
  std::mt19937 random(5);
  std::uniform_real_distribution<double> anywhere(-1e5, 1e5);
  std::vector<i64> wrong;
  for (i64 i = 0; i < 192; i += 10)
    for (i64 k = i; k < std::min<i64>(i + 3, 192); ++k) {
      at[static_cast<std::size_t>(k)] = {anywhere(random), anywhere(random)};
      wrong.push_back(k);
    }
  EXPECT_EQ(far_positions(at), wrong);
}

TEST(FarPositions, AreNotARegionOfItsOwn) {
  auto at = scan(16, 12);
  for (Position p : scan(6, 6)) at.push_back({p.row + 900, p.col});
  EXPECT_TRUE(far_positions(at).empty());
}

TEST(Selection, LeavesFarPositionsOutUnlessTheyAreKept) {
  FramesInMemory frames(192, 2, 2);
  Measurement m = measurement(frames);
  const auto at = scan(16, 12);
  for (std::size_t i = 0; i < at.size(); ++i) {
    m.positions->values[2 * i] = at[i].row;
    m.positions->values[2 * i + 1] = at[i].col;
  }
  m.positions->values[200] = std::nan("");
  m.positions->values[10] = -7000;
  std::vector<std::string> notes, warnings;
  const Selection s = select(m, notes, warnings);
  EXPECT_EQ(s.positions.size(), 190U);
  EXPECT_EQ(s.left_out, (std::vector<i64>{5, 100}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(says(warnings[0], {"2 of the 192 positions", "5, 100", "data.outliers"}));
  m.data.outliers = Outliers::keep;
  EXPECT_TRUE(says(fault(m), {"no finite numbers", "data.skip=[100]"}));
  m.data.skip = {"100"};
  EXPECT_EQ(selected(m).positions.size(), 191U);
  m.data.outliers = Outliers::leave_out;
  m.data.skip.clear();
  m.data.positions = {0, 100};  // position 100 is not asked for
  EXPECT_EQ(selected(m).positions.size(), 99U);
  m.data.positions.clear();
  for (std::size_t i = 0; i < 192; i += 2) m.positions->values[i] = std::nan("");
  EXPECT_TRUE(says(fault(m), {"right dataset"}));
}

}  // namespace
}  // namespace ptyle
