// Which runs refine positions, what room that takes, and what they write.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "operator/operator.hpp"
#include "session/division.hpp"
#include "session/memory_scan.hpp"
#include "session/reconstruct.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

constexpr i64 window = 32;
constexpr double pixel = 0.2;  // Å: an eighth of the window is 0.8 Å

std::vector<Position> raster(int rows, int cols, double step) {
  std::vector<Position> all;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) all.push_back({step * r, step * c + 0.03});
  return all;
}

i64 margin(const PositionOptions& options, const std::vector<Position>& positions,
           const RanksConfig& config = {}, int ranks = 4) {
  return margin_of_moves(options, config, ranks, positions, window, pixel);
}

TEST(MarginOfMoves, IsUnaskedForManyThatAreClose) {
  EXPECT_GT(margin({}, raster(16, 16, 0.8)), 0);
  EXPECT_EQ(margin({}, raster(15, 17, 0.8)), 0);  // 255 positions
  EXPECT_EQ(margin({}, raster(16, 16, 0.9)), 0);  // 0.84 Å by the area of the scan
  EXPECT_EQ(margin({.refine = Switch::off}, raster(20, 20, 0.4)), 0);
}

TEST(MarginOfMoves, IsTheLargestMoveInWholePixels) {
  const auto few = raster(2, 2, 3);
  const auto asked = [&](double largest_move, double pixels = pixel) {
    return margin_of_moves({.refine = Switch::on, .largest_move = largest_move}, {}, 4, few, window,
                           pixels);
  };
  EXPECT_EQ(asked(1), 5);
  EXPECT_EQ(asked(1.01), 6);
  EXPECT_EQ(asked(2, 1), 2);
  EXPECT_EQ(asked(0.01), 1);
}

/// The root of the scan's area per position is 15/16 of the raster's step here.
TEST(MarginOfMoves, IsTwiceTheScansStepIfNoneIsSaid) {
  EXPECT_EQ(margin({}, raster(16, 16, 0.4)), 4);                      // 3.75 px
  EXPECT_EQ(margin({}, raster(16, 16, 0.6)), 6);                      // 5.6 px
  EXPECT_EQ(margin({.refine = Switch::on}, raster(4, 4, 3)), 8);      // a quarter of the window
  EXPECT_EQ(margin({.refine = Switch::on}, raster(1, 300, 0.1)), 1);  // of a line without area
}

/// Neither the direction of the scan nor a position that is far off decides.
TEST(MarginOfMoves, IsThatOfTheScansOwnShape) {
  std::vector<Position> diagonal;
  for (int i = 0; i < 300; ++i) diagonal.push_back({0.1 * i, 0.1 * i});
  EXPECT_EQ(margin({}, diagonal), 0);                      // a line
  EXPECT_EQ(margin({.refine = Switch::on}, diagonal), 2);  // 0.28 Å, of steps of 0.14 Å
  std::vector<Position> outlier = raster(16, 16, 0.4);
  outlier.push_back({900, -700});
  EXPECT_EQ(margin({}, outlier), margin({}, raster(16, 16, 0.4)));
}

TEST(MarginOfMoves, IsHalfAWindowAtMost) {
  const auto asked = [](double largest_move, Switch refine = Switch::on) {
    return margin({.refine = refine, .largest_move = largest_move}, raster(16, 16, 0.4));
  };
  EXPECT_EQ(asked(3.2), 16);
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)asked(3.3); }),
                   {"positions.largest_move: 3.3 is beyond", "window, 3.2,", "it is 0.75"}));
  EXPECT_THROW((void)asked(1e5, Switch::automatic), UserError);
  EXPECT_EQ(asked(1e5, Switch::off), 0);
}

TEST(MarginOfMoves, NeedsGradientsThatAreSummed) {
  const auto close = raster(16, 16, 0.4);
  std::vector<RanksConfig> paper(3);
  paper[0].update = UpdateChoice::literal;
  paper[1].local_positions = 1;
  paper[2].exchange_behind = true;
  for (const Scheme scheme : all_schemes) {
    RanksConfig ranks;
    ranks.exchange = scheme;
    if (sum_kind(scheme))
      EXPECT_EQ(margin({}, close, ranks), 4) << name_of(scheme);
    else
      paper.push_back(ranks);
  }
  EXPECT_GT(paper.size(), 3U);
  for (const RanksConfig& ranks : paper) {
    EXPECT_EQ(margin({}, close, ranks), 0);
    EXPECT_EQ(margin({.refine = Switch::off}, close, ranks), 0);
    EXPECT_TRUE(
        says(message_of<UserError>([&] { (void)margin({.refine = Switch::on}, close, ranks); }),
             {"positions.refine", "ranks.update"}));
  }
}

