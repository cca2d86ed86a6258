#include "tiles/mesh.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/error.hpp"

namespace ptyle {
namespace {

std::vector<i64> lines_of(Interval object, std::span<const i64> cuts) {
  std::vector<i64> lines{object.begin};
  lines.insert(lines.end(), cuts.begin(), cuts.end());
  lines.push_back(object.end);
  for (std::size_t i = 1; i < lines.size(); ++i)
    if (lines[i] <= lines[i - 1])
      throw std::invalid_argument("cut lines must ascend inside the object");
  return lines;
}

Interval between(const std::vector<i64>& lines, int i) {
  const auto at = static_cast<std::size_t>(i);
  return {lines.at(at), lines.at(at + 1)};
}

Interval extended(Interval core, Halo halo, Interval object) {
  return intersection({core.begin - halo.before, core.end + halo.after}, object);
}

/// The interval between lines that holds x; the first and the last have no outer border.
int index_of(const std::vector<i64>& lines, i64 x) {
  const auto inner = std::upper_bound(lines.begin() + 1, lines.end() - 1, x);
  return static_cast<int>(inner - lines.begin()) - 1;
}

/// How many positions lie on each different row (or column), ascending.
using Counts = std::vector<std::pair<i64, i64>>;

/// So many pixels of an axis are listed one by one; positions farther apart are sorted.
constexpr i64 most_listed = i64{1} << 22;

Counts counts_along(std::span<const Pixel> centres, i64 Pixel::*axis) {
  Counts counts;
  const auto [first, last] =
      std::minmax_element(centres.begin(), centres.end(),
                          [axis](const Pixel& a, const Pixel& b) { return a.*axis < b.*axis; });
  if (first == centres.end()) return counts;
  const i64 low = (*first).*axis, high = (*last).*axis;
  if (high - low >= most_listed) {
    std::map<i64, i64> sorted;
    for (const Pixel& p : centres) ++sorted[p.*axis];
    return {sorted.begin(), sorted.end()};
  }
  std::vector<i64> listed(static_cast<std::size_t>(high - low + 1), 0);
  for (const Pixel& p : centres) ++listed[static_cast<std::size_t>(p.*axis - low)];
  for (i64 x = low; x <= high; ++x)
    if (const i64 count = listed[static_cast<std::size_t>(x - low)]; count > 0)
      counts.emplace_back(x, count);
  return counts;
}

/// The part between cuts that holds a place.
class PartOf {
 public:
  PartOf(const Counts& counts, std::vector<i64> cuts)
      : first_(counts.front().first), cuts_(std::move(cuts)) {
    const i64 last = counts.back().first;
    if (last - first_ >= most_listed) return;
    for (i64 x = first_; x <= last; ++x) listed_.push_back(static_cast<int>(found(x)));
  }
  [[nodiscard]] std::size_t parts() const { return cuts_.size() + 1; }
  [[nodiscard]] std::size_t operator()(i64 x) const {
    return listed_.empty()
               ? found(x)
               : static_cast<std::size_t>(listed_[static_cast<std::size_t>(x - first_)]);
  }

