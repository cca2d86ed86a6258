#include "solver/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "solver/batches.hpp"
#include "solver/states.hpp"
#include "solver/vacuum.hpp"
#include "solver/variables/position_options.hpp"
#include "tiles/support.hpp"

namespace ptyle {
namespace {

/// Pixel [W/2, W/2] of each position's window.
std::function<Pixel(i64)> centre_of(std::span<const Position> positions, i64 window) {
  return [positions, window](i64 i) {
    const Placement at = place(positions[static_cast<std::size_t>(i)], window);
    return Pixel{at.row + window / 2, at.col + window / 2};
  };
}

/// A rank alone looks at no other's positions; several in a process are all of them.
std::vector<PositionShare> shares_here(const Team& team, const Sharing& sharing,
                                       std::span<const Position> positions, i64 window, i64 extra) {
  const i64 count = std::ssize(positions);
  const auto centre = centre_of(positions, window);
  if (team.here().size() == 1)
    return {share_of(sharing.mesh, team.here().front(), count, centre, extra)};
  std::vector<Pixel> centres;
  centres.reserve(positions.size());
  for (i64 i = 0; i < count; ++i) centres.push_back(centre(i));
  auto all = share_positions(sharing.mesh, centres, extra);
  std::vector<PositionShare> here;
  for (const int rank : team.here())
    here.push_back(std::move(all.at(static_cast<std::size_t>(rank))));
  return here;
}

std::vector<Tile> make_tiles(const Team& team, const Sharing& sharing,
                             std::vector<PositionShare> shares) {
  std::vector<Tile> all;
  for (std::size_t t = 0; t < shares.size(); ++t) {
    const int rank = team.here()[t];
    all.push_back({sharing.mesh.core(rank), sharing.mesh.extended(rank), std::move(shares[t].own),
                   std::move(shares[t].extra)});
  }
  return all;
}

std::vector<TileSize> sizes(const std::vector<Tile>& tiles) {
  std::vector<TileSize> all;
  for (const Tile& tile : tiles)
    all.push_back({tile.core, tile.box, static_cast<i64>(tile.own.size())});
  return all;
}

/// px that positions may move in all.
i64 most_moves(const FitOptions& options) {
  const double most = options.parts.of<PositionOptions>().largest_move;
  return static_cast<i64>(std::ceil(most / options.pixel - 1e-9));
}

/// Takes the boxes that are known to be empty out of a mask of `part`; empty: all is in it.
void leave_out(const std::vector<Box>& boxes, const Box& part, Array<std::uint8_t, 2>& mask,
               Ledger* ledger) {
  for (const Box& box : boxes) {
    const Box there = placed_in(intersection(box, part), part);
    if (there.empty()) continue;
    if (mask.empty()) {
      mask = Array<std::uint8_t, 2>({part.rows.size(), part.cols.size()}, ledger, "object");
      mask.fill(1);
    }
    for (i64 y = there.rows.begin; y < there.rows.end; ++y)
      std::fill_n(&mask(y, there.cols.begin), there.cols.size(), std::uint8_t{0});
  }
}

/// Supports of windows that may move by `margin` px, by the positions near these tiles; less what
/// is known to be empty.
template <class T>
std::vector<Array<std::uint8_t, 2>> make_supports(const std::vector<Tile>& tiles,
                                                  std::span<const Position> positions, i64 window,
                                                  i64 margin, const std::vector<Box>& empty,
                                                  const Arithmetic<T>& arithmetic, Ledger* ledger) {
  Box here;
  for (const Tile& tile : tiles) here = hull(here, tile.box);
  const std::vector<Pixel> near =
      centres_near(here, window, margin, std::ssize(positions), centre_of(positions, window));
  const Support support(near, window, margin);
  std::vector<Array<std::uint8_t, 2>> all;
  for (const Tile& tile : tiles) {
    auto mask = support.mask(tile.box, ledger);
    leave_out(empty, tile.box, mask, ledger);
    all.push_back(arithmetic.brought(std::move(mask), "object"));
  }
  return all;
}

}  // namespace

template <class T>
Workspace<T>::Workspace(std::unique_ptr<Operator<T>> op_, FitData<T> data_, FitOptions options_,
                        Team& team_, const Sharing& sharing, Ledger* ledger_,
                        std::unique_ptr<Arithmetic<T>> given)
    : team(team_),
      ledger(ledger_),
      op(std::move(op_)),
      data(std::move(data_)),
      options(std::move(options_)),
      arithmetic(given ? std::move(given) : make_cpu_arithmetic<T>(options.threads, ledger)),
      halos(team, sharing, exchanged_planes(op->setup().planes(), op->setup().absorption),
            *arithmetic, ledger),
      tiles(make_tiles(
          team, sharing,
          shares_here(team, sharing, data.positions, op->setup().window, options.extra))),
      supports(make_supports(tiles, data.positions, op->setup().window, most_moves(options),
                             options.parts.of<VacuumOptions>().boxes, *arithmetic, ledger)),
      state(sizes(tiles)),
      costs(team, *arithmetic, state),
      caution(state.number("caution", 1)) {
  if (op->setup().states > 1)
    of_states_ = coefficients_of_states(op->setup(), options.parts.of<StatesOptions>().shares());
  const auto count = static_cast<i64>(data.positions.size());
  if (ledger)
    positions_booking_ = ledger->book(
        "positions", data.positions.size() * bytes_a_position + options.groups().size_bytes());
  const auto among = [](const std::vector<i64>& all, i64 i) {
    return std::binary_search(all.begin(), all.end(), i);
  };
  held_out = held_out_positions(count, options.hold_out, options.seed);
  std::erase_if(held_out, [&](i64 i) { return among(options.left_out, i); });
  fitted.reserve(data.positions.size());
  for (i64 i = 0; i < count; ++i)
    if (!among(held_out, i) && !among(options.left_out, i)) fitted.push_back(i);
  if (options.hold_out_pixels > 0)
    pixel_sample = sample_for_pixels(data.positions, fitted, options.seed);
}

template <class T>
void Workspace<T>::put(i64 position, const Placement& at) {
  moved_.insert_or_assign(position, at);
  const std::size_t bytes = bytes_of_moved(moved_.size());
  if (!ledger || bytes <= moved_booked_) return;
  moved_booking_ = {};  // both together were never held
  moved_booking_ = ledger->book("positions", bytes);
  moved_booked_ = bytes;
}

template <class T>
Placement Workspace<T>::place_of(i64 position) const {
  const auto moved = moved_.find(position);
  const Position& nominal = data.positions[static_cast<std::size_t>(position)];
  Placement at = moved != moved_.end() ? moved->second : place(nominal, op->setup().window);
  const Vector2 from_middle{nominal.row - descan_middle_.row, nominal.col - descan_middle_.col};
  const Vector2 descan = times(descan_, from_middle);
  at.descan_row = descan[0];
  at.descan_col = descan[1];
  const auto mixture = mixtures_.find(position);
  if (mixture != mixtures_.end())
    at.coefficients = mixture->second;
  else if (!of_states_.empty())
    at.coefficients = of_states_.data();
  return at;
}

template <class T>
std::vector<Placement> Workspace<T>::places_on(const Tile& tile,
                                               const std::vector<i64>& members) const {
  std::vector<Placement> on_tile;
  for (const i64 i : members) {
    on_tile.push_back(place_of(i));
    on_tile.back().row -= tile.box.rows.begin;
    on_tile.back().col -= tile.box.cols.begin;
  }
  return on_tile;
}

template <class T>
PixelChoice Workspace<T>::choice_of(i64 pattern, PixelSet pixels) const {
  if (options.hold_out_pixels == 0) return {};
  return {pixels, one_pixel_in(options.hold_out_pixels), options.seed,
          static_cast<std::uint64_t>(pattern)};
}

template <class T>
Measured<T> Workspace<T>::measured_at(std::span<const i64> members, PixelSet pixels) const {
  const auto at = [members](i64 k) { return members[static_cast<std::size_t>(k)]; };
  Measured<T> measured([this, at, pixels](i64 k, T* to) {
    data.load(at(k), to);
    if (!gain_.empty()) equalise(to);
    choice_of(at(k), pixels).apply(to, op->setup().window * op->setup().window);
  });
  if (data.raw && gain_.empty())
    measured.raw = [this, at, pixels](i64 k) {
      RawPattern raw = data.raw(at(k));
      raw.choice = choice_of(at(k), pixels);
      return raw;
    };
  return measured;
}

template <class T>
void Workspace<T>::use_gain(Array<T, 2> gain, double offset) {
  // Patterns as they are held are not asked for any more.
  if (gain_.empty())
    for (const Tile& tile : tiles) op->forget(tile.own);
  gain_ = std::move(gain);
  gain_offset_ = offset;
}

template <class T>
void Workspace<T>::equalise(T* pattern) const {
  const T offset = static_cast<T>(gain_offset_);
  for (i64 k = 0; k < gain_.size(); ++k)
    if (pattern[k] >= 0)
      pattern[k] = std::max(T(0), (pattern[k] - offset) / gain_.data()[k] + offset);
}

template <class T>
void Workspace<T>::will_load(const std::vector<i64>& members) const {
  if (!data.will_load) return;
  for (const Tile& tile : tiles) data.will_load(members_of(members, tile.own));
}

template <class T>
void Workspace<T>::leave_out(const std::vector<i64>& patterns) {
  std::vector<i64> all;
  std::set_union(options.left_out.begin(), options.left_out.end(), patterns.begin(), patterns.end(),
                 std::back_inserter(all));
  options.left_out = std::move(all);
  for (auto* list : {&fitted, &held_out, &pixel_sample})
    std::erase_if(*list,
                  [&](i64 i) { return std::binary_search(patterns.begin(), patterns.end(), i); });
}

template <class T>
Array<T, 2> Workspace<T>::detector_weight() const {
  const double k_c = options.continuation.k_c();
  if (k_c == 0 && gain_.empty()) return {};
  const i64 window = op->setup().window;
  Array<T, 2> weight({window, window});
  weight.fill(1);
  if (!gain_.empty()) std::copy(gain_.begin(), gain_.end(), weight.begin());
  if (k_c == 0) return weight;
  for (i64 y = 0; y < window; ++y)
    for (i64 x = 0; x < window; ++x) {
      const double k = data.dk * std::hypot(double(frequency_index(y, window)),
                                            double(frequency_index(x, window)));
      if (k >= k_c + options.aperture_k) weight(y, x) = 0;
    }
  return weight;
}

template <class T>
void Workspace<T>::blank(std::size_t tile, View<T, 3> volume) const {
  if (!supports[tile].empty()) arithmetic->run(Blank<T>(volume, supports[tile].view()));
}

template <class T>
bool Workspace<T>::knows_vacuum() const {
  return !options.parts.of<VacuumOptions>().boxes.empty();
}

template <class T>
void Workspace<T>::agree_to_stop() {
  std::vector<double> wishes{stop && stop() ? 1.0 : 0.0};
  team.sum(wishes);
  stopping = wishes[0] > 0;
}

template class Workspace<float>;
template class Workspace<double>;

}  // namespace ptyle
