// A checkpoint written while the fit goes on holds what the fit was at when it was saved.

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.hpp"
#include "device/emulated/arithmetic.hpp"
#include "io/temporary_folder.hpp"
#include "session/agreement.hpp"
#include "session/rank_memory.hpp"
#include "session/resumption.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using test::mesh_of;
using test::options;
using test::scene;
using test::stitched;
using testing::FileSizeLimit;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

const Fingerprint run{{"data.file", "scan.h5"}};

/// The contents of the checkpoint in this folder.
struct Saved {
  explicit Saved(const std::string& folder) {
    const Checkpoint checkpoint(folder);
    step = checkpoint.step();
    object = Array<double, 3>(
        {test::FitScene::slices, checkpoint.object().rows.size(), checkpoint.object().cols.size()});
    checkpoint.read("phase", checkpoint.object(), object.view());
    probe = resumed_probe<double>(checkpoint);
    history = resumed_history(checkpoint, false);
  }
  i64 step = 0;
  Array<double, 3> object;
  Array<Complex<double>, 3> probe;
  History history;
};

template <class T>
bool same(const Array<T, 3>& a, const Array<T, 3>& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
}

class Resumption : public ::testing::TestWithParam<int> {
 protected:
  Resumption() : team(make_local_team(GetParam())), sharing{mesh_of(GetParam())} {
    division.sharing = sharing;
  }
  Fit<double> make_fit() const { return scene().fit(options(5), *team, sharing); }

  const TemporaryFolder folder;
  std::unique_ptr<Team> team;
  Sharing sharing;
  Division division;
  Ledger ledger;
};

TEST_P(Resumption, ACheckpointWrittenWhileComputingIsTheOneThatTheFitWaitsFor) {
  auto fit = make_fit();
  History history;
  CheckpointWriter<double> waits(*team, folder / "waits", fit, division, false, &ledger);
  CheckpointWriter<double> beside(*team, folder / "beside", fit, division, true, &ledger);
  for (int i = 1; i <= 4; ++i) {
    history.cost.push_back(fit.iterate().fitted.cost);
    const auto object = stitched(fit, scene().object());
    waits.save(history, run);
    beside.save(history, run);
    const auto state = fit.numbers();
    const auto probe = converted<Complex<double>, Complex<double>, 3>(fit.probe());
    fit.iterate();  // and so changes what was saved
    if (i % 2 == 0) {
      while (beside.writing()) fit.iterate();
      beside.commit();
    }
    beside.finish();
    for (const char* name : {"waits", "beside"}) {
      SCOPED_TRACE(name);
      const Saved saved(folder / name);
      EXPECT_EQ(double(saved.step), state.at("iteration"));
      EXPECT_TRUE(same(saved.object, object));
      EXPECT_TRUE(same(saved.probe, probe));
      EXPECT_EQ(saved.history.cost, history.cost);
      auto initial = state, expected = state;
      for (auto& [number, value] : initial) value = -7;
      initial["of a later version"] = expected["of a later version"] = 3;
      EXPECT_EQ(resumed_numbers(Checkpoint(folder / name), initial), expected);
      EXPECT_FALSE(fs::exists(folder / (std::string(name) + "/checkpoint.part")));
    }
  }
}

/// By an earlier version, they were dealt for one.
TEST_P(Resumption, MiniBatchesAreDealtForAsManyRanksAsBefore) {
  auto fit = make_fit();
  for (const auto& [fingerprint, ranks] : {std::pair{run, 1},
                                           {Fingerprint{{"ranks.of", "6"}}, 6},
                                           {Fingerprint{{"ranks.of", "?"}}, 1}}) {
    CheckpointWriter<double> writer(*team, folder / "", fit, division, false, &ledger);
    writer.save({}, fingerprint);
    EXPECT_EQ(resumed_dealt_for(Checkpoint(folder / "")), ranks);
  }
}

TEST_P(Resumption, GoesOnWithTheSameBits) {
  auto fit = make_fit();
  CheckpointWriter<double> writer(*team, folder / "", fit, division, true, &ledger);
  fit.iterate();
  int batches = 0;
  EXPECT_FALSE(fit.iterate([&] { return ++batches == 3; }).whole);
  writer.save({}, run);
  // Ends between mini-batches, as a run's processes do to agree, change nothing.
  while (!fit.iterate([&] { return writer.written(); }).whole) continue;
  fit.iterate();
  writer.finish();

  const Saved saved(folder / "");
  auto second = scene().fit(options(5), *team, sharing, saved.object, saved.probe);
  second.restore(resumed_numbers(Checkpoint(folder / ""), second.numbers()));
  EXPECT_TRUE(second.iterate().whole);
  second.iterate();
  EXPECT_TRUE(same(stitched(second, scene().object()), stitched(fit, scene().object())));
  EXPECT_TRUE(std::equal(second.probe().begin(), second.probe().end(), fit.probe().begin()));
}

