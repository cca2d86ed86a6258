// Parts of a fit that nothing else names (toys.hpp), and yet they run on ranks and on the
// (emulated) GPU, are booked, planned, saved and resumed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>

#include "core/error.hpp"
#include "device/emulated/arithmetic.hpp"
#include "operator/emulated/operator.hpp"
#include "solver/shared_fit.hpp"
#include "solver/toys.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::iterations;
using test::mesh_of;
using test::rounding_of_operators;
using test::scene;
using test::toys;

FitOptions toy_options() {
  auto o = test::options(5);
  o.probe_from = 0;
  o.step = 1;
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
  return {test::stitched(fit, scene().object()), fit.numbers().at("toy.gain")};
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
  parts.of<test::MomentumOptions>() = {};
  EXPECT_GT(apart(object_with(parts), all), 1e-3);
}

TEST(Toys, RunOnTheEmulatedGpu) {
  const Outcome host = fitted_by(4);
  emulated::Gpu gpu({.guarded = true, .order = emulated::Order::others_first});
  scene().make_arithmetic = [&] { return make_emulated_arithmetic<double>(gpu); };
  scene().make_operator = [&](const OperatorSetup& setup) {
    return make_emulated_operator<double>(setup, gpu, nullptr, {});
  };
  const Outcome there = fitted_by(4);
  scene().make_arithmetic = {};
  scene().make_operator = {};
  EXPECT_LT(apart(there.object, host.object), rounding_of_operators);
  EXPECT_NEAR(there.gain, host.gain, rounding_of_operators);
}

TEST(Toys, AreBookedAsPlanned) {
  Ledger ledger;
  const auto team = make_local_team(4);
  const auto fit = toy_fit(*team, 4, &ledger);
  for (const char* account : {"toy momentum", "toy records"}) {
    double planned = 0, booked = 0;
    for (int rank = 0; rank < 4; ++rank)
      planned += fit_memory<double>(scene().setup(), toy_options(), {mesh_of(4)}, rank,
                                    i64(fit.tiles()[std::size_t(rank)].own.size()))
                     .arrays.at(account);
    for (const auto& entry : ledger.entries())
      if (entry.name == account) booked = double(entry.now);
    EXPECT_GT(planned, 0) << account;
    EXPECT_EQ(booked, planned) << account;
  }
}

/// What a fit of other ranks reads a field's part from.
void read_from(const Fit<double>& fit, const std::string& name, const Box& box,
               View<double, 3> to) {
  const Field<double>& field = fit.state().field(name);
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    const Box part = intersection(tile.core, box);
    for (i64 s = 0; s < to.shape[0]; ++s)
      for (i64 y = part.rows.begin; y < part.rows.end; ++y)
        for (i64 x = part.cols.begin; x < part.cols.end; ++x)
          to(s, y - box.rows.begin, x - box.cols.begin) =
              field.on(t)(s, y - tile.box.rows.begin, x - tile.box.cols.begin);
  }
}

std::vector<double> records_from(const Fit<double>& fit, const std::string& name,
                                 std::span<const i64> positions, i64 numbers) {
  std::vector<double> all;
  for (const i64 position : positions)
    for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
      const auto& own = fit.tiles()[t].own;
      const auto at = std::lower_bound(own.begin(), own.end(), position);
      if (at == own.end() || *at != position) continue;
      for (i64 k = 0; k < numbers; ++k)
        all.push_back(fit.state().field(name).on(t)(0, at - own.begin(), k));
    }
  return all;
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
      second.restore(first.numbers(),
                     {[&](const std::string& name, const Box& box, View<double, 3> to) {
                        read_from(first, name, box, to);
                      },
                      [&](const std::string& name, std::span<const i64> positions, i64 numbers) {
                        return records_from(first, name, positions, numbers);
                      }});
    else
      second.restore(first.numbers());
    for (int i = 0; i < 2; ++i) second.iterate();
    for (i64 i = 0; i < test::Scene::side * test::Scene::side; ++i) {
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
  EXPECT_THROW(check_options(options, {mesh_of(4)}), UserError);
  options = toy_options();
  options.parts.add<AnotherRule>();
  EXPECT_THROW(check_options(options, {mesh_of(4)}), UserError);
  options.parts.of<test::MomentumOptions>() = {};
  EXPECT_NO_THROW(check_options(options, {mesh_of(4)}));
}

// Every field that is saved and has a gradient beside it, "gradient." and its name, is checked by
// finite differences of the cost.

/// The course's gradients, without a step.
struct Gradients : Course<double> {
  using Course<double>::Course;
  using Course<double>::accumulate;
};

