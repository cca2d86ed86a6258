#pragma once

// Patterns that NumPy holds, and configurations' values that Python gives.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/patterns_in_memory.hpp"
#include "session/schema.hpp"

namespace ptyle::python {

/// Pairs of a key and its value as YAML.
using Values = std::vector<std::pair<std::string, std::string>>;
std::vector<NamedValue> named(const Values& values);

/// Patterns in NumPy's memory, which stays NumPy's, or read by a Python object.
class Patterns {
 public:
  using Frames =
      nanobind::ndarray<nanobind::ro, nanobind::ndim<3>, nanobind::c_contig, nanobind::device::cpu>;
  using Positions = nanobind::ndarray<const double, nanobind::shape<-1, 2>, nanobind::c_contig,
                                      nanobind::device::cpu>;
  using Bad = nanobind::ndarray<const std::uint8_t, nanobind::ndim<2>, nanobind::c_contig,
                                nanobind::device::cpu>;
  Patterns(Frames frames, std::array<i64, 2> scan_shape, const std::optional<Positions>& positions,
           std::optional<Bad> bad);
  /// Those that a Python object reads as they are needed; `facts`: a file that states what is known
  /// of them.
  Patterns(const nanobind::object& reader, const std::string& facts,
           const std::optional<Positions>& positions, std::optional<Bad> bad);
  [[nodiscard]] const PatternsInMemory& view() const { return view_; }
  [[nodiscard]] std::size_t address() const {
    return frames_ ? reinterpret_cast<std::size_t>(frames_->data()) : 0;
  }

 private:
  void place(i64 count, std::array<i64, 2> scan_shape, const std::optional<Positions>& positions);
  std::optional<Frames> frames_;
  std::optional<Bad> bad_;
  PatternsInMemory view_;
};

/// Those of a Python object, or none.
inline const PatternsInMemory* view_of(const Patterns* patterns) {
  return patterns ? &patterns->view() : nullptr;
}

void bind_data(nanobind::module_& m);
void bind_reconstruction(nanobind::module_& m);
void bind_commands(nanobind::module_& m);

}  // namespace ptyle::python
