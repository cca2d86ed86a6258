#include "exchange/side.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/parallel.hpp"

namespace ptyle {
namespace {

/// Calls row(values in `a`, values in `b`, n) for every row of `box`; a and b are dense planes on
/// the boxes `on_a` and `on_b`, which hold it.
template <class A, class B, class Row>
void for_rows(const Box& box, A* a, const Box& on_a, B* b, const Box& on_b, Row&& row) {
  const auto at = [&](const Box& on, i64 y) {
    return (y - on.rows.begin) * on.cols.size() + box.cols.begin - on.cols.begin;
  };
  for (i64 y = box.rows.begin; y < box.rows.end; ++y)
    row(a + at(on_a, y), b + at(on_b, y), box.cols.size());
}

template <class T>
void add_row(const T* from, T* to, i64 n) {
  for (i64 i = 0; i < n; ++i) to[i] += from[i];
}

template <class T>
void copy_row(const T* from, T* to, i64 n) {
  std::copy_n(from, n, to);
}

}  // namespace

template <class T>
Side<T>::Side(const ExchangePlan& plan, int rank)
    : rank_(rank),
      planes_(plan.planes),
      attached_(plan.planes),
      chunk_(plan.schedule.chunk > 0 ? std::min(plan.schedule.chunk, plan.planes) : plan.planes),
      threads_(plan.threads),
      tile_(plan.mesh.extended(rank)),
      array_(plan.schedule.arrays.at(static_cast<std::size_t>(rank))),
      steps_(steps_of(plan.schedule, rank)) {
  if (planes_ < 1 || threads_ < 1)
    throw std::invalid_argument("an exchange has at least one plane and one thread");
  if (!array_.contains(tile_))
    throw std::logic_error("a schedule's array does not hold the rank's tile");
  const StepSizes largest = largest_of(steps_);
  send_size_ = chunk_ * largest.sent;
  receive_size_ = chunk_ * largest.received;
  scratch_ = Array<T, 2>({threads_, largest.summed}, plan.ledger, "exchange buffers");
  if (array_ != tile_)
    whole_ = Array<T, 3>({planes_, array_.rows.size(), array_.cols.size()}, plan.ledger,
                         "exchange buffers");
}

template <class T>
void Side<T>::attach(const Stack<T>& stack) {
  tile_plane_.clear();
  for (const View<T, 3>& array : stack) {
    if (array.shape[1] != tile_.rows.size() || array.shape[2] != tile_.cols.size())
      throw std::invalid_argument("an exchanged array has not the shape of the rank's tile");
    for (i64 p = 0; p < array.shape[0]; ++p) tile_plane_.push_back(array[p].data);
  }
  attached_ = static_cast<i64>(tile_plane_.size());
  if (attached_ < 1 || attached_ > planes_)
    throw std::invalid_argument("an exchange was given no plane, or more than planned");
  plane_ = tile_plane_;
  if (whole_.empty()) return;
  whole_.fill(0);
  for (i64 p = 0; p < attached_; ++p) plane_[static_cast<std::size_t>(p)] = whole_.view()[p].data;
  copy_whole(false);
}

template <class T>
void Side<T>::detach() {
  if (!whole_.empty()) copy_whole(true);
}

template <class T>
void Side<T>::copy_whole(bool back) {
  parallel_for(attached_, threads_, [&](i64 p, int) {
    T* const tile = tile_plane_[static_cast<std::size_t>(p)];
    T* const whole = plane_[static_cast<std::size_t>(p)];
    if (back)
      for_rows(tile_, whole, array_, tile, tile_, copy_row<T>);
    else
      for_rows(tile_, tile, tile_, whole, array_, copy_row<T>);
  });
}

template <class T>
void Side<T>::pack(const Step& step, Interval planes, T* buffer) const {
  parallel_for(planes.size(), threads_, [&](i64 i, int) {
    const T* const from = plane_[static_cast<std::size_t>(planes.begin + i)];
    for (const Part& part : step.sends)
      for_rows(part.box, from, array_, buffer + planes.size() * part.offset + i * part.box.area(),
               part.box, copy_row<T>);
  });
}

template <class T>
void Side<T>::unpack(const Step& step, Interval planes, std::span<const T* const> parts) {
  if (step.receives.empty()) return;
  parallel_for(planes.size(), threads_, [&](i64 i, int thread) {
    if (step.action == Action::add) {
      add(step, planes.begin + i, i, parts, scratch_.view()[thread].data);
      return;
    }
    T* const to = plane_[static_cast<std::size_t>(planes.begin + i)];
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const Box& box = step.receives[k].box;
      for_rows(box, parts[k] + i * box.area(), box, to, array_, copy_row<T>);
    }
  });
}

/// The sum ((0 + a_0) + a_1) + … in the order of ranks, this rank's own values in their place: the
/// lower ranks' parts are summed in `scratch` first. Plane `plane` of the stack is the i-th of the
/// parts.
template <class T>
void Side<T>::add(const Step& step, i64 plane, i64 i, std::span<const T* const> parts, T* scratch) {
  const Box all = hull_of(step.receives);
  T* const own = plane_[static_cast<std::size_t>(plane)];
  std::fill_n(scratch, all.area(), T(0));
  std::size_t k = 0;
  for (; k < parts.size() && step.receives[k].partner < rank_; ++k) {
    const Box& box = step.receives[k].box;
    for_rows(box, parts[k] + i * box.area(), box, scratch, all, add_row<T>);
  }
  for_rows(all, scratch, all, own, array_, add_row<T>);
  for (; k < parts.size(); ++k) {
    const Box& box = step.receives[k].box;
    for_rows(box, parts[k] + i * box.area(), box, own, array_, add_row<T>);
  }
}

template <class T>
Buffers<T>::Buffers(i64 slots, const Side<T>& side, Ledger* ledger)
    : send_({slots, side.send_size()}, ledger, "exchange buffers"),
      receive_({slots, side.receive_size()}, ledger, "exchange buffers") {}

template <class T>
T* Buffers<T>::send(i64 slot) {
  return send_.view()[slot].data;
}
template <class T>
T* Buffers<T>::receive(i64 slot) {
  return receive_.view()[slot].data;
}

template class Side<float>;
template class Side<double>;
template class Buffers<float>;
template class Buffers<double>;

}  // namespace ptyle
