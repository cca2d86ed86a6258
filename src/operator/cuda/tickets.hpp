#pragma once

// A whole gradient of a batch in one launch, where waves stay on chip: as many blocks (or clusters
// of them, fused.hpp) as the GPU holds take tickets, in this order
//
//   1. a forward pass for every wave
//   2. for every position: its detector, in chunks of pixels; then backward passes of its modes,
//      some of them by one ticket, one after the other, so that one patch takes their gradient
//
// A position's detector waits for its forward passes, a backward pass for its position's detector.
// So small batches keep all multiprocessors busy: forward passes of the last positions go on beside
// backward passes of the first.

#include "operator/cuda/fused.hpp"
#include "operator/cuda/pointwise.hpp"

namespace ptyle::gpu {

template <class T, int W>
struct FusedGradient {
  using Forward = FusedPass<T, W, RowOp::transmit>;
  using Backward = FusedPass<T, W, RowOp::back>;
  using Detector = Detect<T, Forward::threads>;
  static constexpr int threads = Forward::threads, cluster = Forward::cluster,
                       resident = Forward::resident;
  static_assert(Detector::shared <= fused_shared(W) * sizeof(Z<T>));
  Forward forward;
  Backward backward;
  Detector detector;
  int positions, chunks;  ///< of a position's detector
  int together;           ///< modes of a backward ticket
  int* flags;             ///< the counter, then two for each position; 0 at first
  Alarm* alarm;

  /// Tickets of a position's detector and of its backward passes.
  [[nodiscard]] PTYLE_HOST_DEVICE int detections() const {
    return (chunks + cluster - 1) / cluster;
  }
  [[nodiscard]] PTYLE_HOST_DEVICE int parts() const {
    return (detector.modes + together - 1) / together;
  }
  [[nodiscard]] PTYLE_HOST_DEVICE int tickets() const {
    return positions * (detector.modes + detections() + parts());
  }

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int modes = detector.modes, waves = positions * modes, each = detections() + parts();
    forward.prepare(block);
    int *const forward_done = flags + 1, *const detected = flags + 1 + positions;
    for (int ticket = block.next(flags); ticket < tickets(); ticket = block.next(flags)) {
      if (ticket < waves) {
        forward.pass(block, ticket, ticket, true);
        block.signal(forward_done + ticket / modes);
        continue;
      }
      const int position = (ticket - waves) / each, part = (ticket - waves) % each;
      if (part < detections()) {
        const int chunk = part * cluster + block.rank();
        block.await(forward_done + position, modes * cluster, alarm);
        if (chunk >= chunks) continue;
        detector.chunk(block, position, chunk);
        block.signal(detected + position);
      } else {
        block.await(detected + position, chunks, alarm);
        const i64 wave = static_cast<i64>(position) * modes;
        const int first = (part - detections()) * together;
        for (int m = first; m < modes && m < first + together; ++m)
          backward.pass(block, wave + m, wave + first / together, m == first);
      }
    }
  }
};

}  // namespace ptyle::gpu
