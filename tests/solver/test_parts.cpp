// Parts of a fit that only this file knows: a variable, a rule and a regulariser. Nothing else
// names them, and yet they run on ranks and on the (emulated) GPU, are accounted, planned, saved
// and resumed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>

#include "device/emulated/arithmetic.hpp"
#include "operator/emulated/operator.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::iterations;
using test::mesh_of;
using test::rounding_of_operators;
using test::scene;

/// One number for all patterns: the beam is so many times as bright, in amplitude, as the probe
/// that is given. Its gradient is 2 Re ⟨∂f/∂probe*, probe⟩.
class Gain final : public Variable<double> {
 public:
  void declare(State<double>& state) override { gain_ = &state.number("toy.gain", 1); }
  void publish(Workspace<double>& with) override {
    Array<Complex<double>, 3> probe = probe_of(with, "probe");
    for (auto& value : probe) value *= *gain_;
    with.op->set_probe(probe);
  }
  void begin(Workspace<double>&, const Batch&) override {}
  void ask(const Batch&, std::size_t, Wanted& wanted, Gradient<double>&) override {
    wanted = wanted.with(Part::probe);
  }
  void start_sum(Workspace<double>& with, const Batch&) override {
    const auto gradient = probe_of(with, "gradient.probe"), probe = probe_of(with, "probe");
    sums_ = {0, 0};
    for (i64 i = 0; i < probe.size(); ++i)
      sums_[0] += 2 * (std::conj(gradient.data()[i]) * probe.data()[i]).real();
    with.team.sum(sums_);
    for (const auto& value : probe) sums_[1] += std::norm(value);
  }
  /// Every step to the detector is unitary, so that a pattern bends by 2 W² Σ|probe|².
  void step(Workspace<double>& with, const Batch& batch) override {
    *gain_ -= sums_[0] / (2 * with.window2() * double(batch.members.size()) * sums_[1]);
    publish(with);
  }

 private:
  static Array<Complex<double>, 3> probe_of(const Workspace<double>& with, const char* field) {
    const auto& waves = with.state.field(field).waves;
    Array<Complex<double>, 3> here(waves.shape());
    with.arithmetic->read(waves.data(), here.data(), waves.size());
    return here;
  }
  double* gain_ = nullptr;
  std::vector<double> sums_;
};

/// How often each position was fitted: a record that goes with it.
class Seen final : public Variable<double> {
 public:
  void declare(State<double>& state) override {
    seen_ = &state.declare({"toy.seen", "toy records", Kind::records, {0, 0, 2}, true});
  }
  void begin(Workspace<double>& with, const Batch& batch) override {
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto& own = with.tiles[t].own;
      Array<double, 3> here(seen_->here[t].shape());
      with.arithmetic->read(seen_->here[t].data(), here.data(), here.size());
      for (std::size_t i = 0; i < own.size(); ++i)
        if (std::binary_search(batch.members.begin(), batch.members.end(), own[i])) {
          here(0, i64(i), 0) += 1;
          here(0, i64(i), 1) = double(own[i]);
        }
      with.arithmetic->write(here.data(), seen_->here[t].data(), here.size());
    }
  }
  void ask(const Batch&, std::size_t, Wanted&, Gradient<double>&) override {}
  void start_sum(Workspace<double>&, const Batch&) override {}
  void step(Workspace<double>&, const Batch&) override {}

 private:
  Field<double>* seen_ = nullptr;
};

/// v ← v/2 + g,  V ← V − step·v: its velocity is a field of its own, which must be saved.
class Momentum final : public UpdateRule<double> {
 public:
  explicit Momentum(i64 slices) : slices_(slices) {}
  void declare(State<double>& state) override {
    velocity_ =
        &state.declare({"toy.velocity", "toy momentum", Kind::voxels, {slices_, 0, 0}, true});
  }
  void step(const Trial<double>& trial) override {
    Arithmetic<double>& arithmetic = *trial.with.arithmetic;
    trial.fill_copies();
    for (std::size_t t = 0; t < trial.with.tiles.size(); ++t) {
      const View<double, 3> v = velocity_->on(t), object = trial.object.values.phase->on(t);
      arithmetic.move_along(v, v, 0.5, -1e30, 1e30, v);
      arithmetic.add_to(trial.object.gradient.phase->on(t), v);
      arithmetic.move_along(object, v, factor / trial.with.window2(), -1e30, 1e30, object);
    }
  }
  [[nodiscard]] double step_in_use(const Workspace<double>&) const override { return factor; }

 private:
  static constexpr double factor = 0.5;
  i64 slices_;
  Field<double>* velocity_ = nullptr;
};

/// Draws every phase towards 0.
class Shrink final : public Regulariser<double> {
 public:
  [[nodiscard]] std::string key() const override { return "toy.shrink"; }
  [[nodiscard]] i64 reach() const override { return 0; }
  void apply(View<double, 3> volume, Arithmetic<double>& arithmetic) const override {
    arithmetic.move_along(volume, volume, 0.05, -1e30, 1e30, volume);
  }
};

Parts<double> toys() {
  Parts<double> parts;
  parts.variables.push_back(std::make_unique<Gain>());
  parts.variables.push_back(std::make_unique<Seen>());
  parts.regularisers.push_back(std::make_unique<Shrink>());
  parts.rule = std::make_unique<Momentum>(test::Scene::slices);
  return parts;
}

FitOptions toy_options() {
  auto o = test::options(5);
  o.probe_from = 0;
  o.step = 1;
  return o;
}

/// The scene's probe, too faint by a quarter.
Array<Complex<double>, 3> faint() {
  auto probe = converted<Complex<double>, Complex<double>, 3>(scene().probe());
  for (auto& value : probe) value *= 0.8;
  return probe;
}

Fit<double> toy_fit(Team& team, int ranks, Ledger* ledger = nullptr) {
  return scene().fit(toy_options(), team, {mesh_of(ranks)}, scene().vacuum(), faint(), toys(),
                     ledger);
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
  const auto object_with = [&](Parts<double> parts) {
    auto fit = scene().fit(toy_options(), *alone, {mesh_of(1)}, scene().vacuum(), faint(),
                           std::move(parts));
    for (int i = 0; i < iterations; ++i) fit.iterate();
    return test::stitched(fit, scene().object());
  };
  const auto all = object_with(toys());
  auto parts = toys();
  parts.variables.clear();
  EXPECT_GT(apart(object_with(std::move(parts)), all), 1e-3);
  parts = toys();
  parts.regularisers.clear();
  EXPECT_GT(apart(object_with(std::move(parts)), all), 1e-3);
  parts = toys();
  parts.rule.reset();
  EXPECT_GT(apart(object_with(std::move(parts)), all), 1e-3);
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
    double planned = 0, allocated = 0;
    for (int rank = 0; rank < 4; ++rank)
      planned += fit_memory<double>(scene().setup(), toy_options(), {mesh_of(4)}, rank,
                                    i64(fit.tiles()[std::size_t(rank)].own.size()), toys())
                     .arrays.at(account);
    for (const auto& entry : ledger.entries())
      if (entry.name == account) allocated = double(entry.now);
    EXPECT_GT(planned, 0) << account;
    EXPECT_EQ(allocated, planned) << account;
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
    auto second = scene().fit(toy_options(), *three, {mesh_of(3)}, object, first.probe(), toys());
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