/// One rank has no exchange to be behind.
TEST(MarginOfMoves, OfOneRankHasNothingBehind) {
  const auto close = raster(16, 16, 0.4);
  RanksConfig config;
  config.exchange_behind = true;
  for (const Switch refine : {Switch::automatic, Switch::on})
    EXPECT_EQ(margin({.refine = refine}, close, config, 1), 4);
  ReconstructConfig run = memory_scan().config();
  run.parts.of<PositionOptions>().refine = Switch::on;
  run.ranks.exchange_behind = true;
  const auto team = make_local_team();
  EXPECT_NO_THROW(Reconstruction(run, memory_scan().patterns(), *team));
}

TEST(Division, HasRoomForPositionsThatMove) {
  const auto positions = raster(9, 7, 1.1);
  RanksConfig config;
  config.tiling = Tiling::mesh;
  constexpr i64 room = 4;
  for (const int ranks : {1, 4, 6}) {
    const Division fixed = divide(positions, window, pixel, config, ranks, 3, 4),
                   moving = divide(positions, window, pixel, config, ranks, 3, 4, room);
    EXPECT_EQ(moving.margin, room);
    EXPECT_EQ(moving.frame.rows, fixed.frame.rows + 2 * room);
    EXPECT_EQ(moving.frame.cols, fixed.frame.cols + 2 * room);
    EXPECT_NEAR(moving.frame.origin.row, fixed.frame.origin.row - room * pixel, 1e-12);
    EXPECT_EQ(moving.sharing.mesh.object(), moving.frame.box());
    // Beyond this a position is handed over, or has not moved so far since it was.
    constexpr i64 between = room_for_moves(room);
    static_assert(between < room);
    EXPECT_EQ(moving.sharing.mesh.halo().before, fixed.sharing.mesh.halo().before + between);
    EXPECT_EQ(moving.most_that_come.size(), ranks > 1 ? std::size_t(ranks) : 0U);
    for (int rank = 0; rank < ranks; ++rank) {
      const std::size_t r(rank);
      EXPECT_EQ(moving.shares[r].own, fixed.shares[r].own);
      EXPECT_TRUE(ranks == 1 || moving.most_that_come[r] > 0);
      const Box tile = moving.sharing.mesh.extended(rank);
      for (const i64 i : moving.shares[r].own)
        for (const double row : {-1, 1})
          for (const double col : {-1, 1}) {
            Position at = moving.frame.positions[std::size_t(i)];
            at.row += row * between, at.col += col * between;
            const Placement corner = place(at, window);
            const Box all{{corner.row, corner.row + window}, {corner.col, corner.col + window}};
            EXPECT_EQ(intersection(all, tile), all);
          }
    }
  }
}

TEST(Division, OfOneRankIsItsPartOfTheWhole) {
  const auto positions = raster(12, 11, 0.9);
  RanksConfig config;
  config.halo = "0.4";
  for (const auto scheme : {Scheme::owner, Scheme::voxel_average})
    for (const i64 room : {0, 4}) {
      config.exchange = scheme;
      const Division all = divide(positions, window, pixel, config, 6, 3, 4, room);
      for (std::size_t rank = 0; rank < 6; ++rank) {
        const Division one =
            divide(positions, window, pixel, config, 6, 3, 4, room, static_cast<int>(rank));
        EXPECT_EQ(one.shares[rank].own, all.shares[rank].own);
        EXPECT_EQ(one.shares[rank].extra, all.shares[rank].extra);
        EXPECT_EQ(one.shares[rank].extra.empty(), scheme == Scheme::owner);
        EXPECT_TRUE(one.shares[(rank + 1) % 6].own.empty());
        EXPECT_EQ(one.least, all.least);
        EXPECT_EQ(one.most, all.most);
        ASSERT_EQ(one.most_that_come.size(), all.most_that_come.size());
        if (room > 0) {
          EXPECT_EQ(one.most_that_come[rank], all.most_that_come[rank]);
        }
        EXPECT_EQ(one.sharing.mesh.extended(1), all.sharing.mesh.extended(1));
      }
    }
}

