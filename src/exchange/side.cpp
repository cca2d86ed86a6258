#include "exchange/side.hpp"

#include <algorithm>
#include <stdexcept>

namespace ptyle {
namespace {

/// A box of the object in the pixels of an array on `array`.
Box on(const Box& array, const Box& box) {
  const i64 row = array.rows.begin, col = array.cols.begin;
  return {{box.rows.begin - row, box.rows.end - row}, {box.cols.begin - col, box.cols.end - col}};
}

}  // namespace

template <class T>
Side<T>::Side(const ExchangePlan& plan, int rank, Arithmetic<T>* arithmetic)
    : own_(arithmetic ? nullptr : make_cpu_arithmetic<T>(plan.threads, plan.ledger)),
      arithmetic_(arithmetic ? arithmetic : own_.get()),
      rank_(rank),
      planes_(plan.planes),
      attached_(plan.planes),
      chunk_(plan.schedule.chunk > 0 ? std::min(plan.schedule.chunk, plan.planes) : plan.planes),
      tile_(plan.mesh.extended(rank)),
      array_(plan.schedule.arrays.at(static_cast<std::size_t>(rank))),
      steps_(steps_of(plan.schedule, rank)) {
  if (planes_ < 1 || plan.threads < 1)
    throw std::invalid_argument("an exchange has at least one plane and one thread");
  if (!array_.contains(tile_))
    throw std::logic_error("a schedule's array does not hold the rank's tile");
  const LargestStep largest = largest_of(steps_);
  send_size_ = chunk_ * largest.sent;
  receive_size_ = chunk_ * largest.received;
  for (const Step& step : steps_) {
    const auto first = step.receives.begin();
    const auto own = std::find_if(first, step.receives.end(),
                                  [&](const StepPart& part) { return part.partner > rank_; });
    messages_.push_back({pieces_of(step.sends), pieces_of(step.receives), own - first});
  }
  if (array_ == tile_) return;
  whole_ = arithmetic_->template array<T, 3>({planes_, array_.rows.size(), array_.cols.size()},
                                             "exchange buffers");
  tile_in_whole_ = arithmetic_->pieces({{on(array_, tile_)}});
}

template <class T>
Pieces Side<T>::pieces_of(const std::vector<StepPart>& parts) const {
  std::vector<Piece> list;
  for (const StepPart& part : parts) list.push_back({on(array_, part.box), 0, part.offset});
  return arithmetic_->pieces(std::move(list));
}

template <class T>
void Side<T>::find_receives(std::size_t step, const std::vector<Piece>& parts) {
  std::vector<Piece> list;
  for (const Piece& part : parts) list.push_back({on(array_, part.box), part.from, part.offset});
  messages_[step].receives = arithmetic_->pieces(std::move(list));
}

template <class T>
void Side<T>::attach(const Stack<T>& stack) {
  std::vector<T*> planes;
  for (const View<T, 3>& array : stack) {
    if (array.shape[1] != tile_.rows.size() || array.shape[2] != tile_.cols.size())
      throw std::invalid_argument("an exchanged array has not the shape of the rank's tile");
    for (i64 p = 0; p < array.shape[0]; ++p) planes.push_back(array[p].data);
  }
  attached_ = static_cast<i64>(planes.size());
  if (attached_ < 1 || attached_ > planes_)
    throw std::invalid_argument("an exchange was given no plane, or more than planned");
  if (!whole_.empty()) {
    for (i64 p = 0; p < attached_; ++p) planes[static_cast<std::size_t>(p)] = whole_.view()[p].data;
  }
  arithmetic_->hold(plane_, std::move(planes), array_.cols.size());
  if (!whole_.empty()) arithmetic_->clear(whole_);
  arithmetic_->begin_exchange();
  if (whole_.empty()) return;
  stack_ = stack;
  copy_whole(false);
}

template <class T>
void Side<T>::detach() {
  if (!whole_.empty()) copy_whole(true);
  arithmetic_->end_exchange();
}

/// A dense array of the tile is a buffer of one piece.
template <class T>
void Side<T>::copy_whole(bool back) {
  i64 first = 0;
  for (const View<T, 3>& array : stack_) {
    const Interval planes{first, first + array.shape[0]};
    if (back)
      arithmetic_->pack(plane_, planes, tile_in_whole_, array.data);
    else
      arithmetic_->put(plane_, planes, tile_in_whole_, array.data);
    first = planes.end;
  }
}

template <class T>
void Side<T>::pack(std::size_t step, Interval planes, T* buffer) const {
  arithmetic_->pack(plane_, planes, messages_[step].sends, buffer);
}

/// Sums are ((0 + a_0) + a_1) + … in the order of ranks, this rank's own values in their place.
template <class T>
void Side<T>::unpack(std::size_t step, Interval planes, const T* buffer) {
  const Messages& messages = messages_[step];
  if (messages.receives.list.empty()) return;
  if (steps_[step].action == Action::add)
    arithmetic_->add(plane_, planes, messages.receives, messages.before, buffer);
  else
    arithmetic_->put(plane_, planes, messages.receives, buffer);
}

template <class T>
Buffers<T>::Buffers(i64 slots, const Side<T>& side, bool direct, Ledger* ledger)
    : arithmetic_(&side.arithmetic()) {
  const auto make = [&](i64 size, Array<T, 2>& there, Array<T, 2>& here) {
    there = arithmetic_->template array<T, 2>({slots, size}, "exchange buffers");
    if (arithmetic_->memory() && !direct)
      here = Array<T, 2>({slots, size}, ledger, "exchange buffers", arithmetic_->pinned());
  };
  make(side.send_size(), send_, send_here_);
  make(side.receive_size(), receive_, receive_here_);
}

template <class T>
T* Buffers<T>::packed(i64 slot) {
  return send_.view()[slot].data;
}

template <class T>
void Buffers<T>::send_later(i64 slot, i64 n) {
  if (!send_here_.empty()) arithmetic_->copy_message(packed(slot), send_here_.view()[slot].data, n);
}

template <class T>
bool Buffers<T>::ready(bool wait) const {
  return arithmetic_->exchanged(wait);
}

template <class T>
const T* Buffers<T>::sent(i64 slot) {
  return send_here_.empty() ? packed(slot) : send_here_.view()[slot].data;
}

template <class T>
T* Buffers<T>::received(i64 slot) {
  return (receive_here_.empty() ? receive_ : receive_here_).view()[slot].data;
}

template <class T>
const T* Buffers<T>::arrived(i64 slot, i64 n) {
  T* const there = receive_.view()[slot].data;
  if (!receive_here_.empty()) arithmetic_->copy_message(received(slot), there, n);
  return there;
}

template class Side<float>;
template class Side<double>;
template class Buffers<float>;
template class Buffers<double>;

}  // namespace ptyle
