#pragma once

// Streams of a GPU that is not there. A real one does what is asked of it at some later time, in
// the order of each stream, and between streams as events say. Here it is done at once, or as late
// as it may be and in an order that is as bad as events allow: what an event should have said then
// shows in the result.

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace ptyle::emulated {

/// When that is done which is asked of a stream.
enum class Order {
  at_once,      ///< when it is asked
  as_needed,    ///< once somebody waits for it, and no more than that needs
  others_first  ///< once somebody waits for it, after all that other streams can do before
};

class Streams {
 public:
  /// The work that a stream had when the mark was set, as cudaEventRecord does; none, where no mark
  /// was set.
  struct Mark {
    std::size_t stream = 0, asked = 0;
  };

  Streams(std::size_t count, Order order) : order_(order), streams_(count) {}

  /// Asks work() of a stream.
  template <class Work>
  void ask(std::size_t stream, Work&& work) {
    if (order_ == Order::at_once) return work();
    const std::lock_guard lock(mutex_);
    streams_[stream].left.push_back({std::forward<Work>(work), {}});
  }
  /// Work that a stream gets from now on waits for the work that is marked (cudaStreamWaitEvent).
  void follow(std::size_t stream, Mark mark) {
    if (order_ == Order::at_once) return;
    const std::lock_guard lock(mutex_);
    streams_[stream].left.push_back({[] {}, mark});
  }
  [[nodiscard]] Mark mark(std::size_t stream) const {
    const std::lock_guard lock(mutex_);
    return end_of(stream);
  }
  /// Is nothing left of what it was asked? (cudaStreamQuery)
  [[nodiscard]] bool idle(std::size_t stream) const {
    const std::lock_guard lock(mutex_);
    return streams_[stream].left.empty();
  }

  /// Is nothing left of what any was asked?
  [[nodiscard]] bool idle() const {
    const std::lock_guard lock(mutex_);
    return std::all_of(streams_.begin(), streams_.end(),
                       [](const Stream& stream) { return stream.left.empty(); });
  }

  /// Until what is marked is done (cudaEventSynchronize).
  void wait(Mark mark) {
    const std::lock_guard lock(mutex_);
    for (std::size_t s = 0; order_ == Order::others_first && s < streams_.size(); ++s)
      if (s != mark.stream) run_to(end_of(s));
    run_to(mark);
  }
  void wait(std::size_t stream) { wait(mark(stream)); }
  void wait_for_all() {
    for (std::size_t s = 0; s < streams_.size(); ++s) wait(s);
  }

 private:
  struct Item {
    std::function<void()> work;
    Mark after;
  };
  struct Stream {
    std::deque<Item> left;
    std::size_t done = 0;
  };

  [[nodiscard]] Mark end_of(std::size_t stream) const {
    return {stream, streams_[stream].done + streams_[stream].left.size()};
  }
  /// A mark is set before others follow it, so that this comes to an end.
  void run_to(Mark mark) {
    Stream& stream = streams_[mark.stream];
    while (stream.done < mark.asked) {
      run_to(stream.left.front().after);
      const auto work = std::move(stream.left.front().work);
      stream.left.pop_front();
      ++stream.done;
      work();
    }
  }

  Order order_;
  mutable std::mutex mutex_;
  std::vector<Stream> streams_;
};

}  // namespace ptyle::emulated