ReconstructConfig refining() {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.solver.continuation = Switch::off;  // positions wait for its first stage
  config.parts.of<PositionOptions>() = {.refine = Switch::on, .start = 1};
  return config;
}

Result reconstructed(const ReconstructConfig& config, int ranks) {
  const TemporaryFolder folder;
  const auto team = make_local_team(ranks);
  Reconstruction run(config, memory_scan().patterns(), *team);
  while (!run.finished()) run.step();
  const std::vector<Position> at = run.positions();
  run.write(folder / "out", {.pictures = false, .tiff = false});
  Result result = read_result(folder / "out/result.h5");
  for (std::size_t i = 0; i < at.size(); ++i) {
    EXPECT_EQ(result.positions[i].row, at[i].row);
    EXPECT_EQ(result.positions[i].col, at[i].col);
  }
  return result;
}

double farthest(const std::vector<Position>& a, const std::vector<Position>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max({most, std::abs(a[i].row - b[i].row), std::abs(a[i].col - b[i].col)});
  return most;
}

TEST(RefinedPositions, AreWrittenBesideThoseOfTheStartAndTheSameOnAnyRanks) {
  const Result one = reconstructed(refining(), 1), four = reconstructed(refining(), 4);
  // From an origin of whole pixels, Å of some tens.
  std::vector<Position> measured = one.positions_start;
  for (Position& at : measured) at.row += one.origin->row, at.col += one.origin->col;
  EXPECT_LT(farthest(measured, memory_scan().positions()), 1e-13);
  EXPECT_GT(farthest(one.positions, one.positions_start), 1e-3);
  EXPECT_LE(farthest(one.positions, one.positions_start), 1.6);  // Å: a quarter of the window
  EXPECT_EQ(farthest(one.positions_start, four.positions_start), 0);
  // As objects of fits that are shared (tests/solver), and a few steps more.
  EXPECT_LT(farthest(one.positions, four.positions), 1e-11);
}

TEST(RefinedPositions, OfARunThatRefinesNoneAreNotWritten) {
  ReconstructConfig config = refining();
  config.parts.of<PositionOptions>().refine = Switch::off;
  const Result fixed = reconstructed(config, 1);
  EXPECT_TRUE(fixed.positions_start.empty());
  EXPECT_FALSE(fixed.positions.empty());
  config.parts.of<PositionOptions>().refine = Switch::automatic;  // 36 are few
  EXPECT_EQ(farthest(reconstructed(config, 4).positions, fixed.positions), 0);
}

TEST(RefinedPositions, ComeFromACheckpointOnOtherRanks) {
  const Result whole = reconstructed(refining(), 4);
  const TemporaryFolder folder;
  ReconstructConfig config = refining();
  config.output.folder = folder / "saved";
  testing::save_in_the_middle(config, 4, 1);
  config.output.resume = true;
  const auto two = make_local_team(2);
  Reconstruction run(config, memory_scan().patterns(), *two);
  while (!run.finished()) run.step();
  const Result resumed = run.result();
  EXPECT_LT(farthest(resumed.positions, whole.positions), 1e-11);
  EXPECT_EQ(farthest(resumed.positions_start, whole.positions_start), 0);
}

/// Ten positions beside the middle of the scan are told to lie 0.9 Å (4.5 px) away, on the other
/// side of it.
PatternsInMemory some_off(std::vector<Position>& positions) {
  positions = memory_scan().positions();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::size_t row = i / 6, col = i % 6;
    if ((row == 2 || row == 3) && col % 2 == 0) positions[i].row += row == 2 ? 0.9 : -0.9;
    if ((col == 2 || col == 3) && row % 5 == 0) positions[i].col += col == 2 ? 0.9 : -0.9;
  }
  PatternsInMemory patterns = memory_scan().patterns();
  patterns.positions = positions;
  return patterns;
}

/// From an object that was found with the right positions.
ReconstructConfig far_off() {
  static const TemporaryFolder folder;
  const std::string start = folder / "right/result.h5";
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.solver.iterations = 8;
  if (!std::filesystem::exists(start)) {
    const auto team = make_local_team();
    Reconstruction run(config, memory_scan().patterns(), *team);
    while (!run.finished()) run.step();
    run.write(folder / "right", {.pictures = false, .tiff = false});
  }
  config.object.start = start;
  config.solver.iterations = 20;
  config.parts.of<PositionOptions>() = {
      .refine = Switch::on, .model = PositionModel::free, .start = 1, .step = 1};
  return config;
}

