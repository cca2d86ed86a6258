#pragma once

// Gradients of whatever a fit finds, by finite differences of the cost: every field of its state
// that is saved and has another beside it, named "gradient." and its name, is checked as it stands.

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "exchange/local/team.hpp"
#include "solver/course.hpp"
#include "solver/parts.hpp"
#include "solver/variables/mixture.hpp"
#include "solver/variables/probe.hpp"

namespace ptyle::test {

/// Slopes along shifts, which the operator puts wherever the variable of positions says, as a field
/// beside its own. It is asked last.
class SlopesOfShifts final : public Variable<double> {
 public:
  void declare(State<double>& state) override {
    if (state.has("shift"))
      field_ = &state.declare({"gradient.shift", "test", Kind::records, {1, 0, 2}});
  }
  void begin(Workspace<double>&, const Batch&) override {}
  void ask(const Batch&, const Members&, Wanted& wanted, Gradient<double>& sums) override {
    if (wanted.has(Part::shift)) given_ = sums.shift;
  }
  void start_sum(Workspace<double>&, const Batch&) override {}
  void step(Workspace<double>&, const Batch&) override {}
  /// The gradient as it stands now; all positions are of the mini-batch.
  void take() {
    if (field_) std::copy(given_.begin(), given_.end(), field_->on(0).begin());
  }

 private:
  Field<double>* field_ = nullptr;
  View<double, 2> given_;
};

/// Slopes of the numbers that a position mixes its modes by, as fields beside their own, of the
/// operator's gradient of its coefficients.
class SlopesOfMixtures final : public Variable<double> {
 public:
  void declare(State<double>& state) override {
    if (!state.has("mixture")) return;
    x_ = &state.field("mixture");
    e_ = &state.field("intensity");
    slopes_of_x_ =
        &state.declare({"gradient.mixture", "test", Kind::records, {1, 0, x_->shape[2]}});
    slopes_of_e_ = &state.declare({"gradient.intensity", "test", Kind::records, {1, 0, 1}});
  }
  /// Somewhere else than at 0.
  void begin_somewhere() {
    if (!x_) return;
    std::mt19937 random(5);
    std::uniform_real_distribution<double> some(-0.3, 0.3);
    for (Field<double>* field : {x_, e_})
      for (double& value : field->on(0)) value = some(random);
  }
  void begin(Workspace<double>&, const Batch&) override {}
  void ask(const Batch&, const Members&, Wanted& wanted, Gradient<double>& sums) override {
    if (wanted.has(Part::coefficients)) given_ = sums.coefficients;
  }
  void start_sum(Workspace<double>&, const Batch&) override {}
  void step(Workspace<double>&, const Batch&) override {}
  void take() {
    if (!x_) return;
    for (i64 k = 0; k < given_.shape[0]; ++k) {
      Mixture mixture;
      for (i64 q = 0; q < x_->shape[2]; ++q) mixture.x.push_back(x_->on(0)(0, k, q));
      mixture.e = e_->on(0)(0, k, 0);
      const Mixture slopes = slopes_of(mixture, given_[k]);
      std::copy(slopes.x.begin(), slopes.x.end(), &slopes_of_x_->on(0)(0, k, 0));
      slopes_of_e_->on(0)(0, k, 0) = slopes.e;
    }
  }

 private:
  Field<double>*x_ = nullptr, *e_ = nullptr, *slopes_of_x_ = nullptr, *slopes_of_e_ = nullptr;
  View<Complex<double>, 3> given_;
};

/// A fit's inside: object, probe and further variables, all positions a batch on one rank.
class Inside {
 public:
  using Variables = std::vector<std::unique_ptr<Variable<double>>>;
  struct Given {
    std::unique_ptr<Operator<double>> op;
    std::unique_ptr<Arithmetic<double>> arithmetic;  ///< none: in the host's memory
    FitData<double> data;
    FitOptions options;
    TileStart<double> start;
    Array<Complex<double>, 3> probe;
    std::vector<Position> positions = {};  ///< the data's, where they are nobody else's
  };
  explicit Inside(Given given, Variables more = {}, Penalties<double> penalties = {})
      : positions_(std::move(given.positions)), penalties_(std::move(penalties)) {
    if (!positions_.empty()) given.data.positions = positions_;
    const auto& shape = given.start.phase.shape();
    const OperatorSetup setup = given.op->setup();
    const Mesh whole({{0, shape[1]}, {0, shape[2]}}, {}, {}, Halo::exact(setup.window));
    with_ = std::make_unique<Workspace<double>>(std::move(given.op), std::move(given.data),
                                                std::move(given.options), *team_, Sharing{whole},
                                                nullptr, std::move(given.arithmetic));
    object_ = std::make_unique<ObjectVariable<double>>(with_->state, setup);
    auto probe = std::make_unique<ProbeVariable<double>>(setup);
    auto* const its = probe.get();
    variables_.push_back(std::move(probe));
    for (auto& one : more) variables_.push_back(std::move(one));
    auto slopes = std::make_unique<SlopesOfShifts>();
    slopes_of_shifts_ = slopes.get();
    variables_.push_back(std::move(slopes));
    auto mixtures = std::make_unique<SlopesOfMixtures>();
    slopes_of_mixtures_ = mixtures.get();
    variables_.push_back(std::move(mixtures));
    for (const auto& variable : variables_) variable->declare(with_->state);
    Descent<double>().declare(with_->state);
    its->begin_with(*with_, std::move(given.probe), nullptr);
    std::vector<TileStart<double>> start;
    start.push_back(std::move(given.start));
    object_->begin_with(std::move(start), *with_->arithmetic);
    with_->state.allocate(*with_->arithmetic);
    slopes_of_mixtures_->begin_somewhere();
    batch_.refine_probe = true;
    batch_.iteration = 1;
    for (i64 i = 0; i < i64(with_->data.positions.size()); ++i) batch_.members.push_back(i);
  }

