#include "solver/rules/gauss_newton.hpp"

#include <utility>

namespace ptyle {
namespace {

/// Conjugate gradients end where r·M r is this part of g·M g.
constexpr double forcing = 1e-2;

}  // namespace

template <class T>
GaussNewton<T>::GaussNewton(int steps, std::unique_ptr<Preconditioning<T>> preconditioning)
    : WholeScanRule<T>("gauss_newton", "gauss-newton", std::move(preconditioning)), steps_(steps) {}

template <class T>
void GaussNewton<T>::declare(State<T>& state) {
  WholeScanRule<T>::declare(state);
  const auto on_cores = [&](const std::string& name, bool saved) {
    return declare_on_cores(state, "gauss_newton." + name, this->account(), saved);
  };
  begin_ = {on_cores("at", true), on_cores("gradient", true)};
  residual_ = on_cores("residual", false);
  way_ = on_cores("way", false);
  image_ = on_cores("image", false);
  weighed_ = on_cores("weighed", false);
  product_ = declare_as_object(state, Kind::voxels, "gauss_newton.product", "gradient", false);
  allowed_ = &state.number("gauss_newton.allowed", steps_);
  damping_ = &state.number("gauss_newton.damping");
  bend_ = &state.number("gauss_newton.bend");
}

template <class T>
void GaussNewton<T>::forget() {
  *allowed_ = steps_;
  *damping_ = 0;
}

template <class T>
void GaussNewton<T>::keep_step(const Trial<T>& trial) {
  constexpr double less = 0.7;
  const double part = this->step_in_use(trial.with) / trial.with.caution;  // t
  *damping_ = part < 1 ? *damping_ + (1 / part - 1) * *bend_ : less * *damping_;
  *allowed_ = steps_;
  this->begin_step(trial);
}

template <class T>
bool GaussNewton<T>::simplify() {
  const bool simpler = *allowed_ > 1;
  *allowed_ = 1;
  return simpler;
}

/// H p; what the gradient's arrays hold is lost.
template <class T>
void GaussNewton<T>::multiply(const Trial<T>& trial, const Volumes<T>& p, const Volumes<T>& hp) {
  Workspace<T>& with = trial.with;
  this->cores_.put(with, p, trial.object.gradient);
  with.halos.fill(trial.object.gradients(1, false));
  trial.product(trial.object.gradient, product_);
  this->cores_.take(with, product_, hp);
}

/// q = d.
template <class T>
double GaussNewton<T>::make_direction(const Trial<T>& trial) {
  Workspace<T>& with = trial.with;
  for (std::size_t t = 0; t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : q().on(t)) with.arithmetic->clear(volume);
  copy(with, begin_.gradient, residual_);
  keep_free(trial, residual_);
  double first = 0, before = 0;
  for (int step = 0; step < static_cast<int>(*allowed_); ++step) {
    copy(with, residual_, image_);
    this->precondition(trial, image_);
    keep_free(trial, image_);
    const double now = dot(with, residual_, image_);
    if (step == 0) first = now;
    if (!(now > (step == 0 ? 0 : forcing * first))) break;
    if (step == 0) {
      copy(with, image_, way_);
      copy(with, residual_, weighed_);
    } else {
      combine(with, 1, image_, now / before, way_);
      combine(with, 1, residual_, now / before, weighed_);
    }
    before = now;
    multiply(trial, way_, image_);
    keep_free(trial, image_);
    const double weight = dot(with, way_, weighed_);
    if (step == 0) *bend_ = dot(with, way_, image_) / weight;
    combine(with, *damping_, weighed_, 1, image_);
    const double bend = dot(with, way_, image_);
    if (!(bend > 0)) break;
    combine(with, now / bend, way_, 1, q());
    combine(with, -now / bend, image_, 1, residual_);
  }
  return with.caution;
}

template class GaussNewton<float>;
template class GaussNewton<double>;

}  // namespace ptyle
