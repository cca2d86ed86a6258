#include "tiles/cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ptyle {
namespace {

/// A schedule as the model needs it; bytes and times are of one plane, latency apart.
struct Walk {
  double seconds = 0;        // of a chunk through all rounds
  double port = 0;           // of the busiest port, all rounds
  double longest_round = 0;  // of a rank
};

Walk walk(const Schedule& schedule, double bytes_a_pixel, const Network& network) {
  const std::size_t ranks = schedule.arrays.size();
  std::vector<double> begin(ranks, 0), end(ranks), in(ranks), out(ranks), all_in(ranks, 0),
      all_out(ranks, 0);
  Walk result;
  for (const Round& round : schedule.rounds) {
    std::fill(in.begin(), in.end(), 0.0);
    std::fill(out.begin(), out.end(), 0.0);
    for (const Message& m : round.messages) {
      const double seconds = bytes_a_pixel * double(m.box.area()) / network.bandwidth;
      out[static_cast<std::size_t>(m.from)] += seconds;
      in[static_cast<std::size_t>(m.to)] += seconds;
    }
    for (std::size_t r = 0; r < ranks; ++r) {
      const double port = std::max(in[r], out[r]);
      end[r] = begin[r] + (port > 0 ? network.latency + port : 0);
      all_in[r] += in[r];
      all_out[r] += out[r];
      if (port > 0) result.longest_round = std::max(result.longest_round, network.latency + port);
    }
    for (const Message& m : round.messages) {
      const auto from = static_cast<std::size_t>(m.from), to = static_cast<std::size_t>(m.to);
      end[to] = std::max(end[to], begin[from] + out[from] + network.latency);
    }
    begin.swap(end);
  }
  result.seconds = *std::max_element(begin.begin(), begin.end());
  for (std::size_t r = 0; r < ranks; ++r)
    result.port = std::max({result.port, all_in[r], all_out[r]});
  return result;
}

ExchangeCost with_traffic(const Schedule& schedule, i64 planes, int bytes) {
  ExchangeCost cost;
  for (const Traffic& t : traffic(schedule)) {
    cost.bytes = std::max(cost.bytes, double(t.pixels) * double(planes) * bytes);
    cost.messages = std::max(cost.messages, t.messages);
  }
  cost.hops = hops(schedule);
  return cost;
}

/// The cost of chunks of so many planes; `in_flight` 0: so many that waiting for one to come back
/// makes it at most 3 % longer.
ExchangeCost chunked(const Schedule& schedule, ExchangeCost cost, i64 planes, int bytes,
                     const Network& network, i64 chunk, i64 in_flight) {
  chunk = chunk > 0 ? std::min(chunk, planes) : planes;
  const i64 chunks = (planes + chunk - 1) / chunk;
  const Walk w = walk(schedule, double(bytes) * double(chunk), network);
  const double pace = std::max(w.port, w.longest_round);
  const double loaded = chunks > 1 ? w.seconds + std::max(0.0, w.seconds - pace) / 2 : w.seconds;
  const double n = double(planes) / double(chunk);  // the last may be a smaller one
  const double seconds = loaded + (n - 1) * pace;
  const double wait = n * std::max(0.0, loaded - pace);  // of one after the other
  // √(1 + (1/4)²) = 1.03
  if (in_flight == 0)
    in_flight = seconds > 0 ? std::max<i64>(2, static_cast<i64>(std::ceil(4 * wait / seconds))) : 1;
  in_flight = std::min(in_flight, chunks);
  cost.seconds = chunks == 1      ? w.seconds
                 : in_flight == 1 ? n * w.seconds
                                  : std::hypot(seconds, wait / double(in_flight));
  cost.messages *= chunks;
  cost.chunk = chunk;
  cost.in_flight = in_flight;
  return cost;
}

/// The way to chunk a schedule (see the header), but for what is given.
ExchangeCost best_chunks(const Schedule& schedule, i64 planes, int bytes, const Network& network,
                         i64 chunk, i64 in_flight) {
  constexpr double slack = 1.03, small_message = 16384;  // bytes
  const ExchangeCost traffic = with_traffic(schedule, planes, bytes);
  if (chunk > 0) return chunked(schedule, traffic, planes, bytes, network, chunk, in_flight);
  std::vector<ExchangeCost> costs;
  for (i64 planes_together = 1; planes_together < 2 * planes; planes_together *= 2)
    costs.push_back(chunked(schedule, traffic, planes, bytes, network,
                            std::min(planes_together, planes), in_flight));
  ExchangeCost best =
      *std::min_element(costs.begin(), costs.end(),
                        [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  const double limit = slack * best.seconds;
  // From the whole to single planes: fewer planes on their way, where that costs next to no time.
  std::reverse(costs.begin(), costs.end());
  for (const ExchangeCost& cost : costs)
    if (cost.seconds <= limit && cost.bytes >= small_message * double(cost.messages) &&
        cost.chunk * cost.in_flight < best.chunk * best.in_flight)
      best = cost;
  return best;
}

}  // namespace

ExchangeCost cost_of(const Schedule& schedule, i64 planes, int bytes, const Network& network) {
  const i64 chunk = schedule.chunk > 0 ? std::min(schedule.chunk, planes) : planes;
  const i64 chunks = (planes + chunk - 1) / chunk;
  return chunked(schedule, with_traffic(schedule, planes, bytes), planes, bytes, network, chunk,
                 schedule.in_flight > 0 ? schedule.in_flight : chunks);
}

ExchangeCost cost_of_sum(const Mesh& mesh, SumKind kind, i64 planes, int bytes,
                         const Network& network, i64 chunk, i64 in_flight) {
  Schedule schedule = sum_schedule(mesh, kind);
  if (kind == SumKind::passes) chunk = planes;
  if (kind == SumKind::owner)
    for (Round& round : fill_schedule(mesh).rounds) schedule.rounds.push_back(std::move(round));
  return best_chunks(schedule, planes, bytes, network, chunk, in_flight);
}

ExchangeCost cost_of_fill(const Mesh& mesh, i64 planes, int bytes, const Network& network,
                          i64 chunk, i64 in_flight) {
  return best_chunks(fill_schedule(mesh), planes, bytes, network, chunk, in_flight);
}

double seconds_of_reduction(int ranks, double bytes, const Network& network) {
  int depth = 0;
  while ((i64{1} << depth) < ranks) ++depth;
  return 2 * depth * (network.latency + bytes / network.bandwidth);
}

SumKind cheapest(const Mesh& mesh, i64 planes, int bytes, const Network& network) {
  SumKind best = SumKind::owner;
  if (!mesh.is_tensor()) return best;
  double least = std::numeric_limits<double>::infinity();
  // `allreduce` is `owner` of the whole object, and `neighbor` sends what `separable` does, the
  // corners twice.
  for (const SumKind kind :
       {SumKind::owner, SumKind::separable, SumKind::pipelined, SumKind::passes}) {
    const double seconds = cost_of_sum(mesh, kind, planes, bytes, network).seconds;
    if (seconds < least) least = seconds, best = kind;
  }
  return best;
}

}  // namespace ptyle
