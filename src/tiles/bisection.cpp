#include "tiles/bisection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "tiles/support.hpp"

namespace ptyle {
namespace {

constexpr int both_axes_up_to = 8;  // ranks of a part

/// A part of the object with its positions and ranks.
struct Part {
  Box cell;
  std::vector<Pixel> centres;
  int ranks = 1;
};

Box box_of(std::span<const Pixel> centres) { return reach(centres, 1); }

/// Two parts of one.
struct Halves {
  PartCut cut;
  Part before, after;
};

/// The halves of a part along a cut, its positions in their order.
Halves halves_along(Part part, const PartCut& cut) {
  const auto axis = cut.across_rows ? &Pixel::row : &Pixel::col;
  const auto lies_before = [&](const Pixel& p) { return p.*axis < cut.line; };
  Halves halves{cut, {part.cell, {}, 1}, {part.cell, {}, 1}};
  std::partition_copy(part.centres.begin(), part.centres.end(),
                      std::back_inserter(halves.before.centres),
                      std::back_inserter(halves.after.centres), lies_before);
  (cut.across_rows ? halves.before.cell.rows : halves.before.cell.cols).end = cut.line;
  (cut.across_rows ? halves.after.cell.rows : halves.after.cell.cols).begin = cut.line;
  return halves;
}

/// By a line between two different rows (columns) of positions; nothing where there is only one.
std::optional<Halves> halves_of(const Part& part, bool across_rows) {
  const auto axis = across_rows ? &Pixel::row : &Pixel::col;
  const auto along = [&](const Pixel& p) { return p.*axis; };
  const int ranks = part.ranks / 2;
  std::vector<Pixel> all = part.centres;
  const auto count = std::ssize(all), wanted = (count * ranks + part.ranks / 2) / part.ranks;
  const auto middle = all.begin() + std::clamp<std::ptrdiff_t>(wanted, 0, count - 1);
  const auto by_axis = [&](const Pixel& a, const Pixel& b) { return along(a) < along(b); };
  std::nth_element(all.begin(), middle, all.end(), by_axis);
  const i64 line = along(*middle);
  // Those on the line stay together, on the side that is nearer to what is wanted.
  const auto on =
      std::partition(all.begin(), all.end(), [&](const Pixel& p) { return along(p) < line; });
  const auto beyond =
      std::partition(on, all.end(), [&](const Pixel& p) { return along(p) == line; });
  const auto few = on - all.begin(), many = beyond - all.begin();
  const bool take_few = few > 0 && (many == count || wanted - few <= many - wanted);
  const auto split = take_few ? on : beyond;
  if (split == all.begin() || split == all.end()) return {};
  const i64 low = along(*std::max_element(all.begin(), split, by_axis));
  const i64 high = along(*std::min_element(split, all.end(), by_axis));
  Halves halves;
  halves.cut = {across_rows, low + (high - low + 1) / 2};
  halves.before = {part.cell, {all.begin(), split}, ranks};
  halves.after = {part.cell, {split, all.end()}, part.ranks - ranks};
  (across_rows ? halves.before.cell.rows : halves.before.cell.cols).end = halves.cut.line;
  (across_rows ? halves.after.cell.rows : halves.after.cell.cols).begin = halves.cut.line;
  return halves;
}

/// The tiles of a part, with what is the worst of them.
struct Tiling {
  std::vector<PartCut> cuts;  ///< counted from 0; ranks, too
  std::vector<TileBoxes> tiles;
  i64 fullest = 0, largest = 0;  ///< positions of a tile; px

  [[nodiscard]] double cost() const { return double(fullest) * double(largest); }
};

Tiling joined(PartCut cut, const Tiling& before, const Tiling& after) {
  Tiling all;
  const auto take = [&](const Tiling& one) {
    const int cuts = static_cast<int>(all.cuts.size()) + (all.cuts.empty() ? 1 : 0);
    const int ranks = static_cast<int>(all.tiles.size());
    if (all.cuts.empty()) all.cuts.push_back(cut);
    const auto shifted = [&](int to) { return to < 0 ? to - ranks : to + cuts; };
    for (PartCut c : one.cuts) {
      c.before = shifted(c.before), c.after = shifted(c.after);
      all.cuts.push_back(c);
    }
    all.tiles.insert(all.tiles.end(), one.tiles.begin(), one.tiles.end());
    return one.cuts.empty() ? -1 - ranks : cuts;
  };
  const int first = take(before), second = take(after);
  all.cuts.front().before = first;
  all.cuts.front().after = second;
  all.fullest = std::max(before.fullest, after.fullest);
  all.largest = std::max(before.largest, after.largest);
  return all;
}

i64 reach_of(const Bisection& asked) {
  return std::min({asked.reach, asked.halo.before, asked.halo.after});
}

class Bisector {
 public:
  Bisector(std::span<const Pixel> centres, const Bisection& asked)
      : asked_(asked),
        object_(grown(reach(centres, asked.window), asked.margin)),
        support_(centres, asked.window, asked.margin) {}

