#pragma once

// How the object is divided among ranks (Wang et al., SC22, Sec. III):
//
//   1. the object is what the windows of all positions reach
//   2. straight lines cut it into R × C cores, so that positions are balanced; or, where a scan is
//      turned or round, each cut halves one part alone (tiles/bisection)
//   3. a position belongs to the tile whose core holds its window's centre
//   4. an extended tile is the core and a halo about it, clipped to the object
//
// A window's centre is pixel [W/2, W/2] of the window: its corner (operator's Placement) + W/2.
// Ranks count along rows of the mesh: rank = r·C + c; of a bisection from part to part. All of it
// is a value computed from the positions alone, the same on every rank.

#include <array>
#include <span>
#include <string>
#include <vector>

#include "core/box.hpp"
#include "tiles/near.hpp"

namespace ptyle {

/// How far an extended tile reaches beyond its core, pixels before and after it on both axes.
struct Halo {
  i64 before = 0, after = 0;
  static constexpr Halo of(i64 pixels) { return {pixels, pixels}; }
  /// The least with which every window of a tile's positions fits into its extended tile.
  static constexpr Halo exact(i64 window) { return {window / 2, window - window / 2 - 1}; }
};

/// A cut of one part of the object in two.
struct PartCut {
  bool across_rows = true;  ///< the parts lie above each other; else side by side
  i64 line = 0;             ///< before this pixel
  /// The part before the line and the one after it: the number of a cut, or −1 − rank.
  int before = 0, after = 0;
};

/// The boxes of a tile.
struct TileBoxes {
  Box core, extended;
};

class Mesh {
 public:
  Mesh() = default;  ///< of no tiles
  /// Cuts are the lines between cores, ascending, strictly inside the object (R − 1 and C − 1 of
  /// them; a line at i lies before pixel i). Throws std::invalid_argument for others, an empty
  /// object or a negative halo.
  Mesh(Box object, std::span<const i64> row_cuts, std::span<const i64> col_cuts, Halo halo);
  /// Any tiling by cuts of parts, the first of the whole. Cores need not cover the object: what no
  /// window reaches may belong to none. No tile reaches farther than the halo from its core; it
  /// holds the object's support (tiles/support) at least as far as `reach` px from it.
  Mesh(Box object, std::vector<PartCut> cuts, std::vector<TileBoxes> tiles, Halo halo, i64 reach);

  /// True if lines across the whole object made it, so that it has rows and columns of tiles.
  [[nodiscard]] bool is_tensor() const { return tiles_.empty(); }
  /// "6 x 9 tiles", "54 tiles by bisection".
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] int ranks() const {
    return is_tensor() ? rows() * cols() : static_cast<int>(tiles_.size());
  }

  // A tensor mesh alone has these; others throw std::logic_error.
  [[nodiscard]] int rows() const { return parts_of(row_lines_); }
  [[nodiscard]] int cols() const { return parts_of(col_lines_); }
  [[nodiscard]] int rank(int r, int c) const { return r * cols() + c; }
  [[nodiscard]] const Box& object() const { return object_; }
  [[nodiscard]] Halo halo() const { return halo_; }
  /// How far from its core every tile holds what there is of the object, px.
  [[nodiscard]] i64 reach() const;

  /// Cores of row r and column c of the mesh; a tile is their product.
  [[nodiscard]] Interval core_rows(int r) const;
  [[nodiscard]] Interval core_cols(int c) const;
  [[nodiscard]] Interval extended_rows(int r) const;
  [[nodiscard]] Interval extended_cols(int c) const;

  [[nodiscard]] Box core(int rank) const;
  [[nodiscard]] Box extended(int rank) const;

  /// The cuts of parts, the first of the whole; of a tensor mesh none.
  [[nodiscard]] const std::vector<PartCut>& cuts() const { return cuts_; }

  /// The rank whose core holds a window's centre; beyond the object, the nearest tile's.
  [[nodiscard]] int tile_of(Pixel centre) const;
  /// The ranks that tile_of gives for the pixels of `part`, ascending.
  [[nodiscard]] std::vector<int> tiles_of(const Box& part) const;

  /// The same cores with another halo; of a bisection with a smaller one.
  [[nodiscard]] Mesh with_halo(Halo halo) const;

 private:
  [[nodiscard]] int parts_of(const std::vector<i64>& lines) const;

  Box object_;
  std::vector<i64> row_lines_, col_lines_;  // the object's borders included; of a tensor mesh
  std::vector<PartCut> cuts_;               // of others
  std::vector<TileBoxes> tiles_;
  Halo halo_;
  i64 reach_ = 0;
};

/// A mesh of `shape` = {R, C} tiles over what the windows reach and `margin` px more, its lines
/// placed so that each row and each column of tiles holds about as many positions as the others.
/// Throws UserError if the scan has fewer different rows (columns) of positions than R (C).
Mesh balanced_mesh(std::span<const Pixel> centres, i64 window, std::array<int, 2> shape, Halo halo,
                   i64 margin = 0);

/// {R, C} with R·C = ranks: of the meshes whose fullest tile holds at most a tenth more positions
/// than that of the best balanced one, the one whose tiles are nearest to squares. Throws UserError
/// if no mesh of so many tiles has positions in each of its rows and columns.
std::array<int, 2> automatic_shape(std::span<const Pixel> centres, int ranks);

/// How many positions each rank has.
std::vector<i64> count_positions(const Mesh& mesh, std::span<const Pixel> centres);

/// The positions of each rank, ascending. Every position is in exactly one list; one may be empty.
std::vector<std::vector<i64>> assign(const Mesh& mesh, std::span<const Pixel> centres);

}  // namespace ptyle
