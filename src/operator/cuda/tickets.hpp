#pragma once

// A whole gradient of a batch in one launch, where waves stay on chip: as many blocks as the GPU
// holds take tickets, in this order
//
//   1. a forward pass for every wave
//   2. for every position: its detector, in chunks of pixels; then a backward pass for every mode
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
  static constexpr int threads = Forward::threads;
  static constexpr std::size_t shared = Forward::shared;
  static_assert(Detector::shared <= shared);
  Forward forward;
  Backward backward;
  Detector detector;
  int positions, chunks;  ///< of a position's detector
  int* flags;             ///< the counter, then two for each position; 0 at first

  template <class Block>
  PTYLE_HOST_DEVICE void operator()(Block& block) const {
    const int modes = detector.modes, waves = positions * modes, each = chunks + modes;
    int *const forward_done = flags + 1, *const detected = flags + 1 + positions;
    for (int ticket = block.next(flags); ticket < waves + positions * each;
         ticket = block.next(flags)) {
      if (ticket < waves) {
        forward.pass(block, ticket);
        block.signal(forward_done + ticket / modes);
        continue;
      }
      const int position = (ticket - waves) / each, part = (ticket - waves) % each;
      if (part < chunks) {
        block.await(forward_done + position, modes);
        detector.chunk(block, position, part);
        block.signal(detected + position);
      } else {
        block.await(detected + position, chunks);
        backward.pass(block, static_cast<i64>(position) * modes + part - chunks);
      }
    }
  }
};

}  // namespace ptyle::gpu
