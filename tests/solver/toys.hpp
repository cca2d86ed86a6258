#pragma once

// Parts of a fit that only tests know: two variables, a rule, a penalty and a regulariser, each
// with keys of its own. Nothing in src/ names them.

#include <algorithm>
#include <memory>
#include <vector>

#include "solver/parts.hpp"

namespace ptyle::test {

/// One number for all patterns: the beam is so many times as bright, in amplitude, as the probe
/// that is given. Its gradient is 2 Re ⟨∂f/∂probe*, probe⟩. What it differs by from 1 is a field of
/// one wave of one pixel, the same on all ranks.
template <class T>
class Gain final : public Variable<T> {
 public:
  void declare(State<T>& state) override {
    excess_ = &state.declare({"toy.gain", "toy gain", Kind::common, {1, 1, 1}, true});
  }
  void publish(Workspace<T>& with) override {
    Array<Complex<T>, 3> probe = waves_of(with, "probe");
    const Complex<T> gain = T(1) + waves_of(with, "toy.gain")(0, 0, 0);
    for (auto& value : probe) value *= gain;
    with.op->set_probe(probe);
  }
  void begin(Workspace<T>&, const Batch&) override {}
  void ask(const Batch&, const Members&, Wanted& wanted, Gradient<T>&) override {
    wanted = wanted.with(Part::probe);
  }
  void start_sum(Workspace<T>& with, const Batch&) override {
    const auto gradient = waves_of(with, "gradient.probe"), probe = waves_of(with, "probe");
    sums_ = {0, 0};
    for (i64 i = 0; i < probe.size(); ++i)
      sums_[0] += 2 * double((std::conj(gradient.data()[i]) * probe.data()[i]).real());
    with.team.sum(sums_);
    for (const auto& value : probe) sums_[1] += double(std::norm(value));
  }
  /// Every step to the detector is unitary, so that a pattern bends by 2 W² Σ|probe|².
  void step(Workspace<T>& with, const Batch& batch) override {
    auto excess = waves_of(with, "toy.gain");
    excess(0, 0, 0) -=
        static_cast<T>(sums_[0] / (2 * with.window2() * double(batch.members.size()) * sums_[1]));
    with.arithmetic->write(excess.data(), excess_->waves.data(), 1);
    publish(with);
  }

 private:
  static Array<Complex<T>, 3> waves_of(const Workspace<T>& with, const char* field) {
    const auto& waves = with.state.field(field).waves;
    Array<Complex<T>, 3> here(waves.shape());
    with.arithmetic->read(waves.data(), here.data(), waves.size());
    return here;
  }
  Field<T>* excess_ = nullptr;
  std::vector<double> sums_;
};

/// How often each position was fitted: a record that goes with it.
template <class T>
class Seen final : public Variable<T> {
 public:
  void declare(State<T>& state) override {
    seen_ = &state.declare({"toy.seen", "toy records", Kind::records, {0, 0, 2}, true});
  }
  void begin(Workspace<T>& with, const Batch& batch) override {
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      const auto& own = with.tiles[t].own;
      Array<T, 3> here(seen_->here[t].shape());
      with.arithmetic->read(seen_->here[t].data(), here.data(), here.size());
      for (std::size_t i = 0; i < own.size(); ++i)
        if (std::binary_search(batch.members.begin(), batch.members.end(), own[i])) {
          here(0, i64(i), 0) += 1;
          here(0, i64(i), 1) = T(own[i]);
        }
      with.arithmetic->write(here.data(), seen_->here[t].data(), here.size());
    }
  }
  void ask(const Batch&, const Members&, Wanted&, Gradient<T>&) override {}
  void start_sum(Workspace<T>&, const Batch&) override {}
  void step(Workspace<T>&, const Batch&) override {}

 private:
  Field<T>* seen_ = nullptr;
};

/// v ← memory·v + g,  V ← V − step·v / W²: its velocity is a field of its own, which must be saved.
template <class T>
class Momentum final : public UpdateRule<T> {
 public:
  Momentum(double memory, double step) : forgets_(1 - memory), step_(step) {}
  void declare(State<T>& state) override {
    const i64 slices = state.field("phase").shape[0];
    velocity_ =
        &state.declare({"toy.velocity", "toy momentum", Kind::voxels, {slices, 0, 0}, true});
  }
  void step(const Trial<T>& trial) override {
    Arithmetic<T>& arithmetic = *trial.with.arithmetic;
    trial.fill_copies();
    for (std::size_t t = 0; t < trial.with.tiles.size(); ++t) {
      const View<T, 3> v = velocity_->on(t), object = trial.object.values.phase->on(t);
      arithmetic.run(MoveAlong<T>(v, v, forgets_, {-1e30, 1e30}, v));
      arithmetic.run(AddTo<T>(trial.object.gradient.phase->on(t), v));
      const double step = step_ / trial.with.window2();
      arithmetic.run(MoveAlong<T>(object, v, step, {-1e30, 1e30}, object));
    }
  }
  [[nodiscard]] double step_in_use(const Workspace<T>&) const override { return step_; }

 private:
  double forgets_, step_;
  Field<T>* velocity_ = nullptr;
};

/// Draws every phase towards 0.
template <class T>
class Shrink final : public Regulariser<T> {
 public:
  explicit Shrink(double share) : share_(share) {}
  [[nodiscard]] std::string key() const override { return "toy.shrink"; }
  [[nodiscard]] i64 reach() const override { return 0; }
  void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const override {
    for (const View<T, 3>& volume : volumes)
      arithmetic.run(MoveAlong<T>(volume, volume, share_, {-1e30, 1e30}, volume));
  }

 private:
  double share_;
};