double came(const Result& result) {
  for (const RankFigure& figure : result.ranks)
    if (figure.name == "handed_over/came") return figure.values.at(0);
  ADD_FAILURE() << "is not in the result";
  return 0;
}

TEST(RefinedPositions, ThatChangeHandsAreTheSameOnAnyRanksAndAreCounted) {
  std::vector<Position> positions;
  const PatternsInMemory patterns = some_off(positions);
  const auto on_ranks = [&](int ranks, std::vector<std::string>& said) {
    const TemporaryFolder folder;
    const auto team = make_local_team(ranks);
    ReconstructCallbacks callbacks;
    callbacks.log = [&](const std::string& line) { said.push_back(line); };
    Reconstruction run(far_off(), patterns, *team, callbacks);
    while (!run.finished()) run.step();
    run.write(folder / "out", {.pictures = false, .tiff = false});
    return read_result(folder / "out/result.h5");
  };
  const auto told = [](const std::vector<std::string>& lines) {
    return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
      return line.find("changed hands") != std::string::npos;
    });
  };
  std::vector<std::string> alone;
  const Result one = on_ranks(1, alone);
  EXPECT_EQ(came(one), 0);
  EXPECT_EQ(told(alone), 0);
  for (const int ranks : {2, 4, 6}) {
    std::vector<std::string> lines;
    const Result more = on_ranks(ranks, lines);
    EXPECT_GT(came(more), 0) << ranks;
    EXPECT_EQ(told(lines), 1);
    EXPECT_LT(farthest(one.positions, more.positions), 1e-10) << ranks;
  }
}

TEST(RefinedPositions, ThatHaveChangedHandsComeFromACheckpointOnOtherRanks) {
  std::vector<Position> positions;
  const PatternsInMemory patterns = some_off(positions);
  ReconstructConfig config = far_off();
  const auto four = make_local_team(4);
  Reconstruction whole(config, patterns, *four);
  const TemporaryFolder folder;
  config.output.folder = folder / "saved";
  {
    const auto checkpoints = whole.checkpoints(config.output.folder, true);
    for (int i = 0; i < 14; ++i) {
      whole.step();
      checkpoints->save();  // of the positions that each rank has by then
    }
    int asked = 0;
    EXPECT_FALSE(whole.step([&] { return ++asked == 3; }).whole);
    checkpoints->save();
    checkpoints->finish();
  }
  while (!whole.finished()) whole.step();
  EXPECT_GT(came(whole.result()), 0);
  config.output.resume = true;
  for (const int ranks : {1, 4, 6}) {
    const auto team = make_local_team(ranks);
    Reconstruction run(config, patterns, *team);
    EXPECT_EQ(run.history().cost.size(), 14U);
    while (!run.finished()) run.step();
    EXPECT_LT(farthest(run.result().positions, whole.result().positions), 1e-10) << ranks;
  }
}

TEST(RefinedPositions, ThatCannotMoveFarEnoughAreWarnedOf) {
  ReconstructConfig config = refining();
  config.parts.of<PositionOptions>().largest_move = 1e-3;
  std::vector<std::string> warnings;
  ReconstructCallbacks callbacks;
  callbacks.warn = [&](const std::string& line) { warnings.push_back(line); };
  const auto team = make_local_team(4);
  Reconstruction run(config, memory_scan().patterns(), *team, callbacks);
  while (!run.finished()) run.step();
  EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(),
                          [](const std::string& line) {
                            return line.find("positions.largest_move") != std::string::npos;
                          }),
            1);
  const Result result = run.result();
  EXPECT_EQ(farthest(result.positions, result.positions_start), 0);
}

TEST(RefinedPositions, AreRefusedWithThePapersSchemes) {
  ReconstructConfig config = refining();
  config.ranks.exchange_behind = true;
  const auto team = make_local_team(4);
  EXPECT_TRUE(
      says(message_of<UserError>([&] { Reconstruction(config, memory_scan().patterns(), *team); }),
           {"positions.refine"}));
}

}  // namespace
}  // namespace ptyle