/// A fit's inside: object, probe and further variables, all positions a batch.
struct Inside {
  explicit Inside(std::vector<std::unique_ptr<Variable<double>>> more, bool on_gpu = false) {
    const OperatorSetup& setup = scene().setup();
    with = std::make_unique<Workspace<double>>(
        on_gpu ? make_emulated_operator<double>(setup, gpu, nullptr, {})
               : make_cpu_operator<double>(setup, 1),
        scene().data(), toy_options(), *team, Sharing{mesh_of(1)}, nullptr,
        on_gpu ? make_emulated_arithmetic<double>(gpu) : nullptr);
    object = std::make_unique<ObjectVariable<double>>(with->state, setup);
    auto probe = std::make_unique<ProbeVariable<double>>(setup);
    probe->declare(with->state);
    auto* const its = probe.get();
    variables.push_back(std::move(probe));
    for (auto& one : more) {
      one->declare(with->state);
      variables.push_back(std::move(one));
    }
    its->begin_with(*with, faint(), nullptr);
    std::vector<TileStart<double>> start;
    start.push_back({converted<double, double, 3>(scene().truth()), {}});
    for (double& phase : start[0].phase) phase *= 0.5;
    object->begin_with(std::move(start), *with->arithmetic);
    with->state.allocate(*with->arithmetic);
    batch.refine_probe = true;
    for (i64 i = 0; i < i64(with->places.size()); ++i) batch.members.push_back(i);
  }
  double cost() {
    for (const auto& variable : variables) variable->publish(*with);
    object->publish(*with, 0);
    return with->op
        ->misfit(with->places_on(with->tiles[0], batch.members), with->measured_at(batch.members))
        .cost;
  }
  void accumulate() {
    for (const auto& variable : variables) variable->publish(*with);
    Descent<double> rule;
    rule.declare(with->state);
    with->costs.begin(1, 0);
    Gradients(*with, {*object, variables, rule}).accumulate(batch);
  }
  emulated::Gpu gpu;
  std::unique_ptr<Team> team = make_local_team();
  std::unique_ptr<Workspace<double>> with;
  std::unique_ptr<ObjectVariable<double>> object;
  std::vector<std::unique_ptr<Variable<double>>> variables;
  Batch batch;
};

/// The largest relative difference of a slope ⟨g, d⟩ from the cost's finite difference, along a few
/// random directions of each field.
double largest_slope_error(Inside& inside, int& fields) {
  double largest = 0;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  inside.accumulate();
  auto& state = inside.with->state;
  for (auto& field : state.fields()) {
    const auto gradient =
        std::find_if(state.fields().begin(), state.fields().end(),
                     [&](const auto& other) { return other.name == "gradient." + field.name; });
    if (!field.saved || gradient == state.fields().end()) continue;
    ++fields;
    const bool waves = field.kind == Kind::common;
    const View<double, 3> values = waves ? parts_of(field.waves.view()) : field.on(0),
                          slopes = waves ? parts_of(gradient->waves.view()) : gradient->on(0);
    for (int direction = 0; direction < 3; ++direction) {
      std::vector<double> d(static_cast<std::size_t>(values.size())), before(d.size());
      double slope = 0;
      for (std::size_t i = 0; i < d.size(); ++i) {
        d[i] = normal(random);
        before[i] = values.data[i];
        slope += (waves ? 2 : 1) * slopes.data[i] * d[i];  // of ∂f/∂probe*: 2 Re
      }
      const double h = 1e-5;
      const auto cost_at = [&](double along) {
        for (std::size_t i = 0; i < d.size(); ++i) values.data[i] = before[i] + along * d[i];
        return inside.cost();
      };
      const double difference = (cost_at(h) - cost_at(-h)) / (2 * h);
      cost_at(0);
      largest = std::max(largest, std::abs(difference / slope - 1));
    }
  }
  return largest;
}

TEST(GradientCheck, EveryVariableOfAFitPasses) {
  for (const bool on_gpu : {false, true}) {
    Inside inside({}, on_gpu);
    int fields = 0;
    // Differences at h = 1e-5 are right to h² times the third derivative, and to rounding / h.
    EXPECT_LT(largest_slope_error(inside, fields), 1e-4);
    EXPECT_EQ(fields, 2);
  }
}

/// A variable whose gradient is wrong: that of the object, doubled, under another name.
class Wrong final : public Variable<double> {
 public:
  void declare(State<double>& state) override {
    const std::array<i64, 3> shape{1, test::Scene::window, test::Scene::window};
    values_ = &state.declare({"toy.wrong", "toy", Kind::common, shape, true});
    gradient_ = &state.declare({"gradient.toy.wrong", "toy", Kind::common, shape});
  }
  /// It is added to the probe.
  void publish(Workspace<double>& with) override {
    auto probe = converted<Complex<double>, Complex<double>, 3>(
        std::as_const(with.state.field("probe").waves).view());
    for (i64 i = 0; i < probe.size(); ++i) probe.data()[i] += values_->waves.data()[i];
    with.op->set_probe(probe);
  }
  void begin(Workspace<double>&, const Batch&) override {}
  void ask(const Batch&, std::size_t, Wanted&, Gradient<double>&) override {
    for (auto& value : gradient_->waves) value = {1, 0};
  }
  void start_sum(Workspace<double>&, const Batch&) override {}
  void step(Workspace<double>&, const Batch&) override {}

 private:
  Field<double>*values_ = nullptr, *gradient_ = nullptr;
};

TEST(GradientCheck, AWrongOneFails) {
  std::vector<std::unique_ptr<Variable<double>>> wrong;
  wrong.push_back(std::make_unique<Wrong>());
  Inside inside(std::move(wrong));
  int fields = 0;
  EXPECT_GT(largest_slope_error(inside, fields), 0.1);
  EXPECT_EQ(fields, 3);
}

}  // namespace
}  // namespace ptyle
