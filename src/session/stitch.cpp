#include "session/stitch.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "session/agreement.hpp"

namespace ptyle {
namespace {

/// The part of a core that lies in these rows.
Box part_of(const Box& core, Interval rows) { return intersection(core, Box{rows, core.cols}); }

Interval rows_in(const Mesh& mesh, const Slab& slab) {
  const i64 first = mesh.object().rows.begin;
  return {first + slab.rows.begin, first + slab.rows.end};
}

/// Copies these pixels of a tile's plane, which lies on `box`, to rows that are `stride` numbers
/// apart.
template <class T>
void copy_part(const Arithmetic<T>& arithmetic, View<const T, 2> plane, const Box& box,
               const Box& part, float* to, i64 stride) {
  const i64 first = part.rows.begin - box.rows.begin, cols = plane.shape[1];
  const View<const T, 2> lines{plane.data + first * cols, {part.rows.size(), cols}};
  const OnHost<T, 2> here = arithmetic.on_host(lines);
  for (i64 y = 0; y < part.rows.size(); ++y) {
    const T* from = &here.view(y, part.cols.begin - box.cols.begin);
    std::transform(from, from + part.cols.size(), to + y * stride, [](T v) { return float(v); });
  }
}

/// Numbers of a rank's core that go to others in the round that needs most of them.
i64 values_that_leave(const Mesh& mesh, int rank, const Slabs& slabs,
                      std::span<const int> writers) {
  i64 most = 0;
  for (i64 round = 0; round < slabs.rounds(writers.size()); ++round) {
    i64 values = 0;
    const auto now = slabs.round(round, writers.size());
    for (std::size_t k = 0; k < now.size(); ++k)
      if (writers[k] != rank) values += part_of(mesh.core(rank), rows_in(mesh, now[k])).area();
    most = std::max(most, values);
  }
  return most;
}

}  // namespace

i64 stitching_values(const Mesh& mesh, int rank, const Slabs& slabs, std::span<const int> writers) {
  const bool writes = std::find(writers.begin(), writers.end(), rank) != writers.end();
  const i64 of_a_writer = (mesh.ranks() > 1 ? 2 : 1) * slabs.most_values();
  return (writes ? of_a_writer : 0) + values_that_leave(mesh, rank, slabs, writers);
}

template <class T>
Stitcher<T>::Stitcher(Team& team, const Mesh& mesh, const Fit<T>& fit, const Slabs& slabs,
                      std::vector<int> writers, Ledger* ledger)
    : mesh_(mesh), fit_(fit), rank_(team.here().front()), writers_(std::move(writers)) {
  const bool alone = static_cast<int>(team.here().size()) == team.size();
  if (!alone) delivery_ = team.make_delivery();
  if (const auto at = std::find(writers_.begin(), writers_.end(), rank_); at != writers_.end())
    writer_ = static_cast<int>(at - writers_.begin());
  agree(team, failure_of([&] {
          const auto room = [&](i64 n) { return Array<float, 1>({n}, ledger, "result"); };
          if (writer_ >= 0) slab_ = room(slabs.most_values());
          if (alone) return;
          if (writer_ >= 0) come_ = room(slabs.most_values());
          leave_ = room(values_that_leave(mesh, rank_, slabs, writers_));
        }));
}

/// The place of the first number of a part of a core in the slab of these rows.
template <class T>
float* Stitcher<T>::place_of(const Box& part, Interval rows) {
  const Box& object = mesh_.object();
  return slab_.data() + (part.rows.begin - rows.begin) * object.cols.size() +
         (part.cols.begin - object.cols.begin);
}

// 1. a writer posts receives for the parts of other ranks' cores, one behind the other in `come_`
// 2. each rank puts what it writes itself in its place, and sends the rest, one part behind the
//    other in `leave_`
// 3. all is there: what has come is put in its places
template <class T>
View<const float, 2> Stitcher<T>::gather(const std::string& name, std::span<const Slab> slabs) {
  const bool mine = writer_ >= 0 && writer_ < static_cast<int>(std::ssize(slabs));
  const Interval rows =
      mine ? rows_in(mesh_, slabs[static_cast<std::size_t>(writer_)]) : Interval{};
  const std::vector<Box> parts = mine ? expect(rows) : std::vector<Box>{};
  slab_.fill(0);
  std::vector<Leaving> leaving;
  const Field<T>& field = fit_.state().field(name);
  const i64 width = mesh_.object().cols.size();
  float* next = leave_.data();
  for (std::size_t t = 0; t < fit_.tiles().size(); ++t) {
    const Tile& tile = fit_.tiles()[t];
    for (std::size_t k = 0; k < slabs.size(); ++k) {
      const Box part = part_of(tile.core, rows_in(mesh_, slabs[k]));
      if (part.empty()) continue;
      const bool stays = static_cast<int>(k) == writer_;
      const View<const T, 2> plane = field.on(t)[slabs[k].z];
      copy_part(fit_.arithmetic(), plane, field.box_on(tile), part,
                stays ? place_of(part, rows) : next, stays ? width : part.cols.size());
      if (stays) continue;
      const auto n = static_cast<std::size_t>(part.area());
      leaving.push_back({rank_, writers_[k], {std::as_bytes(std::span<const float>(next, n))}});
      next += n;
    }
  }
  if (delivery_) delivery_->send(std::move(leaving)).finish();
  const float* from = come_.data();
  for (const Box& part : parts)
    for (float* to = place_of(part, rows); to != place_of(part, rows) + part.rows.size() * width;
         to += width, from += part.cols.size())
      std::copy_n(from, part.cols.size(), to);
  if (!mine) return {};
  return {slab_.data(), {rows.size(), width}};
}

/// Step 1; the parts that come, in order.
template <class T>
std::vector<Box> Stitcher<T>::expect(Interval rows) {
  std::vector<Box> parts;
  if (!delivery_) return parts;
  std::vector<Coming> coming;
  float* place = come_.data();
  for (int rank = 0; rank < mesh_.ranks(); ++rank) {
    const Box part = part_of(mesh_.core(rank), rows);
    if (rank == rank_ || part.empty()) continue;
    const auto n = static_cast<std::size_t>(part.area());
    coming.push_back({rank, rank_, {std::as_writable_bytes(std::span<float>(place, n))}});
    parts.push_back(part);
    place += n;
  }
  delivery_->expect(std::move(coming));
  return parts;
}

template class Stitcher<float>;
template class Stitcher<double>;

}  // namespace ptyle
