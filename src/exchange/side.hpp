#pragma once

// One rank's side of an exchange: how its values are packed into messages, and how what arrives is
// added or takes its place, by the arithmetic of where its arrays live (device/arithmetic). The
// same for every transport.

#include <memory>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "device/arithmetic.hpp"
#include "exchange/exchange.hpp"
#include "tiles/steps.hpp"

namespace ptyle {

template <class T>
class Side {
 public:
  /// Arrays live where the arithmetic says, which must outlive it; none: in the host's memory.
  Side(const ExchangePlan& plan, int rank, Arithmetic<T>* arithmetic);

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] Arithmetic<T>& arithmetic() const { return *arithmetic_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Chunks of the planes attached (before that, of the most that were planned), and the planes of
  /// one.
  [[nodiscard]] i64 chunks() const { return (attached_ + chunk_ - 1) / chunk_; }
  [[nodiscard]] Interval planes_in(i64 chunk) const {
    return {chunk * chunk_, std::min(attached_, (chunk + 1) * chunk_)};
  }
  /// Values that the largest step of a chunk sends and receives.
  [[nodiscard]] i64 send_size() const { return send_size_; }
  [[nodiscard]] i64 receive_size() const { return receive_size_; }

  /// Begins a run on these arrays. Throws std::invalid_argument for other shapes or more planes
  /// than planned.
  void attach(const Stack<T>& stack);
  /// Packs what a step (by its number) sends of these planes, all parts one after the other.
  void pack(std::size_t step, Interval planes, T* buffer) const;
  /// Adds or puts what a step received, all parts one after the other in a buffer; or where
  /// find_receives() has said that they lie.
  void unpack(std::size_t step, Interval planes, const T* buffer);
  /// Places of the parts of a step in the buffer that unpack() is given.
  void find_receives(std::size_t step, const std::vector<Piece>& parts);
  /// Ends a run: the arrays have the result.
  void detach();

 private:
  [[nodiscard]] Pieces pieces_of(const std::vector<StepPart>& parts) const;
  void copy_whole(bool back);

  /// The messages of a step, in the array's own pixels.
  struct Messages {
    Pieces sends, receives;
    i64 before = 0;  // receives of lower ranks, which are added before this rank's own values
  };

  std::unique_ptr<Arithmetic<T>> own_;  // where none was given
  Arithmetic<T>* arithmetic_;
  int rank_;
  i64 planes_, attached_, chunk_;
  Box tile_;   // of the stack's arrays
  Box array_;  // that the schedule works on: the tile, or more
  std::vector<Step> steps_;
  std::vector<Messages> messages_;  // of each step
  i64 send_size_ = 0, receive_size_ = 0;
  Array<T, 3> whole_;     // only where the schedule works on more than the tile
  Pieces tile_in_whole_;  // and there, where the tile lies on it
  Stack<T> stack_;
  Planes<T> plane_;  // that the schedule works on
};

/// Buffers that chunks on their way are sent from and received in: for each slot the largest step
/// of a side. Where arrays live on a device whose memory messages cannot be sent from, they go
/// through the host's.
template <class T>
class Buffers {
 public:
  /// `direct`: messages are sent from where the arrays live, and received there.
  Buffers(i64 slots, const Side<T>& side, bool direct, Ledger* ledger);
  /// The buffer that a step is packed into.
  [[nodiscard]] T* packed(i64 slot);
  /// The first n values of it on their way to where messages are sent from.
  void send_later(i64 slot, i64 n);
  /// Is all done that was asked for, packing and unpacking too? `wait`: until it is.
  [[nodiscard]] bool ready(bool wait) const;
  /// Once it is: what messages are sent from, and received in.
  [[nodiscard]] const T* sent(i64 slot);
  [[nodiscard]] T* received(i64 slot);
  /// The first n values of what was received, for a step to be unpacked from.
  [[nodiscard]] const T* arrived(i64 slot, i64 n);

 private:
  Arithmetic<T>* arithmetic_;
  Array<T, 2> send_, receive_;            // (slots, values)
  Array<T, 2> send_here_, receive_here_;  // the same in the host's memory, where they go through it
};

extern template class Side<float>;
extern template class Side<double>;
extern template class Buffers<float>;
extern template class Buffers<double>;

}  // namespace ptyle