 private:
  [[nodiscard]] std::size_t found(i64 x) const {
    return static_cast<std::size_t>(std::upper_bound(cuts_.begin(), cuts_.end(), x) -
                                    cuts_.begin());
  }
  i64 first_;
  std::vector<i64> cuts_;
  std::vector<int> listed_;
};

/// `parts` − 1 lines, each midway between two neighbouring rows of positions: line k is the one
/// nearest to k/parts of all positions that leaves at least one row for every part.
std::vector<i64> balanced_cuts(const Counts& counts, int parts) {
  const auto distinct = static_cast<i64>(counts.size());
  std::vector<i64> before(counts.size() + 1, 0);  // positions before the i-th row
  for (std::size_t i = 0; i < counts.size(); ++i) before[i + 1] = before[i] + counts[i].second;
  std::vector<i64> cuts;
  i64 last = 0;
  for (int k = 1; k < parts; ++k) {
    const double target = double(before.back()) * k / parts;
    i64 best = last + 1;
    for (i64 i = best; i <= distinct - (parts - k); ++i) {
      const auto away = [&](i64 j) {
        return std::abs(double(before[static_cast<std::size_t>(j)]) - target);
      };
      if (away(i) < away(best)) best = i;
      if (double(before[static_cast<std::size_t>(i)]) >= target) break;
    }
    const i64 low = counts[static_cast<std::size_t>(best - 1)].first;
    const i64 high = counts[static_cast<std::size_t>(best)].first;
    cuts.push_back(low + (high - low + 1) / 2);
    last = best;
  }
  return cuts;
}

/// Positions of the fullest tile.
i64 largest_share(std::span<const Pixel> centres, const PartOf& row, const PartOf& col) {
  std::vector<i64> share(row.parts() * col.parts(), 0);
  for (const Pixel& p : centres) ++share[row(p.row) * col.parts() + col(p.col)];
  return *std::max_element(share.begin(), share.end());
}

}  // namespace

Mesh::Mesh(Box object, std::span<const i64> row_cuts, std::span<const i64> col_cuts, Halo halo)
    : object_(object),
      row_lines_(lines_of(object.rows, row_cuts)),
      col_lines_(lines_of(object.cols, col_cuts)),
      halo_(halo) {
  if (halo.before < 0 || halo.after < 0) throw std::invalid_argument("a halo is not negative");
}

Mesh::Mesh(Box object, std::vector<PartCut> cuts, std::vector<TileBoxes> tiles, Halo halo,
           i64 reach)
    : object_(object),
      cuts_(std::move(cuts)),
      tiles_(std::move(tiles)),
      halo_(halo),
      reach_(reach) {
  if (cuts_.size() + 1 != tiles_.size()) throw std::invalid_argument("n cuts make n + 1 tiles");
}

int Mesh::parts_of(const std::vector<i64>& lines) const {
  if (!is_tensor()) throw std::logic_error("a bisection has no rows and columns of tiles");
  return std::max(0, static_cast<int>(lines.size()) - 1);
}

std::string Mesh::describe() const {
  return is_tensor() ? fmt::format("{} x {} tiles", rows(), cols())
                     : fmt::format("{} tiles by bisection", ranks());
}

i64 Mesh::reach() const { return is_tensor() ? std::min(halo_.before, halo_.after) : reach_; }

Interval Mesh::core_rows(int r) const { return between(row_lines_, r); }
Interval Mesh::core_cols(int c) const { return between(col_lines_, c); }
Interval Mesh::extended_rows(int r) const {
  return ptyle::extended(core_rows(r), halo_, object_.rows);
}
Interval Mesh::extended_cols(int c) const {
  return ptyle::extended(core_cols(c), halo_, object_.cols);
}

Box Mesh::core(int rank) const {
  if (!is_tensor()) return tiles_.at(static_cast<std::size_t>(rank)).core;
  return {core_rows(rank / cols()), core_cols(rank % cols())};
}
Box Mesh::extended(int rank) const {
  if (!is_tensor()) return tiles_.at(static_cast<std::size_t>(rank)).extended;
  return {extended_rows(rank / cols()), extended_cols(rank % cols())};
}

int Mesh::tile_of(Pixel centre) const {
  if (is_tensor()) return rank(index_of(row_lines_, centre.row), index_of(col_lines_, centre.col));
  int part = cuts_.empty() ? -1 : 0;
  while (part >= 0) {
    const PartCut& cut = cuts_[static_cast<std::size_t>(part)];
    part = (cut.across_rows ? centre.row : centre.col) < cut.line ? cut.before : cut.after;
  }
  return -1 - part;
}

std::vector<int> Mesh::tiles_of(const Box& part) const {
  std::vector<int> ranks;
  if (part.empty()) return ranks;
  if (is_tensor()) {
    const int first = tile_of({part.rows.begin, part.cols.begin}),
              last = tile_of({part.rows.end - 1, part.cols.end - 1});
    for (int r = first / cols(); r <= last / cols(); ++r)
      for (int c = first % cols(); c <= last % cols(); ++c) ranks.push_back(rank(r, c));
    return ranks;
  }
  std::vector<int> parts{cuts_.empty() ? -1 : 0};
  while (!parts.empty()) {
    const int at = parts.back();
    parts.pop_back();
    if (at < 0) {
      ranks.push_back(-1 - at);
      continue;
    }
    const PartCut& cut = cuts_[static_cast<std::size_t>(at)];
    const Interval along = cut.across_rows ? part.rows : part.cols;
    if (along.end > cut.line) parts.push_back(cut.after);
    if (along.begin < cut.line) parts.push_back(cut.before);
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

Mesh Mesh::with_halo(Halo halo) const {
  if (halo.before < 0 || halo.after < 0) throw std::invalid_argument("a halo is not negative");
  if (!is_tensor() && (halo.before > halo_.before || halo.after > halo_.after))
    throw std::logic_error("a bisection's tiles hold no more than their halo");
  Mesh other = *this;
  other.halo_ = halo;
  other.reach_ = std::min({reach_, halo.before, halo.after});
  for (TileBoxes& tile : other.tiles_)
    tile.extended = intersection(tile.extended, grown(tile.core, halo.before, halo.after));
  return other;
}

Mesh balanced_mesh(std::span<const Pixel> centres, i64 window, std::array<int, 2> shape, Halo halo,
                   i64 margin) {
  const Box windows = reach(centres, window);
  const Box object{{windows.rows.begin - margin, windows.rows.end + margin},
                   {windows.cols.begin - margin, windows.cols.end + margin}};
  const Counts rows = counts_along(centres, &Pixel::row), cols = counts_along(centres, &Pixel::col);
  const auto check = [&](int wanted, std::size_t have, const char* name) {
    if (wanted < 1 || static_cast<std::size_t>(wanted) > have)
      throw UserError(
          fmt::format("a mesh of {} x {} tiles has {} {} of tiles, but the scan has only {} "
                      "different {} of positions: take from 1 to {}",
                      shape[0], shape[1], wanted, name, have, name, have));
  };
  check(shape[0], rows.size(), "rows");
  check(shape[1], cols.size(), "columns");
  return {object, balanced_cuts(rows, shape[0]), balanced_cuts(cols, shape[1]), halo};
}

std::array<int, 2> automatic_shape(std::span<const Pixel> centres, int ranks) {
  if (centres.empty()) throw std::invalid_argument("a mesh needs at least one position");
  const Counts rows = counts_along(centres, &Pixel::row), cols = counts_along(centres, &Pixel::col);
  struct Candidate {
    std::array<int, 2> shape;
    i64 share;
    double elongation;  // |log(height/width)| of the mean tile
  };
  const double height = double(rows.back().first - rows.front().first + 1);
  const double width = double(cols.back().first - cols.front().first + 1);
  std::vector<Candidate> candidates;
  i64 least = std::numeric_limits<i64>::max();
  for (int r = 1; r <= ranks; ++r) {
    const int c = ranks / r;
    if (ranks % r != 0 || static_cast<std::size_t>(r) > rows.size() ||
        static_cast<std::size_t>(c) > cols.size())
      continue;
    const i64 share = largest_share(centres, PartOf(rows, balanced_cuts(rows, r)),
                                    PartOf(cols, balanced_cuts(cols, c)));
    candidates.push_back({{r, c}, share, std::abs(std::log(height / r * c / width))});
    least = std::min(least, share);
  }
  const Candidate* best = nullptr;
  for (const Candidate& c : candidates)
    if (10 * c.share <= 11 * least && (!best || c.elongation < best->elongation)) best = &c;
  if (!best)
    throw UserError(fmt::format(
        "{} ranks cannot share the scan: no mesh of {} tiles has at most {} rows and {} columns, "
        "which is how many different ones the positions have; use another number of ranks",
        ranks, ranks, rows.size(), cols.size()));
  return best->shape;
}

std::vector<i64> count_positions(const Mesh& mesh, std::span<const Pixel> centres) {
  std::vector<i64> counts(static_cast<std::size_t>(mesh.ranks()), 0);
  for (const Pixel& p : centres) ++counts[static_cast<std::size_t>(mesh.tile_of(p))];
  return counts;
}

std::vector<std::vector<i64>> assign(const Mesh& mesh, std::span<const Pixel> centres) {
  std::vector<std::vector<i64>> positions(static_cast<std::size_t>(mesh.ranks()));
  for (std::size_t i = 0; i < centres.size(); ++i)
    positions[static_cast<std::size_t>(mesh.tile_of(centres[i]))].push_back(static_cast<i64>(i));
  return positions;
}

}  // namespace ptyle