TEST_P(Resumption, AWriteThatFailsIsToldByTheNextSaveOrFinish) {
  using Writer = CheckpointWriter<double>;
  auto fit = make_fit();
  for (const auto& next :
       {std::function([](Writer& w) { w.finish(); }),
        std::function([](Writer& w) { w.save({}, run); }), std::function([](Writer& w) {
          while (w.writing()) continue;
          EXPECT_TRUE(w.failed());
          w.finish();
        })}) {
    i64 before = 0;
    {
      Writer writer(*team, folder / "", fit, division, true, &ledger);
      fit.iterate();
      writer.save({}, run);
      writer.finish();
      before = Saved(folder / "").step;
      const FileSizeLimit full(4096);
      fit.iterate();
      writer.save({}, run);  // goes well: nothing is known yet
      fit.iterate();
      EXPECT_TRUE(says(message_of<NotWritten>([&] { next(writer); }),
                       {"checkpoint.part", "rank-0000.h5", "written"}));
    }
    EXPECT_EQ(Saved(folder / "").step, before);
    EXPECT_FALSE(fs::exists(folder / "checkpoint.part"));
  }
}

TEST_P(Resumption, WhatIsNotWholeWhenTheRunFailsIsTakenAway) {
  auto fit = make_fit();
  {
    CheckpointWriter<double> writer(*team, folder / "", fit, division, true, &ledger);
    fit.iterate();
    writer.save({}, run);
  }
  EXPECT_FALSE(has_checkpoint(folder / ""));
  EXPECT_TRUE(fs::is_empty(folder / ""));
  CheckpointWriter<double>(*team, folder / "", fit, division, false, &ledger).save({}, run);
  EXPECT_TRUE(has_checkpoint(folder / ""));
}

TEST_P(Resumption, CopiesAreBookedAsPlanned) {
  ReconstructConfig config;
  config.object.slices = test::FitScene::slices;
  OperatorSetup setup;
  setup.window = test::FitScene::window;
  setup.slices = test::FitScene::slices;
  division.shares = share_positions(sharing.mesh, scene().centres(), 0);
  const auto planned = [&] {
    double bytes = 0;
    for (int rank = 0; rank < GetParam(); ++rank)
      bytes += rank_memory<double>(config, setup, division, rank, 1, 2048, 1e9).bytes["checkpoint"];
    return bytes;
  };
  const auto fit = make_fit();
  {
    const CheckpointWriter<double> waits(*team, folder / "", fit, division,
                                         writes_while_computing(config), &ledger);
    EXPECT_EQ(ledger.peak(), 0U);
    EXPECT_EQ(planned(), 0);
  }
  config.output.checkpoint_minutes = 30;
  const CheckpointWriter<double> beside(*team, folder / "", fit, division,
                                        writes_while_computing(config), &ledger);
  ASSERT_EQ(ledger.entries().size(), 1U);
  EXPECT_EQ(ledger.entries()[0].name, "checkpoint");
  EXPECT_EQ(double(ledger.peak()), planned());
  EXPECT_GE(planned(), double(sizeof(double) * test::FitScene::slices * scene().object().area()));
}

TEST_P(Resumption, ComesFromAGpuToo) {
  emulated::Gpu gpu;
  scene().make_arithmetic = [&] { return make_emulated_arithmetic<double>(gpu, &ledger); };
  auto fit = make_fit();
  scene().make_arithmetic = {};
  fit.iterate();
  for (const bool while_computing : {false, true}) {
    CheckpointWriter<double> writer(*team, folder / "", fit, division, while_computing, nullptr);
    const auto object = stitched(fit, scene().object());
    writer.save({}, run);
    fit.iterate();
    writer.finish();
    EXPECT_TRUE(same(Saved(folder / "").object, object));
  }
}

INSTANTIATE_TEST_SUITE_P(OnRanks, Resumption, ::testing::Values(1, 4));

}  // namespace
}  // namespace ptyle
