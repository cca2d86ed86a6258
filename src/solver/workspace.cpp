#include "solver/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "solver/batches.hpp"
#include "solver/variables/position_options.hpp"
#include "tiles/support.hpp"

namespace ptyle {
namespace {

/// Pixels [W/2, W/2] of the windows.
std::vector<Pixel> centres(const std::vector<Placement>& places, i64 window) {
  std::vector<Pixel> all;
  for (const Placement& p : places) all.push_back({p.row + window / 2, p.col + window / 2});
  return all;
}

std::vector<Placement> placed(const std::vector<Position>& positions, i64 window) {
  std::vector<Placement> all;
  all.reserve(positions.size());
  for (const Position& at : positions) all.push_back(place(at, window));
  return all;
}

std::vector<Tile> make_tiles(const Team& team, const Sharing& sharing,
                             const std::vector<Pixel>& centres, i64 extra) {
  const auto shares = share_positions(sharing.mesh, centres, extra);
  std::vector<Tile> all;
  for (const int rank : team.here()) {
    const PositionShare& share = shares.at(static_cast<std::size_t>(rank));
    all.push_back({sharing.mesh.core(rank), sharing.mesh.extended(rank), share.own, share.extra});
  }
  return all;
}

std::vector<TileSize> sizes(const std::vector<Tile>& tiles) {
  std::vector<TileSize> all;
  for (const Tile& tile : tiles) all.push_back({tile.box, static_cast<i64>(tile.own.size())});
  return all;
}

/// px that positions may move in all.
i64 most_moves(const FitOptions& options) {
  const auto& positions = options.parts.of<PositionOptions>();
  if (positions.refine != Switch::on) return 0;
  return static_cast<i64>(std::ceil(positions.largest_move / options.pixel - 1e-9));
}

template <class T>
std::vector<Array<std::uint8_t, 2>> make_supports(const std::vector<Tile>& tiles,
                                                  const Support& support,
                                                  const Arithmetic<T>& arithmetic, Ledger* ledger) {
  std::vector<Array<std::uint8_t, 2>> all;
  for (const Tile& tile : tiles)
    all.push_back(arithmetic.brought(support.mask(tile.box, ledger), "object"));
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
      halos(team, sharing, exchanged_planes(op->setup().slices, op->setup().absorption),
            *arithmetic, ledger),
      places(placed(data.positions, op->setup().window)),
      tiles(make_tiles(team, sharing, centres(places, op->setup().window), options.extra)),
      supports(make_supports(
          tiles,
          Support(centres(places, op->setup().window), op->setup().window, most_moves(options)),
          *arithmetic, ledger)),
      state(sizes(tiles)),
      costs(team, *arithmetic, state),
      caution(state.number("caution", 1)) {
  const auto count = static_cast<i64>(data.positions.size());
  if (ledger)
    positions_booking_ = ledger->book("positions", data.positions.size() * bytes_a_position +
                                                       options.group_of.size() * sizeof(int));
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
std::vector<Placement> Workspace<T>::places_on(const Tile& tile,
                                               const std::vector<i64>& members) const {
  std::vector<Placement> on_tile;
  for (const i64 i : members) {
    on_tile.push_back(places[static_cast<std::size_t>(i)]);
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
    choice_of(at(k), pixels).apply(to, op->setup().window * op->setup().window);
  });
  if (data.raw)
    measured.raw = [this, at, pixels](i64 k) {
      RawPattern raw = data.raw(at(k));
      raw.choice = choice_of(at(k), pixels);
      return raw;
    };
  return measured;
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
void Workspace<T>::blank(std::size_t tile, View<T, 3> volume) const {
  if (!supports[tile].empty()) arithmetic->run(Blank<T>(volume, supports[tile].view()));
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
