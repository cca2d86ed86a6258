#pragma once

// One rank's side of an exchange: which messages it has in which round, how its values are packed
// into them, and how what arrives is added or takes its place. The same for every transport.

#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "exchange/exchange.hpp"

namespace ptyle {

/// A message as one of its two ranks sees it. In a buffer, planes × rows × cols in C order; it
/// begins after `offset` pixels of each of the planes that travel.
struct Part {
  int partner = 0;
  Box box;
  i64 offset = 0;
};

/// What a rank does in one round; rounds that it has no part in are left out.
struct Step {
  std::size_t round = 0;
  Action action = Action::add;
  std::vector<Part> sends;
  std::vector<Part> receives;                ///< by rank
  i64 sent_pixels = 0, received_pixels = 0;  ///< of each plane, all parts together
};

/// The steps of one rank. Throws std::logic_error if a message is not inside its ranks' arrays, or
/// if two go from one rank to the same other in one round.
std::vector<Step> steps_of(const Schedule& schedule, int rank);

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

extern template class Side<float>;
extern template class Side<double>;

}  // namespace ptyle