  [[nodiscard]] const Box& object() const { return object_; }

  [[nodiscard]] std::optional<Tiling> tiling(const Part& part) const {
    if (part.ranks == 1) return single(part);
    const Box box = box_of(part.centres);
    const bool tall = box.rows.size() >= box.cols.size();
    std::optional<Tiling> best;
    for (const bool across_rows : {tall, !tall}) {
      if (best && part.ranks > both_axes_up_to) break;
      const auto halves = halves_of(part, across_rows);
      if (!halves) continue;
      const auto before = tiling(halves->before);
      if (!before || (best && before->cost() >= best->cost())) continue;
      const auto after = tiling(halves->after);
      if (!after) continue;
      Tiling both = joined(halves->cut, *before, *after);
      if (!best || both.cost() < best->cost()) best = std::move(both);
    }
    return best;
  }

  /// The tiles of a part that the cut `at` divides, or that is one: −1 − rank.
  void make_tiles(const std::vector<PartCut>& cuts, int at, Part part,
                  std::vector<TileBoxes>& tiles) const {
    if (at < 0) {
      tiles[static_cast<std::size_t>(-1 - at)] = single(part).tiles.front();
      return;
    }
    const PartCut& cut = cuts[static_cast<std::size_t>(at)];
    Halves halves = halves_along(std::move(part), cut);
    make_tiles(cuts, cut.before, std::move(halves.before), tiles);
    make_tiles(cuts, cut.after, std::move(halves.after), tiles);
  }

 private:
  /// The box in which the centres of a tile's windows may lie. One that comes from elsewhere began
  /// within the room for moves and its own largest move.
  [[nodiscard]] Box centres_of(const Part& part) const {
    if (asked_.margin == 0) return box_of(part.centres);
    return intersection(
        grown(support_.centres_within(grown(part.cell, asked_.room + asked_.margin)),
              asked_.margin),
        grown(part.cell, asked_.room));
  }

  [[nodiscard]] Tiling single(const Part& part) const {
    const Halo windows = Halo::exact(asked_.window);
    TileBoxes tile;
    tile.core = support_.within(part.cell);
    const Box looked_at = support_.within(grown(tile.core, asked_.reach));
    const Box of_windows = grown(centres_of(part), windows.before, windows.after);
    const Box all = hull(of_windows, looked_at);
    const Box most = grown(tile.core, asked_.halo.before, asked_.halo.after);
    tile.extended = intersection(intersection(all, most), object_);
    Tiling one;
    one.tiles = {tile};
    one.fullest = static_cast<i64>(part.centres.size());
    // As far as the windows reach, whatever the halo: ranks.of has the same parts for any.
    one.largest = intersection(hull(of_windows, tile.core), object_).area();
    return one;
  }

  Bisection asked_;
  Box object_;
  Support support_;
};

}  // namespace

Mesh bisected_mesh(std::span<const Pixel> centres, const Bisection& asked) {
  const Bisector bisector(centres, asked);
  const auto tiling =
      bisector.tiling({bisector.object(), {centres.begin(), centres.end()}, asked.ranks});
  if (!tiling)
    throw UserError(fmt::format(
        "{} ranks cannot share the scan of {} positions: no cuts between different pixels give "
        "each rank one; use fewer ranks",
        asked.ranks, centres.size()));
  return {bisector.object(), tiling->cuts, tiling->tiles, asked.halo, reach_of(asked)};
}

Mesh bisected_mesh(std::span<const Pixel> centres, const Bisection& asked, const Mesh& like) {
  const Bisector bisector(centres, asked);
  std::vector<TileBoxes> tiles(static_cast<std::size_t>(like.ranks()));
  bisector.make_tiles(like.cuts(), like.cuts().empty() ? -1 : 0,
                      {bisector.object(), {centres.begin(), centres.end()}, asked.ranks}, tiles);
  return {bisector.object(), like.cuts(), std::move(tiles), asked.halo, reach_of(asked)};
}

}  // namespace ptyle
