// Parts of a fit that nothing else names (toys.hpp), and yet they run on ranks and on the
// (emulated) GPU, are accounted, planned, saved and resumed.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "device/emulated/arithmetic.hpp"
#include "operator/emulated/operator.hpp"
#include "solver/gradient_check.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/toys.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::iterations;
using test::mesh_of;
using test::records_from;
using test::rounding_of_operators;
using test::scene;
using test::toys;

FitOptions toy_options() {
  auto o = test::options(5);
  o.probe_from = 0;
  o.parts = toys();
  return o;
}

/// The scene's probe, too faint by a quarter.
Array<Complex<double>, 3> faint() {
  auto probe = converted<Complex<double>, Complex<double>, 3>(scene().probe());
  for (auto& value : probe) value *= 0.8;
  return probe;
}

Fit<double> toy_fit(Team& team, int ranks, Ledger* ledger = nullptr) {
  return scene().fit(toy_options(), team, {mesh_of(ranks)}, scene().vacuum(), faint(), ledger);
}

struct Outcome {
  Array<double, 3> object;
  double gain = 0;
};
Outcome outcome(const Fit<double>& fit) {
  const auto excess = test::reader_of(fit).waves("toy.gain");
  return {test::stitched(fit, scene().object()), 1 + excess(0, 0, 0).real()};
}
Outcome fitted_by(int ranks) {
  const auto team = make_local_team(ranks);
  auto fit = toy_fit(*team, ranks);
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return outcome(fit);
}

TEST(Toys, AreTheSameOnAnyNumberOfRanks) {
  const Outcome one = fitted_by(1);
  EXPECT_NEAR(one.gain, 1.25, 0.02);
  for (const int ranks : {4, 6}) {
    const Outcome more = fitted_by(ranks);
    EXPECT_LT(apart(more.object, one.object), 1e-12);
    EXPECT_NEAR(more.gain, one.gain, 1e-12);
  }
}

TEST(Toys, EachDoesSomething) {
  const auto alone = make_local_team();
  const auto object_with = [&](const PartOptions& parts) {
    auto options = toy_options();
    options.parts = parts;
    auto fit = scene().fit(options, *alone, {mesh_of(1)}, scene().vacuum(), faint());
    for (int i = 0; i < iterations; ++i) fit.iterate();
    return test::stitched(fit, scene().object());
  };
  const auto all = object_with(toys());
  auto parts = toys();
  parts.of<test::GainOptions>() = {};
  EXPECT_GT(apart(object_with(parts), all), 1e-3);
  parts = toys();
  parts.of<test::ShrinkOptions>() = {};
  EXPECT_GT(apart(object_with(parts), all), 1e-3);
  parts = toys();
  parts.of<test::QuarticOptions>() = {};
  EXPECT_GT(apart(object_with(parts), all), 1e-3);
  parts = toys();
  parts.of<test::MomentumOptions>() = {};
  EXPECT_GT(apart(object_with(parts), all), 1e-3);
}

TEST(Toys, RunOnTheEmulatedGpu) {
  const Outcome host = fitted_by(4);
  const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first});
  const Outcome there = fitted_by(4);
  EXPECT_LT(apart(there.object, host.object), rounding_of_operators);
  EXPECT_NEAR(there.gain, host.gain, rounding_of_operators);
}

TEST(Toys, AreBookedAsPlanned) {
  Ledger ledger;
  const auto team = make_local_team(4);
  const auto fit = toy_fit(*team, 4, &ledger);
  for (const char* account : {"toy momentum", "toy records"}) {
    double planned = 0, allocated = 0;
    for (int rank = 0; rank < 4; ++rank)
      planned += fit_memory<double>(scene().setup(), toy_options(), {mesh_of(4)}, rank,
                                    i64(fit.tiles()[std::size_t(rank)].own.size()))
                     .arrays.at(account);
    for (const auto& entry : ledger.entries())
      if (entry.name == account) allocated = double(entry.now);
    EXPECT_GT(planned, 0) << account;
    EXPECT_EQ(allocated, planned) << account;
  }
}

TEST(Toys, AtTheEndOnlyWhatIsSavedIsKept) {
  Ledger ledger;
  const auto team = make_local_team(4);
  auto fit = toy_fit(*team, 4, &ledger);
  fit.iterate();
  const auto object = test::stitched(fit, scene().object());
  const auto numbers = fit.numbers();
  std::map<std::string, double> kept;
  for (int rank = 0; rank < 4; ++rank)
    for (const auto& [account, bytes] :
         fit_memory<double>(scene().setup(), toy_options(), {mesh_of(4)}, rank,
                            i64(fit.tiles()[std::size_t(rank)].own.size()))
             .kept)
      kept[account] += bytes;
  fit.keep_only_saved();
  for (const auto& entry : ledger.entries())
    for (const char* account : {"toy momentum", "gradient", "exchange buffers", "waves"})
      if (entry.name == account) {
        EXPECT_EQ(double(entry.now), kept[account]) << account;
      }
  EXPECT_EQ(test::apart(test::stitched(fit, scene().object()), object), 0);
  EXPECT_EQ(fit.numbers(), numbers);
  EXPECT_THROW(fit.iterate(), std::logic_error);
}

