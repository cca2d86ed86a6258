#pragma once

// A variable that only tests know: positions wander about, each by a rule of its own, as far as 4
// px from where the scan has them. Where each goes depends on where it was, which is a record of
// it.

#include <cmath>
#include <memory>

#include "solver/parts.hpp"

namespace ptyle::test {

template <class T>
class Wander final : public Variable<T> {
 public:
  explicit Wander(i64 margin) : margin_(margin) {}
  void declare(State<T>& state) override {
    shifts_ = &state.declare({"wander.shift", "wander", Kind::records, {1, 0, 2}, true});
    steps_ = &state.declare({"wander.steps", "wander", Kind::records, {1, 0, 1}, true});
  }
  void publish(Workspace<T>& with) override {
    for (std::size_t t = 0; t < with.tiles.size(); ++t) put(with, t, read(with, *shifts_, t));
  }
  void begin(Workspace<T>&, const Batch&) override {}
  void ask(const Batch&, const Members&, Wanted&, Gradient<T>&) override {}
  void start_sum(Workspace<T>&, const Batch&) override {}
  void step(Workspace<T>&, const Batch&) override {}
  void end_iteration(Workspace<T>& with, const Batch& batch) override {
    for (std::size_t t = 0; t < with.tiles.size(); ++t) {
      auto shifts = read(with, *shifts_, t), steps = read(with, *steps_, t);
      const auto& own = with.tiles[t].own;
      for (std::size_t k = 0; k < own.size(); ++k) {
        const auto at = static_cast<i64>(k);
        for (i64 axis = 0; axis < 2; ++axis)
          shifts(0, at, axis) = T(0.5) * shifts(0, at, axis) +
                                static_cast<T>(step_of(own[k] >> (4 * axis), batch.iteration));
        steps(0, at, 0) += 1;
      }
      with.arithmetic->write(shifts.data(), shifts_->here[t].data(), shifts.size());
      with.arithmetic->write(steps.data(), steps_->here[t].data(), steps.size());
      put(with, t, shifts);
    }
  }
  [[nodiscard]] i64 hand_over_margin() const override { return margin_; }

 private:
  /// About 2 px to one side for three iterations, and then to the other.
  static double step_of(i64 number, int iteration) {
    const double size = 1.9 + 0.1 * std::sin(static_cast<double>(number));
    return (number + iteration / 4) % 2 == 0 ? size : -size;
  }
  static Array<T, 3> read(const Workspace<T>& with, const Field<T>& field, std::size_t t) {
    Array<T, 3> here(field.here[t].shape());
    with.arithmetic->read(field.here[t].data(), here.data(), here.size());
    return here;
  }
  static void put(Workspace<T>& with, std::size_t t, const Array<T, 3>& shifts) {
    const auto& own = with.tiles[t].own;
    for (std::size_t k = 0; k < own.size(); ++k) {
      const auto i = static_cast<std::size_t>(own[k]);
      Position at = with.data.positions[i];
      at.row += static_cast<double>(shifts(0, static_cast<i64>(k), 0));
      at.col += static_cast<double>(shifts(0, static_cast<i64>(k), 1));
      with.put(own[k], place(at, with.op->setup().window));
    }
  }
  i64 margin_;
  Field<T>*shifts_ = nullptr, *steps_ = nullptr;
};

struct WanderOptions {
  i64 margin = 1;  ///< px; of the hand-over
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.variables.push_back(std::make_unique<Wander<T>>(margin));
  }
};
template <class V>
void keys(V&, WanderOptions&) {}

}  // namespace ptyle::test