/// weight · Σ (V⁴ of a voxel and of its right neighbour): not quadratic, with a reach.
template <class T>
class Quartic final : public Penalty<T> {
 public:
  explicit Quartic(double weight) : weight_(weight) {}
  [[nodiscard]] std::string key() const override { return "toy.quartic"; }
  [[nodiscard]] i64 reach() const override { return 1; }
  [[nodiscard]] double steepness() const override { return weight_; }
  void add_gradient(View<const T, 3> volume, const PenaltyPart& part, double share,
                    View<T, 3> gradient, Arithmetic<T>& arithmetic) const override {
    const auto here = arithmetic.on_host(volume);
    Array<T, 3> sum(gradient.shape);
    arithmetic.read(gradient.data, sum.data(), sum.size());
    each(here.view, part.core, [&](i64 z, i64 y, i64 x) {
      sum(z, y, x) += T(4 * share * weight_ * std::pow(double(here.view(z, y, x)), 3));
    });
    arithmetic.write(sum.data(), gradient.data, sum.size());
  }
  [[nodiscard]] double cost(View<const T, 3> volume, const PenaltyPart& part,
                            Arithmetic<T>& arithmetic) const override {
    const auto here = arithmetic.on_host(volume);
    double sum = 0;
    each(here.view, part.core,
         [&](i64 z, i64 y, i64 x) { sum += std::pow(double(here.view(z, y, x)), 4); });
    return weight_ * sum;
  }
  [[nodiscard]] double curvature(View<const T, 3> volume, View<const T, 3> direction,
                                 const PenaltyPart& part,
                                 Arithmetic<T>& arithmetic) const override {
    const auto here = arithmetic.on_host(volume), along = arithmetic.on_host(direction);
    double sum = 0;
    each(here.view, part.core, [&](i64 z, i64 y, i64 x) {
      sum += 6 * std::pow(double(here.view(z, y, x)) * double(along.view(z, y, x)), 2);
    });
    return weight_ * sum;
  }
  void add_product(View<const T, 3> volume, View<const T, 3> direction, const PenaltyPart& part,
                   double share, View<T, 3> product, Arithmetic<T>& arithmetic) const override {
    const auto here = arithmetic.on_host(volume), along = arithmetic.on_host(direction);
    Array<T, 3> sum(product.shape);
    arithmetic.read(product.data, sum.data(), sum.size());
    each(here.view, part.core, [&](i64 z, i64 y, i64 x) {
      sum(z, y, x) += T(12 * share * weight_ * std::pow(double(here.view(z, y, x)), 2) *
                        double(along.view(z, y, x)));
    });
    arithmetic.write(sum.data(), product.data, sum.size());
  }

 private:
  /// Voxels of the core, and those to the right of them.
  template <class Visit>
  static void each(View<const T, 3> of, const Box& core, Visit&& visit) {
    for (i64 z = 0; z < of.shape[0]; ++z)
      for (i64 y = core.rows.begin; y < core.rows.end; ++y)
        for (i64 x = core.cols.begin; x < core.cols.end; ++x) {
          visit(z, y, x);
          if (x + 1 < of.shape[2]) visit(z, y, x + 1);
        }
  }
  double weight_;
};

// Options of each. The first that is declared describes the section.

struct GainOptions {
  bool fitted = false;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if (fitted) parts.variables.push_back(std::make_unique<Gain<T>>());
  }
};
template <class V>
void keys(V& v, GainOptions& o) {
  v.section("toy", "parts that only a test knows");
  v("gain", o.fitted, "whether the beam's amplitude is fitted").same_at_resume();
}

struct SeenOptions {
  bool counted = false;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if (counted) parts.variables.push_back(std::make_unique<Seen<T>>());
  }
};
template <class V>
void keys(V& v, SeenOptions& o) {
  v.section("toy");
  v("seen", o.counted, "whether it is counted how often a position is fitted").same_at_resume();
}

struct MomentumOptions {
  double memory = 0;  ///< 0: another rule
  double step = 0.5;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if (memory > 0) parts.rule = std::make_unique<Momentum<T>>(memory, step);
  }
};
template <class V>
void keys(V& v, MomentumOptions& o) {
  v.section("toy");
  v("momentum", o.memory, between(0, 0.99), "of the velocity, what is left after a step")
      .same_at_resume();
  v("step", o.step, above(0).up_to(10), "of the velocity").example("0.3");
}

struct QuarticOptions {
  double weight = 0;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if (weight > 0) parts.penalties.push_back(std::make_unique<Quartic<T>>(weight));
  }
};
template <class V>
void keys(V& v, QuarticOptions& o) {
  v.section("toy");
  v("quartic", o.weight, at_least(0), "of every phase's fourth power in the cost");
}

struct ShrinkOptions {
  double share = 0;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if (share > 0) parts.regularisers.push_back(std::make_unique<Shrink<T>>(share));
  }
};
template <class V>
void keys(V& v, ShrinkOptions& o) {
  v.section("toy");
  v("shrink", o.share, between(0, 1), "of each phase, which goes every iteration");
}

/// ptyle's own parts and all toys, none of which is asked for.
inline PartOptions with_toys() {
  PartOptions parts = known_parts();
  parts.add<GainOptions>();
  parts.add<SeenOptions>();
  parts.add<MomentumOptions>();
  parts.add<QuarticOptions>();
  parts.add<ShrinkOptions>();
  return parts;
}

/// All toys are asked for.
inline PartOptions toys() {
  PartOptions parts = with_toys();
  parts.of<GainOptions>().fitted = true;
  parts.of<SeenOptions>().counted = true;
  parts.of<MomentumOptions>().memory = 0.5;
  parts.of<QuarticOptions>().weight = 1000;
  parts.of<ShrinkOptions>().share = 0.05;
  return parts;
}

}  // namespace ptyle::test
