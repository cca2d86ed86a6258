// Which GPU a rank takes, why none, and what it will allocate there.

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/raster.hpp"
#include "device/emulated/arithmetic.hpp"
#include "exchange/local/team.hpp"
#include "session/device.hpp"
#include "session/plan_ranks.hpp"
#include "session/rank_memory.hpp"

namespace ptyle {
namespace {

GpuCensus census(const std::vector<int>& capabilities) {
  GpuCensus c;
  c.built = true;
  c.oldest = 80;
  for (const int capability : capabilities) {
    GpuFacts gpu;
    gpu.name = "GPU " + std::to_string(capability);
    gpu.capability = capability;
    c.gpus.push_back(gpu);
  }
  return c;
}

std::string refusal(const GpuCensus& c) {
  try {
    choose_device(ComputeOn::cuda, c, 0);
  } catch (const UserError& e) {
    return e.what();
  }
  return {};
}

TEST(Device, RanksOfAMachineTakeItsGpusInTurn) {
  for (const auto device : {ComputeOn::automatic, ComputeOn::cuda}) {
    const GpuCensus c = census({90, 80, 90});
    for (int rank = 0; rank < 7; ++rank)
      EXPECT_EQ(choose_device(device, c, rank).gpu, rank % 3) << word_of(device);
  }
  EXPECT_EQ(choose_device(ComputeOn::cpu, census({90}), 0).gpu, -1);
}

TEST(Device, TooOldOnesAreLeftOut) {
  const GpuCensus c = census({70, 90, 75, 80});
  EXPECT_EQ(choose_device(ComputeOn::cuda, c, 0).gpu, 1);
  EXPECT_EQ(choose_device(ComputeOn::cuda, c, 1).gpu, 3);
  EXPECT_EQ(choose_device(ComputeOn::cuda, c, 2).gpu, 1);
}

TEST(Device, SaysWhyThereIsNone) {
  EXPECT_NE(refusal({}).find("built without CUDA"), std::string::npos) << refusal({});
  GpuCensus none = census({});
  none.why_none = "no CUDA-capable device is detected";
  EXPECT_NE(refusal(none).find("no CUDA-capable device is detected"), std::string::npos);
  const std::string old = refusal(census({70, 75}));
  EXPECT_NE(old.find("GPU 75) is too old: its compute capability is 7.5"), std::string::npos)
      << old;
  EXPECT_NE(old.find("8.0 and newer"), std::string::npos) << old;
  EXPECT_EQ(refusal(census({80})), "");
}

TEST(Device, AutoTakesTheCpuAndSaysWhy) {
  EXPECT_EQ(choose_device(ComputeOn::automatic, {}, 0).gpu, -1);
  EXPECT_EQ(choose_device(ComputeOn::automatic, {}, 0).why_cpu,
            "");  // nothing to say where CUDA is not built
  EXPECT_EQ(choose_device(ComputeOn::automatic, census({70}), 0).gpu, -1);
  EXPECT_NE(choose_device(ComputeOn::automatic, census({70}), 0).why_cpu.find("too old"),
            std::string::npos);
}

TEST(Device, ATeamOfOneSharesWithNobody) {
  const auto team = make_local_team();
  EXPECT_EQ(choose_device(ComputeOn::automatic, census({90}), *team).gpu, 0);
  EXPECT_EQ(ranks_on_gpu(17, *team), 1);
  EXPECT_EQ(ranks_on_gpu(0, *team), 0);
}

/// Bytes now allocated under a name.
double allocated(const Ledger& ledger, const std::string& name) {
  for (const auto& entry : ledger.entries())
    if (entry.name == name) return double(entry.now);
  return 0;
}

TEST(GpuRankMemory, IsWhatAFitAllocates) {
  ReconstructConfig config;
  config.object.slices = 3;
  config.object.slice_thickness = 5;
  config.solver.continuation = Switch::off;
  OperatorSetup setup;
  setup.window = 16;
  setup.slices = 3;
  setup.modes = 2;
  setup.propagator.assign(16 * 16, 1);
  for (const bool complex : {false, true})
    for (const bool between : {false, true}) {
      config.object.type = complex ? ObjectType::complex : ObjectType::potential;
      config.ranks.local_positions = between ? 1 : 0;
      setup.absorption = complex;
      const Division division = divide(positions_of(Raster{{6, 5}, {4, 4}}), 16, 1, config.ranks, 4,
                                       exchanged_planes(setup.slices, complex), sizeof(float));
      const auto team = make_local_team(4);
      emulated::Gpu gpu;
      Ledger ledger;
      FitData<float> data;
      data.positions = division.frame.positions;
      FitOptions options;
      options.local_positions = config.ranks.local_positions;
      std::vector<TileStart<float>> start;
      RankMemory all;
      for (int rank = 0; rank < 4; ++rank) {
        const Box box = division.sharing.mesh.extended(rank);
        const std::array<i64, 3> shape{3, box.rows.size(), box.cols.size()};
        start.push_back(
            {Array<float, 3>(shape), complex ? Array<float, 3>(shape) : Array<float, 3>()});
        const RankMemory one =
            gpu_rank_memory<float>(config, setup, division, rank, 256, 3, assumed_gpu(), 1e9);
        EXPECT_LE(one.gpu_least, one.gpu_total());
        for (const auto& [name, bytes] : one.gpu) all.gpu[name] += bytes;
      }
      const Fit<float> fit(make_cpu_operator<float>(setup, 1), std::move(data), options, *team,
                           division.sharing, std::move(start),
                           Array<Complex<float>, 3>({2, 16, 16}), nullptr,
                           make_emulated_arithmetic<float>(gpu, &ledger));
      // Ranks of one process share the probe and its gradient.
      const double probe = 2 * 16 * 16 * sizeof(Complex<float>);
      EXPECT_EQ(allocated(ledger, "object"), all.gpu["object"]);
      EXPECT_EQ(allocated(ledger, "gradient"), all.gpu["gradient"] - 3 * probe);
      EXPECT_EQ(allocated(ledger, "object, synchronised"), all.gpu["object, synchronised"]);
      EXPECT_GT(allocated(ledger, "exchange buffers"), 0);
    }
}

TEST(GpuRankMemory, GrowsWithTheTileAndFallsWithRanks) {
  ReconstructConfig config;
  OperatorSetup setup;
  setup.window = 32;
  double before = INFINITY;
  for (const int ranks : {1, 4, 16}) {
    const Division division =
        divide(positions_of(Raster{{40, 40}, {4, 4}}), 32, 1, config.ranks, ranks,
               exchanged_planes(setup.slices, setup.absorption), sizeof(float));
    const double needed =
        gpu_rank_memory<float>(config, setup, division, 0, 2048, 20, assumed_gpu(), 1e9).gpu_least;
    EXPECT_LT(needed, before);
    before = needed;
  }
}

class NoPatterns final : public PatternStore {
 public:
  i64 count() const override { return 0; }
  std::span<const i64> held() const override { return {}; }
  i64 window() const override { return 32; }
  void load(i64, float*) const override {}
  void load(i64, double*) const override {}
  RawPattern raw(i64) const override { return {}; }
  std::string type() const override { return "uint16"; }
  std::size_t bytes_a_pattern() const override { return 2048; }
  void* take(i64) override { return nullptr; }
  void drop(i64) override {}
};

TEST(GpuRankMemory, WhereItDoesNotFitItSaysHowManyRanksWould) {
  ReconstructConfig config;
  config.solver.continuation = Switch::off;
  Experiment experiment;
  experiment.patterns = std::make_unique<NoPatterns>();
  experiment.calibration.pixel = 1;
  experiment.positions = positions_of(Raster{{100, 100}, {4, 4}});
  const auto needed = [&](int ranks, const GpuFacts& gpu) {
    return plan_ranks(config, experiment, ranks, 1, 0, &gpu).memory;
  };
  GpuFacts gpu = assumed_gpu();
  EXPECT_NO_THROW(check_gpu_memory(needed(1, gpu), gpu, config, experiment, 1));
  // Just enough for four ranks; a twentieth is left to the driver.
  gpu.free_bytes = static_cast<std::size_t>(needed(4, gpu).gpu_least / 0.95) + 1;
  EXPECT_NO_THROW(check_gpu_memory(needed(4, gpu), gpu, config, experiment, 4));
  EXPECT_NO_THROW(check_gpu_memory(needed(8, gpu), gpu, config, experiment, 8));
  for (const int ranks : {1, 2}) try {
      check_gpu_memory(needed(ranks, gpu), gpu, config, experiment, ranks);
      ADD_FAILURE() << ranks << " ranks were taken to fit";
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find("4 ranks, a GPU each, would fit"), std::string::npos)
          << e.what();
    }
}

// Waves of 100 slices, where those of one position no longer fit beside the rest.
TEST(GpuRankMemory, RecomputesWavesWhereNotOnePositionsFit) {
  ReconstructConfig config;
  config.solver.continuation = Switch::off;
  config.object.type = ObjectType::potential;  // waves of a complex one cannot be recomputed
  config.object.slices = 100;
  config.object.slice_thickness = 1;
  Experiment experiment;
  experiment.patterns = std::make_unique<NoPatterns>();
  experiment.calibration.pixel = 1;
  experiment.calibration.wavelength = 0.025;
  experiment.positions = positions_of(Raster{{10, 10}, {4, 4}});
  const auto memory_on = [&](const GpuFacts& gpu) {
    return plan_ranks(config, experiment, 1, 1, 0, &gpu).memory;
  };
  GpuFacts gpu = assumed_gpu();
  const double stored = memory_on(gpu).gpu_least;
  EXPECT_EQ(memory_on(gpu).gpu_options.waves, WaveStorage::store);
  gpu.free_bytes = static_cast<std::size_t>(stored / 0.95) - 1000;
  const RankMemory memory = memory_on(gpu);
  EXPECT_EQ(memory.gpu_options.waves, WaveStorage::recompute);
  // 99 slices less of 32² complex numbers.
  EXPECT_NEAR(stored - memory.gpu_least, 99.0 * 32 * 32 * 8, 1000);
  EXPECT_NO_THROW(check_gpu_memory(memory, gpu, config, experiment, 1));
}

}  // namespace
}  // namespace ptyle
