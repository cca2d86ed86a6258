#pragma once

// The transport of records that change hands (tiles/hand_over). What goes is known to its sender
// alone, so that ranks first tell each other. All processes of a team call in this order:
//
//   const auto coming = delivery->announce(leaving);   who gets what; numbers alone travel
//   delivery->expect(places of what comes);            receives are posted
//   auto running = delivery->send(what leaves);        sends are posted
//   running.finish();                                  all is there
//
// A parcel travels as pieces of memory, straight out of where they lie and into their places. Both
// ranks have the same pieces, of the same sizes, in the same order.

#include <cstddef>
#include <span>
#include <vector>

#include "exchange/exchange.hpp"
#include "tiles/hand_over.hpp"

namespace ptyle {

template <class Byte>
struct Pieced {
  int from = 0, to = 0;
  std::vector<std::span<Byte>> pieces;
};
using Leaving = Pieced<const std::byte>;
using Coming = Pieced<std::byte>;

class Delivery : public ExchangeEngine {
 public:
  /// The parcels that leave this process's ranks, at most one from a rank to another. Returns those
  /// that come to them, by receiver and then by sender.
  virtual std::vector<Parcel> announce(std::span<const Parcel> leaving) = 0;
  /// The places of what was announced. The memory must outlive the running handle of send().
  virtual void expect(std::vector<Coming> parcels) = 0;
  virtual Running send(std::vector<Leaving> parcels) = 0;
};

}  // namespace ptyle
