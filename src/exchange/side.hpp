#pragma once

// One rank's side of an exchange: how its values are packed into messages, and how what arrives is
// added or takes its place. The same for every transport.

#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "exchange/exchange.hpp"
#include "tiles/steps.hpp"

namespace ptyle {

template <class T>
class Side {
 public:
  Side(const ExchangePlan& plan, int rank);

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Chunks of the planes attached (before that, of the most that were planned), and the planes of
  /// one.
  [[nodiscard]] i64 chunks() const { return (attached_ + chunk_ - 1) / chunk_; }
  [[nodiscard]] Interval planes_of(i64 chunk) const {
    return {chunk * chunk_, std::min(attached_, (chunk + 1) * chunk_)};
  }
  /// Values that the largest step of a chunk sends and receives.
  [[nodiscard]] i64 send_size() const { return send_size_; }
  [[nodiscard]] i64 receive_size() const { return receive_size_; }

  /// Begins a run on these arrays. Throws std::invalid_argument for other shapes or more planes
  /// than planned.
  void attach(const Stack<T>& stack);
  /// Packs what a step sends of these planes, all parts one after the other.
  void pack(const Step& step, Interval planes, T* buffer) const;
  /// Adds or puts what a step received: a pointer for each of its receives.
  void unpack(const Step& step, Interval planes, std::span<const T* const> parts);
  /// Ends a run: the arrays have the result.
  void detach();

 private:
  void add(const Step& step, i64 plane, i64 i, std::span<const T* const> parts, T* scratch);
  void copy_whole(bool back);

  int rank_;
  i64 planes_, attached_, chunk_;
  int threads_;
  Box tile_;   // of the stack's arrays
  Box array_;  // that the schedule works on: the tile, or more
  std::vector<Step> steps_;
  i64 send_size_ = 0, receive_size_ = 0;
  Array<T, 2> scratch_;         // (threads, largest hull of a step's sums)
  Array<T, 3> whole_;           // only where the schedule works on more than the tile
  std::vector<T*> tile_plane_;  // of the stack
  std::vector<T*> plane_;       // that the schedule works on
};

/// What chunks on their way are sent from and received in: for each slot the largest step of a
/// side.
template <class T>
class Buffers {
 public:
  Buffers(i64 slots, const Side<T>& side, Ledger* ledger);
  [[nodiscard]] T* send(i64 slot);
  [[nodiscard]] T* receive(i64 slot);

 private:
  Array<T, 2> send_, receive_;  // (slots, values)
};

extern template class Side<float>;
extern template class Side<double>;
extern template class Buffers<float>;
extern template class Buffers<double>;

}  // namespace ptyle
