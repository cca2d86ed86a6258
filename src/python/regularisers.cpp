#include "python/regularisers.hpp"

#include <nanobind/stl/string.h>

#include <array>
#include <span>
#include <utility>

#include "python/arrays.hpp"
#include "solver/parts.hpp"

namespace nb = nanobind;

namespace ptyle::python {
namespace {

template <class T>
class OfPython final : public Regulariser<T> {
 public:
  explicit OfPython(std::shared_ptr<const PythonFunction> function)
      : function_(std::move(function)) {}
  [[nodiscard]] std::string key() const override { return "regulariser " + function_->name; }
  [[nodiscard]] i64 reach() const override { return function_->reach; }
  void apply(std::span<const View<T, 3>> volumes, Arithmetic<T>& arithmetic) const override {
    check_on_host(arithmetic, key() + " is a function");
    const nb::gil_scoped_acquire lock;
    const nb::object phase = here(volumes[0]);
    const nb::object absorption = volumes.size() > 1 ? here(volumes[1]) : nb::object(nb::none());
    function_->function(phase, absorption);
    close(phase);
    if (!absorption.is_none()) close(absorption);
  }

 private:
  static nb::object here(const View<T, 3>& volume) { return nb::cast(seen(volume, nb::none())); }
  std::shared_ptr<const PythonFunction> function_;
};

}  // namespace

template <class T>
void PythonRegularisers::add_to(Parts<T>& parts) const {
  for (const auto& function : functions)
    parts.regularisers.push_back(std::make_unique<OfPython<T>>(function));
}

template void PythonRegularisers::add_to(Parts<float>&) const;
template void PythonRegularisers::add_to(Parts<double>&) const;

PythonRegularisers regularisers_of(const nb::list& given) {
  PythonRegularisers all;
  for (const nb::handle one : given) {
    const auto parts = nb::cast<nb::tuple>(one);
    all.functions.push_back(
        kept(PythonFunction{nb::cast<nb::callable>(parts[0]), nb::cast<std::string>(parts[1]),
                            nb::cast<i64>(parts[2])}));
  }
  return all;
}

}  // namespace ptyle::python