  struct Slopes {
    int fields = 0;      ///< that were checked
    double largest = 0;  ///< relative difference of a slope ⟨g, d⟩ from the cost's difference
  };
  /// Along a few random directions of each field. Differences at h = 1e-5, extrapolated, are right
  /// to h⁴ times the fifth derivative, and to the cost's rounding over h.
  Slopes check() {
    Slopes found;
    std::mt19937 random(7);
    accumulate();
    auto& fields = with_->state.fields();
    for (auto& field : fields) {
      const auto gradient = std::find_if(fields.begin(), fields.end(), [&](const auto& other) {
        return other.name == "gradient." + field.name;
      });
      if (!field.saved || gradient == fields.end()) continue;
      ++found.fields;
      for (int direction = 0; direction < 3; ++direction)
        found.largest = std::max(found.largest, error_along(field, *gradient, random));
    }
    return found;
  }

 private:
  /// The course's gradients, without a step.
  struct Gradients : Course<double> {
    using Course<double>::Course;
    using Course<double>::accumulate;
  };
  void publish() {
    for (const auto& variable : variables_) variable->publish(*with_);
    object_->publish(*with_, 0);
  }
  double cost() {
    publish();
    return with_->op
               ->misfit(with_->places_on(with_->tiles[0], batch_.members),
                        with_->measured_at(batch_.members))
               .cost +
           cost_of<double>(penalties_, *with_, object_->values);
  }
  void accumulate() {
    publish();
    Descent<double> rule;
    with_->costs.begin(1, 0);
    Gradients(*with_, {*object_, variables_, rule, penalties_}).accumulate(batch_);
    slopes_of_shifts_->take();
    slopes_of_mixtures_->take();
  }
  double error_along(Field<double>& field, Field<double>& gradient, std::mt19937& random) {
    const bool waves = field.kind == Kind::common;
    const View<double, 3> values = waves ? parts_of(field.waves.view()) : field.on(0),
                          slopes = waves ? parts_of(gradient.waves.view()) : gradient.on(0);
    const double h = 1e-5;
    std::normal_distribution<double> normal;
    std::vector<double> d(static_cast<std::size_t>(values.size())), before(d.size());
    double slope = 0;
    for (std::size_t i = 0; i < d.size(); ++i) {
      d[i] = normal(random);
      before[i] = values.data[i];
      slope += (waves ? 2 : 1) * slopes.data[i] * d[i];  // of ∂f/∂probe*: 2 Re
    }
    const auto cost_at = [&](double along) {
      for (std::size_t i = 0; i < d.size(); ++i) values.data[i] = before[i] + along * d[i];
      return cost();
    };
    const auto difference = [&](double step) {
      return (cost_at(step) - cost_at(-step)) / (2 * step);
    };
    const double extrapolated = (4 * difference(h / 2) - difference(h)) / 3;
    cost_at(0);
    return std::abs(extrapolated / slope - 1);
  }

  std::unique_ptr<Team> team_ = make_local_team();
  std::unique_ptr<Workspace<double>> with_;
  std::unique_ptr<ObjectVariable<double>> object_;
  Variables variables_;
  std::vector<Position> positions_;
  Penalties<double> penalties_;
  SlopesOfShifts* slopes_of_shifts_ = nullptr;      // one of variables_
  SlopesOfMixtures* slopes_of_mixtures_ = nullptr;  // likewise
  Batch batch_;
};

/// A variable whose gradient is wrong: it is added to the probe, and says that all slopes are 1.
class WrongVariable final : public Variable<double> {
 public:
  void declare(State<double>& state) override {
    const auto shape = state.field("probe").shape;
    values_ = &state.declare({"toy.wrong", "toy", Kind::common, shape, true});
    gradient_ = &state.declare({"gradient.toy.wrong", "toy", Kind::common, shape});
  }
  void publish(Workspace<double>& with) override {
    auto probe = converted<Complex<double>, Complex<double>, 3>(
        std::as_const(with.state.field("probe").waves).view());
    for (i64 i = 0; i < probe.size(); ++i) probe.data()[i] += values_->waves.data()[i];
    with.op->set_probe(probe);
  }
  void begin(Workspace<double>&, const Batch&) override {}
  void ask(const Batch&, const Members&, Wanted&, Gradient<double>&) override {
    for (auto& value : gradient_->waves) value = {1, 0};
  }
  void start_sum(Workspace<double>&, const Batch&) override {}
  void step(Workspace<double>&, const Batch&) override {}

 private:
  Field<double>*values_ = nullptr, *gradient_ = nullptr;
};

}  // namespace ptyle::test
