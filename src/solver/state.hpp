#pragma once

// The arrays and numbers of a fit, each declared once, by the part of the fit that it belongs to.
// Allocation, the memory ledger, plans, checkpoints and stitching follow from the declaration.

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "device/arithmetic.hpp"
#include "solver/tile.hpp"

namespace ptyle {

/// The domain of a field's values.
enum class Kind {
  voxels,   ///< planes of the object, on every tile of this process: (planes, rows, cols) each
  cores,    ///< the same on the tiles' cores alone, where each voxel is once
  records,  ///< numbers of each position, with the rank whose own it is: (1, positions, numbers)
  common    ///< the same on all ranks: waves, one array of this process
};

template <class T>
struct Field {
  std::string name;     ///< in checkpoints; unique within the fit
  std::string account;  ///< in the memory ledger
  Kind kind = Kind::voxels;
  /// voxels, cores: (planes, -, -); records: (-, -, numbers); common: of the whole array
  std::array<i64, 3> shape{};
  bool saved = false;                  ///< in checkpoints
  i64 volumes = 1;                     ///< voxels, cores: one behind the other along the planes
  std::vector<Array<T, 3>> here = {};  ///< voxels, cores: of each tile, on `box_on`; records: of
                                       ///< its own positions, in their order
  Array<Complex<T>, 3> waves = {};     ///< common

  /// Voxels or cores.
  [[nodiscard]] bool on_object() const { return kind == Kind::voxels || kind == Kind::cores; }
  /// The part of the object that a tile's values are of.
  [[nodiscard]] const Box& box_on(const Tile& tile) const {
    return kind == Kind::cores ? tile.core : tile.box;
  }
  [[nodiscard]] View<T, 3> on(std::size_t tile) { return here[tile].view(); }
  [[nodiscard]] View<const T, 3> on(std::size_t tile) const { return here[tile].view(); }
  /// The first plane, of a field that has one.
  [[nodiscard]] View<T, 2> plane(std::size_t tile) { return here[tile].view()[0]; }
  [[nodiscard]] View<const T, 2> plane(std::size_t tile) const { return here[tile].view()[0]; }
};

/// The values of two fields of one shape change places.
template <class T>
void swap_values(Field<T>& a, Field<T>& b) {
  std::swap(a.here, b.here);
  std::swap(a.waves, b.waves);
}

/// The sizes that decide those of a tile's arrays.
struct TileSize {
  Box core, box;      ///< `box`: the extended tile
  i64 positions = 0;  ///< its own
};

template <class T>
class State {
 public:
  /// The tiles of this process's ranks.
  explicit State(std::vector<TileSize> tiles) : tiles_(std::move(tiles)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// The field stays where it is for as long as the state lives. Throws std::logic_error for a name
  /// that is there already.
  Field<T>& declare(Field<T> field);
  /// A number that is the same on all ranks, and saved; the same one for the same name.
  double& number(const std::string& name, double initial = 0);

  /// Zeros for every field that has no values yet, where the arithmetic says.
  void allocate(const Arithmetic<T>& arithmetic);

  /// The tile has so many positions of its own from now on: its records get new arrays, of zeros.
  void resize_records(const Arithmetic<T>& arithmetic, std::size_t tile, i64 positions);

  [[nodiscard]] const std::vector<TileSize>& tiles() const { return tiles_; }
  [[nodiscard]] const std::deque<Field<T>>& fields() const { return fields_; }
  [[nodiscard]] std::deque<Field<T>>& fields() { return fields_; }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Field<T>& field) { return field.name == name; });
  }
  /// Throws std::out_of_range for a name that was not declared.
  [[nodiscard]] const Field<T>& field(const std::string& name) const;
  [[nodiscard]] Field<T>& field(const std::string& name) {
    return const_cast<Field<T>&>(std::as_const(*this).field(name));
  }
  [[nodiscard]] const std::map<std::string, double>& numbers() const { return numbers_; }
  /// Takes the numbers of these names; throws std::out_of_range where one is missing.
  void restore(const std::map<std::string, double>& numbers);

  /// Bytes of all fields (or of those that are saved) by the ledger's names, on a tile, whether
  /// they are allocated or not.
  [[nodiscard]] std::map<std::string, double> bytes(std::size_t tile,
                                                    bool saved_alone = false) const;
  /// Bytes of what is saved of a tile: of voxels on its core, of records, and of what is the same
  /// on all ranks.
  [[nodiscard]] double saved_bytes(std::size_t tile, bool with_common) const;

 private:
  [[nodiscard]] double bytes_of(const Field<T>& field, const TileSize& tile) const;
  std::vector<TileSize> tiles_;
  std::deque<Field<T>> fields_;
  std::map<std::string, double> numbers_;
};

}  // namespace ptyle
