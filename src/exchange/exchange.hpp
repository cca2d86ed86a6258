#pragma once

// Exchanges between ranks: sums of accumulators, and fills of copies from cores, as a schedule
// (tiles/schedule) says. An exchange is planned once, which allocates its buffers, and then run any
// number of times:
//
//   auto running = exchange->start(tiles);
//   …                                        work that leaves the tiles alone; now and then
//   running.progress();                      lets messages that wait for others go on
//   running.finish();

#include <span>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/ledger.hpp"
#include "tiles/schedule.hpp"

namespace ptyle {

/// The arrays of one rank that are exchanged together, such as the gradient's S slices and the
/// illumination's plane: each (planes, rows, cols) on the rank's extended tile.
template <class T>
using Stack = std::vector<View<T, 3>>;

/// The input of a planned exchange; beside it, the arithmetic of where its arrays live.
struct ExchangePlan {
  Mesh mesh;
  Schedule schedule;
  i64 planes = 0;            ///< most that all arrays of a stack have together
  int threads = 1;           ///< that copy and add
  Ledger* ledger = nullptr;  ///< accounts for the host's buffers ("exchange buffers")
};

/// The engine that Running drives.
class ExchangeEngine {
 public:
  virtual ~ExchangeEngine() = default;

 protected:
  friend class Running;
  /// Goes on as far as it can, or (wait) to the end. True at the end.
  virtual bool advance(bool wait) = 0;
  /// Given up before its end, because of an exception: must not wait, and runs never again.
  virtual void abandon() noexcept = 0;
};

/// An exchange on its way. Until it has finished nobody else may touch the tiles. Dropped
/// unfinished, it leaves them unspecified and the exchange unusable, but waits for nobody.
class [[nodiscard]] Running {
 public:
  explicit Running(ExchangeEngine& engine) : engine_(&engine) {}
  Running(Running&& o) noexcept : engine_(std::exchange(o.engine_, nullptr)) {}
  Running& operator=(Running&&) = delete;
  ~Running() {
    if (engine_) engine_->abandon();
  }
  /// Takes what has arrived and sends what that allows. True once all is done.
  bool progress() {
    if (engine_ && engine_->advance(false)) engine_ = nullptr;
    return !engine_;
  }
  /// Waits for the rest.
  void finish() {
    if (engine_ && engine_->advance(true)) engine_ = nullptr;
  }

 private:
  ExchangeEngine* engine_;
};

template <class T>
class Exchange : public ExchangeEngine {
 public:
  /// Begins the exchange of `tiles`, the stack of each rank of this process by rank; the arrays
  /// must outlive the handle, and the exchange too. Every rank starts the same exchanges in the
  /// same order, with the same number of planes. Throws std::invalid_argument for shapes other or
  /// planes more than planned, std::logic_error while it is running.
  virtual Running start(std::span<const Stack<T>> tiles) = 0;
};

}  // namespace ptyle
