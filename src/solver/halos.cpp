#include "solver/halos.hpp"

#include <algorithm>

#include "tiles/steps.hpp"

namespace ptyle {
namespace {

/// The weight of a tile along one axis: 1 inside, and, for the cross-fade, falling linearly to 0
/// from a halo inside the core's edge to a halo outside it. The object's own edge does not fade.
double weight_at(i64 i, Interval extended, Interval object, i64 halo, Scheme scheme) {
  if (scheme == Scheme::voxel_average || halo == 0) return 1;
  const double width = 2 * static_cast<double>(halo);
  double weight = 1;
  if (extended.begin > object.begin)
    weight = std::min(weight, (static_cast<double>(i - extended.begin) + 0.5) / width);
  if (extended.end < object.end)
    weight = std::min(weight, (static_cast<double>(extended.end - i) - 0.5) / width);
  return std::max(weight, 0.0);
}

/// The share of place `at` of a line of n tiles in the value of each pixel of its extended tile.
template <class Extended>
std::vector<double> shares(int n, int at, Interval object, i64 halo, Scheme scheme,
                           Extended&& extended) {
  std::vector<double> share;
  const Interval mine = extended(at);
  for (i64 i = mine.begin; i < mine.end; ++i) {
    double total = 0;
    for (int k = 0; k < n; ++k)
      if (extended(k).contains(i)) total += weight_at(i, extended(k), object, halo, scheme);
    share.push_back(weight_at(i, mine, object, halo, scheme) / total);
  }
  return share;
}

/// The schedules of a scheme: sums and then fills of gradients, or voxels.
std::vector<Schedule> schedules_of(const Sharing& sharing, const ScheduleOptions& options) {
  std::vector<Schedule> all;
  const auto kind = sum_kind(sharing.scheme);
  if (kind) all.push_back(sum_schedule(sharing.mesh, *kind, options));
  if (kind || sharing.scheme == Scheme::voxel)
    all.push_back(fill_schedule(sharing.mesh, options));
  else if (sharing.scheme != Scheme::none)
    all.push_back(sum_schedule(sharing.mesh, SumKind::separable, options));
  return all;
}

}  // namespace

template <class T>
Halos<T>::Halos(Team& team, const Sharing& sharing, i64 planes, Arithmetic<T>& arithmetic,
                Ledger* ledger)
    : team_(team), sharing_(sharing), planes_(planes), arithmetic_(&arithmetic), ledger_(ledger) {
  check_sharing(sharing_);
  if (team_.size() == 1) return;
  const int only = team_.here().size() == 1 ? team_.here().front() : -1;
  auto schedules = schedules_of(sharing_, {sharing_.chunk, sharing_.in_flight, only});
  std::vector<std::unique_ptr<Exchange<T>>> made;
  for (Schedule& schedule : schedules) made.push_back(make(std::move(schedule), planes_));
  if (sharing_.scheme == Scheme::voxel) {
    fill_ = std::move(made[0]);
  } else if (!made.empty()) {
    sum_ = std::move(made[0]);
    if (made.size() > 1) fill_ = std::move(made[1]);
  }
}

template <class T>
std::unique_ptr<Exchange<T>> Halos<T>::make(Schedule schedule, i64 planes) const {
  return team_.make_exchange<T>({sharing_.mesh, std::move(schedule), planes, 1, ledger_},
                                arithmetic_);
}

template <class T>
Running Halos<T>::start_sum(std::span<const Stack<T>> tiles) {
  return sum_->start(tiles);
}

template <class T>
void Halos<T>::fill(std::span<const Stack<T>> tiles, i64 reach) {
  if (team_.size() == 1) return;
  if (reach < 0) return fill_->start(tiles).finish();
  if (reach != reach_) {
    const int only = team_.here().size() == 1 ? team_.here().front() : -1;
    const Mesh near = sharing_.mesh.with_halo(Halo::of(reach));
    Schedule schedule = fill_schedule(near, {sharing_.chunk, sharing_.in_flight, only});
    for (int rank = 0; rank < team_.size(); ++rank)
      schedule.arrays[static_cast<std::size_t>(rank)] = sharing_.mesh.extended(rank);
    near_fill_ = make(std::move(schedule), planes_);
    reach_ = reach;
  }
  near_fill_->start(tiles).finish();
}

template <class T>
void Halos<T>::weigh(std::span<const Stack<T>> tiles) {
  const Mesh& mesh = sharing_.mesh;
  const i64 halo = std::max(mesh.halo().before, mesh.halo().after);
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    const int rank = team_.here()[t], r = rank / mesh.cols(), c = rank % mesh.cols();
    const auto rows = shares(mesh.rows(), r, mesh.object().rows, halo, sharing_.scheme,
                             [&](int k) { return mesh.extended_rows(k); });
    const auto cols = shares(mesh.cols(), c, mesh.object().cols, halo, sharing_.scheme,
                             [&](int k) { return mesh.extended_cols(k); });
    for (const View<T, 3>& array : tiles[t]) arithmetic_->weigh(array, rows, cols);
  }
}

template <class T>
void Halos<T>::exchange_voxels(std::span<const Stack<T>> tiles) {
  if (team_.size() == 1 || sharing_.scheme == Scheme::none) return;
  if (sharing_.scheme == Scheme::voxel) return fill(tiles);
  weigh(tiles);
  sum_->start(tiles).finish();
}

template <class T>
double Halos<T>::spread(std::span<const Stack<T>> tiles) {
  if (team_.size() == 1) return 0;
  if (!plane_fill_) {
    const int only = team_.here().size() == 1 ? team_.here().front() : -1;
    plane_fill_ = make(fill_schedule(sharing_.mesh, {0, 0, only}), 1);
  }
  std::vector<double> largest{0};
  std::vector<Array<T, 3>> copies;
  for (const Stack<T>& stack : tiles)
    copies.push_back(arithmetic_->template array<T, 3>({1, stack[0].shape[1], stack[0].shape[2]},
                                                       "verified plane"));
  for (std::size_t a = 0; a < tiles[0].size(); ++a)
    for (i64 p = 0; p < tiles[0][a].shape[0]; ++p) {
      std::vector<Stack<T>> planes;
      for (std::size_t t = 0; t < tiles.size(); ++t) {
        arithmetic_->copy(as_volume(tiles[t][a][p]), copies[t]);
        planes.push_back({copies[t].view()});
      }
      plane_fill_->start(planes).finish();
      for (std::size_t t = 0; t < tiles.size(); ++t)
        largest[0] = std::max(largest[0],
                              arithmetic_->largest(Apart<T>(tiles[t][a][p], copies[t].view()[0])));
    }
  team_.maximum(largest);
  return largest[0];
}

template <class T>
void Halos<T>::give_up() {
  sum_.reset();
  fill_.reset();
  near_fill_.reset();
  plane_fill_.reset();
}

double halo_buffer_values(const Sharing& sharing, int rank, i64 planes) {
  if (sharing.mesh.ranks() == 1) return 0;
  const ScheduleOptions options{sharing.chunk, sharing.in_flight, rank};
  double values = 0;
  for (const Schedule& schedule : schedules_of(sharing, options))
    values += buffer_values(schedule, sharing.mesh.extended(rank), rank, planes);
  return values;
}

template class Halos<float>;
template class Halos<double>;

}  // namespace ptyle