TEST(Toys, AreSavedAndResumedOnOtherRanks) {
  const auto four = make_local_team(4), three = make_local_team(3);
  auto whole = toy_fit(*four, 4);
  for (int i = 0; i < 4; ++i) whole.iterate();

  auto first = toy_fit(*four, 4);
  for (int i = 0; i < 2; ++i) first.iterate();
  const auto object = test::stitched(first, scene().object());
  const auto go_on = [&](bool with_fields) {
    auto second = scene().fit(toy_options(), *three, {mesh_of(3)}, object, first.probe());
    if (with_fields)
      second.restore(first.numbers(), test::reader_of(first));
    else
      second.restore(first.numbers());
    for (int i = 0; i < 2; ++i) second.iterate();
    for (i64 i = 0; i < test::FitScene::side * test::FitScene::side; ++i) {
      const auto record = records_from(second, "toy.seen", std::span(&i, 1), 2);
      EXPECT_EQ(record, (std::vector<double>{with_fields ? 4.0 : 2.0, double(i)}));
    }
    return outcome(second);
  };
  EXPECT_LT(apart(go_on(true).object, outcome(whole).object), 1e-12);
  EXPECT_GT(apart(go_on(false).object, outcome(whole).object), 1e-6) << "its velocity is forgotten";
  EXPECT_NEAR(go_on(true).gain, outcome(whole).gain, 1e-12);
}

struct AnotherRule {
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.rule = std::make_unique<test::Momentum<T>>(0.1, 1);
  }
};
template <class V>
void keys(V&, AnotherRule&) {}

TEST(Toys, AreRefusedWhereTheyCannotBe) {
  PartOptions parts = toys();
  EXPECT_THROW(parts.add<test::GainOptions>(), std::logic_error);
  EXPECT_THROW((void)known_parts().of<test::GainOptions>(), std::logic_error);
  FitOptions options = toy_options();
  options.local_positions = 1;
  EXPECT_THROW(check_options(options, {mesh_of(4)}, 2), UserError);
  options = toy_options();
  options.parts.add<AnotherRule>();
  EXPECT_THROW(check_options(options, {mesh_of(4)}, 2), UserError);
  options.parts.of<test::MomentumOptions>() = {};
  EXPECT_NO_THROW(check_options(options, {mesh_of(4)}, 2));
}

/// A variable that looks beyond every halo.
struct FarOptions {
  template <class T>
  class Far final : public Variable<T> {
   public:
    void declare(State<T>&) override {}
    void begin(Workspace<T>&, const Batch&) override {}
    void ask(const Batch&, const Members&, Wanted&, Gradient<T>&) override {}
    void start_sum(Workspace<T>&, const Batch&) override {}
    void step(Workspace<T>&, const Batch&) override {}
    [[nodiscard]] i64 reach() const override { return 1000; }
    [[nodiscard]] std::string key() const override { return "toy.far"; }
  };
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.variables.push_back(std::make_unique<Far<T>>());
  }
};
template <class V>
void keys(V&, FarOptions&) {}

TEST(Toys, ThatReachTooFarAreNamed) {
  FitOptions options = test::options(4);
  options.parts.add<FarOptions>();
  EXPECT_NO_THROW(check_options(options, {mesh_of(1)}, 2));
  try {
    check_options(options, {mesh_of(4)}, 2);
    ADD_FAILURE() << "was not refused";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("toy.far reaches 1000 px"), std::string::npos) << e.what();
  }
}

// Their gradients, where all arrays are on one device (test_gradients has every backend).

TEST(GradientCheck, EveryVariableOfAFitPassesOnADevice) {
  emulated::Gpu gpu;
  auto op = make_emulated_operator<double>(scene().setup(), gpu, nullptr, {});
  TileStart<double> start{converted<double, double, 3>(scene().truth()), {}};
  for (double& phase : start.phase) phase *= 0.5;
  test::Inside inside({std::move(op), make_emulated_arithmetic<double>(gpu), scene().data(),
                       toy_options(), std::move(start), faint()});
  const auto found = inside.check();
  EXPECT_LT(found.largest, 1e-4);
  EXPECT_EQ(found.fields, 2);
}

}  // namespace
}  // namespace ptyle
