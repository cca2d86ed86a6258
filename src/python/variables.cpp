#include "python/variables.hpp"

#include <fmt/format.h>
#include <nanobind/stl/string.h>

#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "device/arithmetic.hpp"
#include "python/arrays.hpp"
#include "solver/parts.hpp"

namespace nb = nanobind;

namespace ptyle::python {
namespace {

/// A mini-batch as an object in Python sees it.
struct MiniBatch {
  int iteration = 0;
  std::size_t number = 0, patterns = 0;
  bool refines_probe = false;
  nb::object probe, gradient;  ///< arrays of the fit's, while the call lasts
};

/// A number of an object's, in the fit's state: the same on all ranks, and saved.
struct Number {
  std::string name;
  double* in_state;
};

/// One object's part of the fit.
class OnePart {
 public:
  explicit OnePart(std::shared_ptr<const PythonObject> object) : object_(std::move(object)) {}
  [[nodiscard]] const std::string& name() const { return object_->name; }

  template <class T>
  void declare(State<T>& state) {
    for (const auto& [key, value] : numbers()) {
      const auto name = nb::cast<std::string>(key);
      numbers_.push_back({name, &state.number(fmt::format("variable.{}.{}", object_->name, name),
                                              nb::cast<double>(value))});
    }
  }
  void read_state() const {
    nb::dict numbers = this->numbers();
    for (const Number& number : numbers_) numbers[number.name.c_str()] = *number.in_state;
  }
  void call(const char* method, nb::handle batch) const {
    object_->object.attr(method)(batch);
    const nb::dict numbers = this->numbers();
    for (const Number& number : numbers_) {
      if (!numbers.contains(number.name.c_str())) fault("number '" + number.name + "' is gone");
      if (!nb::try_cast<double>(numbers[number.name.c_str()], *number.in_state))
        fault("number '" + number.name + "' has become no number");
    }
    if (numbers.size() != numbers_.size()) fault("numbers are more than when the run began");
  }

 private:
  [[noreturn]] void fault(const std::string& what) const {
    throw UserError(fmt::format("variable {}: its {}", object_->name, what));
  }
  [[nodiscard]] nb::dict numbers() const {
    const nb::object all = object_->object.attr("numbers");
    if (!nb::isinstance<nb::dict>(all)) fault("numbers are no dictionary any more");
    return nb::borrow<nb::dict>(all);
  }
  std::shared_ptr<const PythonObject> object_;
  std::vector<Number> numbers_;
};

/// All of them, as they share the probe's gradient.
template <class T>
class OfPython final : public Variable<T> {
 public:
  explicit OfPython(const std::vector<std::shared_ptr<const PythonObject>>& objects) {
    for (const auto& object : objects) parts_.emplace_back(object);
  }
  [[nodiscard]] std::string key() const override { return "variable " + parts_.front().name(); }

  void declare(State<T>& state) override {
    const nb::gil_scoped_acquire lock;
    for (OnePart& part : parts_) part.declare(state);
  }
  void publish(Workspace<T>& with) override {
    check_on_host(*with.arithmetic, key() + " is an object");
    const nb::gil_scoped_acquire lock;
    for (const OnePart& part : parts_) part.read_state();
  }
  [[nodiscard]] bool needs_sums() const override { return true; }
  [[nodiscard]] bool needs_batches() const override { return true; }
  void ask(const Batch&, const Members&, Wanted& wanted, Gradient<T>&) override {
    wanted = wanted.with(Part::probe);
  }
  void step(Workspace<T>& with, const Batch& batch) override {
    Array<Complex<T>, 3>& gradient = with.state.field("gradient.probe").waves;
    if (!batch.refine_probe) {  // else the probe has summed it over the ranks
      const View<T, 3> numbers = parts_of(gradient.view());
      with.team.start_sum(std::span<T>(numbers.data, static_cast<std::size_t>(numbers.size())))
          .finish();
    }
    call("step", with, batch, &gradient);
  }
  void end_iteration(Workspace<T>& with, const Batch& batch) override {
    call("end_iteration", with, batch, nullptr);
  }

 private:
  void call(const char* method, Workspace<T>& with, const Batch& batch,
            Array<Complex<T>, 3>* gradient) {
    Array<Complex<T>, 3>& probe = with.state.field("probe").waves;
    try {
      const nb::gil_scoped_acquire lock;
      const nb::object waves = nb::cast(seen(probe.view(), nb::none()));
      nb::object slope = nb::none();
      if (gradient) {
        slope = nb::cast(seen(gradient->view(), nb::none()));
        close(slope);
      }
      const nb::object seen_batch = nb::cast(MiniBatch{
          batch.iteration, batch.number, batch.members.size(), batch.refine_probe, waves, slope});
      try {
        for (const OnePart& part : parts_) part.call(method, seen_batch);
      } catch (...) {
        close(waves);
        throw;
      }
      close(waves);
    } catch (...) {
      with.op->set_probe(probe);  // as far as it has come
      throw;
    }
    with.op->set_probe(probe);
  }
  std::vector<OnePart> parts_;
};

}  // namespace

template <class T>
void PythonVariables::add_to(Parts<T>& parts) const {
  if (!objects.empty()) parts.variables.push_back(std::make_unique<OfPython<T>>(objects));
}

template void PythonVariables::add_to(Parts<float>&) const;
template void PythonVariables::add_to(Parts<double>&) const;

PythonVariables variables_of(const nb::list& given) {
  PythonVariables all;
  for (const nb::handle one : given) {
    const auto parts = nb::cast<nb::tuple>(one);
    all.objects.push_back(
        kept(PythonObject{nb::borrow<nb::object>(parts[0]), nb::cast<std::string>(parts[1])}));
  }
  return all;
}

void bind_mini_batch(nb::module_& m) {
  nb::class_<MiniBatch>(m, "MiniBatch", "A mini-batch whose gradients are there, for a Variable.")
      .def_ro("iteration", &MiniBatch::iteration, "1, 2, …")
      .def_ro("number", &MiniBatch::number, "0, 1, … within the iteration")
      .def_ro("patterns", &MiniBatch::patterns, "of all ranks")
      .def_ro("refines_probe", &MiniBatch::refines_probe,
              "The fit's own step of the probe has come before.")
      .def_prop_ro(
          "probe", [](const MiniBatch& batch) { return batch.probe; },
          nb::sig("def probe(self) -> numpy.ndarray"),
          "(mode, W, W) complex, centred on [W/2, W/2]: the fit's own, to be changed in place.")
      .def_prop_ro(
          "probe_gradient", [](const MiniBatch& batch) { return batch.gradient; },
          nb::sig("def probe_gradient(self) -> numpy.ndarray | None"),
          "∂f/∂probe*, summed over the mini-batch's patterns, of all ranks; None at the end of an\n"
          "iteration.");
}

}  // namespace ptyle::python
