#include <gtest/gtest.h>

#include <algorithm>

#include "core/ledger.hpp"
#include "core/raster.hpp"
#include "session/rank_memory.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

TEST(RankMemory, ARunMayNotNeedMoreThanIsFree) {
  ReconstructConfig config;
  const std::size_t machine = machine_memory_bytes();
  EXPECT_EQ(memory_budget(config, 1, machine / 10), double(machine / 10));
  EXPECT_EQ(memory_budget(config, 2, machine), memory_budget(config, 2));  // its 0.4 are free
  config.solver.memory = 3;
  EXPECT_EQ(memory_budget(config, 1, 2000000000), 2e9);
  EXPECT_EQ(memory_budget(config, 1, 4000000000), 3e9);
}

/// Few patterns on a wide object: the fit takes little, and writing its result as much as ever.
TEST(RankMemory, CountsWhatWritingTheResultTakes) {
  ReconstructConfig config;
  config.output.folder = "out";
  config.object.slices = 2;
  OperatorSetup setup;
  setup.window = 32;
  setup.slices = 2;
  const auto positions = positions_of(Raster{{4, 4}, {300, 300}});
  for (const int ranks : {1, 4}) {
    const Division division =
        divide(positions, 32, 1, config.ranks, ranks,
               exchanged_planes(setup.slices, setup.absorption), sizeof(float));
    const i64 rows = division.frame.rows, cols = division.frame.cols;
    const auto of = [&](int rank) {
      return rank_memory<float>(config, setup, division, rank, 1, 1024, 1e9);
    };
    const auto files = [&] {
      return writing_memory({2, rows, cols}, false, 1, 32, 16,
                            {.pictures = config.output.pictures, .tiff = config.output.tiff});
    };
    config.output.pictures = config.output.tiff = false;
    const RankMemory bare = of(0);
    // It keeps the object and the probe.
    EXPECT_EQ(bare.writing.at("object"), 8 * double(division.sharing.mesh.extended(0).area()));
    EXPECT_EQ(bare.writing.at("result"), files().result);
    EXPECT_EQ(bare.total(), std::max(sum_of(bare.writing), sum_of(bare.bytes)));
    if (ranks > 1) {  // others hold some rows at most
      EXPECT_EQ(of(1).writing.at("result"), 4 * double(rows_at_a_time({2, rows, cols}) * cols));
    }
    config.output.pictures = config.output.tiff = true;
    // Drawing takes more than all that, of an object of a megapixel.
    EXPECT_EQ(sum_of(of(0).writing), files().copies);
    EXPECT_EQ(of(0).total(), files().copies);
    EXPECT_EQ(of(0).bytes, bare.bytes);
  }
  config.output.folder.clear();  // nothing is written
  const Division division = divide(positions, 32, 1, config.ranks, 1, 3, sizeof(float));
  EXPECT_TRUE(rank_memory<float>(config, setup, division, 0, 1, 1024, 1e9).writing.empty());
}

}  // namespace
}  // namespace ptyle
