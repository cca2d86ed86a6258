#include "solver/rules/adam.hpp"

#include "solver/rules/low_pass.hpp"

namespace ptyle {
namespace {

constexpr double floor_of_a_radian = 1e-8;

}  // namespace

template <class T>
void AdamRule<T>::declare(State<T>& state) {
  step_.declare(state);
  mean_ = declare_on_cores(state, "adam.mean", "adam", true);
  mean_square_ = declare_on_cores(state, "adam.mean_square", "adam", true);
  direction_ = declare_on_cores(state, "adam.direction", "adam", false);
  steps_ = &state.number("adam.steps");
  stage_.declare(state, "adam");
}

template <class T>
void AdamRule<T>::step(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  if (stage_.take(with.options.continuation)) *steps_ = 0;
  if (*steps_ == 0)
    for (const auto* volumes : {&mean_, &mean_square_})
      for (std::size_t t = 0; t < with.tiles.size(); ++t)
        for (const View<T, 3>& volume : volumes->on(t)) with.arithmetic->clear(volume);
  *steps_ += 1;
  low_passed<T>(trial, trial.object.gradient, [&] { make_direction(trial); });
  move_object(trial, step_.in_use(with), false);
  with.halos.fill(trial.object.stacks());
}

/// In the place of the gradient.
template <class T>
void AdamRule<T>::make_direction(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  const ObjectGradient<T>& gradient = trial.object.gradient;
  const double radian = with.window2() * with.state.numbers().at("largest_probe");
  const AdamFactors factors{options_.adam_beta1, options_.adam_beta2, static_cast<int>(*steps_),
                            floor_of_a_radian * radian};
  untie(with, gradient);
  cores_.take(with, gradient, direction_);
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (std::size_t f = 0; f < direction_.fields().size(); ++f)
      with.arithmetic->run(Adam<T>(factors, mean_.fields()[f]->on(t),
                                   mean_square_.fields()[f]->on(t), direction_.fields()[f]->on(t)));
  cores_.put(with, direction_, gradient);
}

template class AdamRule<float>;
template class AdamRule<double>;

}  // namespace ptyle
