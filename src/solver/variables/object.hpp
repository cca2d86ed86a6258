#pragma once

// The object: phase and, if fitted, absorption, on tiles. How it moves is the course's to say
// (solver/course), since ranks share it.

#include <array>
#include <vector>

#include "exchange/exchange.hpp"
#include "operator/operator.hpp"
#include "solver/workspace.hpp"

namespace ptyle {

/// Phase and absorption, or a gradient or direction of theirs.
template <class T>
struct Volumes {
  Field<T>* phase = nullptr;
  Field<T>* absorption = nullptr;  ///< null: a potential object

  [[nodiscard]] ObjectView<T> view(std::size_t tile) const {
    return {std::as_const(*phase).on(tile),
            absorption ? std::as_const(*absorption).on(tile) : View<const T, 3>{}};
  }
  /// Those that there are, each with all states of the object.
  [[nodiscard]] std::vector<Field<T>*> fields() const;
  [[nodiscard]] i64 states() const { return phase->volumes; }
  /// Those of a state; and of each, one state after the other.
  [[nodiscard]] std::vector<View<T, 3>> of_state(std::size_t tile, i64 state) const;
  [[nodiscard]] std::vector<View<T, 3>> on(std::size_t tile) const;
  /// The first slices of blocks of so many.
  [[nodiscard]] Stack<T> stack(std::size_t tile, i64 block) const;
};

/// The values of two sets of volumes change places.
template <class T>
void swap_values(const Volumes<T>& a, const Volumes<T>& b);

/// Sets them to zero where the object is known to be empty.
template <class T>
void keep_vacuum(const Workspace<T>& with, const Volumes<T>& volumes) {
  for (std::size_t t = 0; with.knows_vacuum() && t < with.tiles.size(); ++t)
    for (const View<T, 3>& volume : volumes.on(t)) with.blank(t, volume);
}

/// A mini-batch's gradient of the object and the illumination, Σ|u|² averaged over slices.
template <class T>
struct ObjectGradient : Volumes<T> {
  Field<T>* illumination = nullptr;

  void clear(Arithmetic<T>& arithmetic, std::size_t tile) const;
  /// The first slices of blocks of so many, and the illumination's plane after them.
  [[nodiscard]] Stack<T> stack(std::size_t tile, i64 block, bool with_illumination) const;
};
template <class T>
void swap_values(const ObjectGradient<T>& a, const ObjectGradient<T>& b);

template <class T>
class ObjectVariable {
 public:
  /// Declares its fields; the start takes their place.
  ObjectVariable(State<T>& state, const OperatorSetup& setup);
  void begin_with(std::vector<TileStart<T>> start, const Arithmetic<T>& arithmetic);

  /// The operator looks at this tile's object from now on.
  void publish(Workspace<T>& with, std::size_t tile) const {
    with.op->set_object(values.view(tile));
  }
  /// The stacks of all tiles.
  [[nodiscard]] std::vector<Stack<T>> stacks() const;
  [[nodiscard]] std::vector<Stack<T>> gradients(i64 block, bool with_illumination) const;

  Volumes<T> values;
  ObjectGradient<T> gradient;  ///< afterwards, in place, the direction of the step

 private:
  std::size_t tiles_;
};

/// A gradient's fields, declared with names that begin so.
template <class T>
ObjectGradient<T> declare_gradient(State<T>& state, const OperatorSetup& setup,
                                   const std::string& name);

}  // namespace ptyle
