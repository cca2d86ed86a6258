#pragma once

// The cost of an exchange on a network, as `auto` and plans reckon it. The model:
//
//   - A rank has one port each way, of so many bytes a second; a message needs the latency besides.
//   - In a round, a rank begins when it has finished its round before. It has all that is for it
//     once its own port has let everything in, and every sender's port everything out:
//
//       end(r) = latency + max( begin(r) + max(in(r), out(r)) / bandwidth,
//                               max over s → r of begin(s) + out(s) / bandwidth )
//
//   - n chunks of planes follow each other through the rounds. The walk of the first is as above;
//     the others come behind it at the pace of the busiest port or of the longest round of a rank
//     (a round has one chunk at a time), whichever is slower. A walk longer than the pace meets
//     other chunks at the ports that it passes: on the way down or right none but those in front of
//     it, on the way back twice as many messages as ports can take at once; half of what it is
//     longer is added:
//
//       loaded = walk + ½ max(0, walk − pace)        seconds = loaded + (n − 1) pace
//
//   - Where m chunks may be on their way at a time, a rank waits for one to come back before it
//     begins another, w = n/m · max(0, loaded − pace) in all. Between these two bounds simulated
//     networks go like √(seconds² + w²). With m = 1 it is n walks.
//
// Packing and adding are not counted, nor what a message costs a processor. bench/exchange-sim
// runs the exchanges on a simulated network beside the model; docs/paper.md has the figures.

#include "tiles/schedule.hpp"

namespace ptyle {

struct Network {
  double bandwidth = 12.5e9;  ///< bytes a second of a rank's port, each way
  double latency = 1.5e-6;    ///< s of a message
};

/// The cost of one exchange.
struct ExchangeCost {
  double seconds = 0;
  double bytes = 0;   ///< sent by the rank that sends most
  i64 messages = 0;   ///< of the rank that sends most of them
  i64 hops = 0;       ///< longest chain of messages of a chunk
  i64 chunk = 0;      ///< planes that travel together
  i64 in_flight = 0;  ///< chunks on their way at a time
};

/// A schedule of all messages, as its chunk and in_flight say, for planes of `bytes` a pixel.
ExchangeCost cost_of(const Schedule& schedule, i64 planes, int bytes, const Network& network);

/// A sum so that all copies have it: `owner` with the fill that takes the result back. `chunk` or
/// `in_flight` 0: of all choices within 3 % of the quickest, the one with the fewest planes on
/// their way (buffers hold these) whose messages are no smaller than 16 KB on the average: these
/// are on the wire for about as long as a message costs its processors. `passes` goes whole. Throws
/// UserError where the kind cannot run.
ExchangeCost cost_of_sum(const Mesh& mesh, SumKind kind, i64 planes, int bytes,
                         const Network& network, i64 chunk = 0, i64 in_flight = 0);
/// Values of cores to their copies.
ExchangeCost cost_of_fill(const Mesh& mesh, i64 planes, int bytes, const Network& network,
                          i64 chunk = 0, i64 in_flight = 0);

/// Seconds of a sum of so many bytes that every rank has, to one and back to all, along binomial
/// trees: 2 ⌈log₂ ranks⌉ messages one after the other. Open MPI reduces so without blocking; one
/// that cuts large sums into pieces needs about 4 bytes / bandwidth instead.
double seconds_of_reduction(int ranks, double bytes, const Network& network);

/// The exact kind that takes the least time: what `auto` means.
SumKind cheapest(const Mesh& mesh, i64 planes, int bytes, const Network& network);

}  // namespace ptyle
