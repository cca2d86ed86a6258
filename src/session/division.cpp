#include "session/division.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "analysis/scan_extent.hpp"
#include "core/error.hpp"
#include "operator/operator.hpp"
#include "tiles/bisection.hpp"
#include "tiles/hand_over.hpp"

namespace ptyle {
namespace {

Halo halo_of(const std::string& text, i64 window, double pixel) {
  if (text == "exact") return Halo::exact(window);
  double length = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, length);
  if (failed != std::errc() || rest != end || !(length >= 0) || !(length < 1e6 * pixel))
    throw UserError(fmt::format(
        "ranks.halo: '{}' should be exact, or a length in Å (px in pixel units), e.g. 6.0", text));
  return Halo::of(std::lround(length / pixel));
}

/// So many rows of positions, as if they stood on a square raster, px.
i64 rows_in_pixels(int rows, const ObjectFrame& frame, i64 window) {
  const double scan_rows = double(frame.rows - window + 1),
               scan_cols = double(frame.cols - window + 1);
  const double step = std::sqrt(scan_rows * scan_cols / double(frame.positions.size()));
  return std::lround(rows * step);
}

/// The ways to cut the object into tiles.
struct Tiles {
  std::span<const Pixel> centres;
  Bisection asked;
  i64 planes;
  int bytes;
  Network network;

  [[nodiscard]] Mesh mesh(const RanksConfig& config) const {
    const bool shaped = config.mesh[0] > 0;
    if (config.tiling == Tiling::bisection && shaped)
      throw UserError(
          "ranks.tiling: bisection makes no rows and columns of tiles: leave out ranks.mesh, or "
          "take ranks.tiling: mesh");
    if (asked.ranks == 1 || shaped || config.tiling == Tiling::mesh) return by_lines(config);
    if (config.tiling == Tiling::bisection) return bisected_mesh(centres, asked);
    if (needs_lines(config)) return by_lines(config);
    return by_cost(config);
  }

 private:
  /// Whatever regularisers look at, so that it depends on the scan, the windows and the network.
  [[nodiscard]] Mesh by_cost(const RanksConfig& config) const {
    Bisection bare = asked;
    bare.reach = 0;
    const auto lines = unless_refused([&] { return by_lines(config); }),
               parts = unless_refused([&] { return bisected_mesh(centres, bare); });
    if (!lines && !parts) return by_lines(config);  // throws
    constexpr double clearly = 0.9;
    if (!parts || (lines && cost(*parts) >= clearly * cost(*lines))) return *lines;
    return asked.reach == 0 ? *parts : bisected_mesh(centres, asked);
  }
  /// Exchanges along rows and columns of tiles, and those of voxels.
  static bool needs_lines(const RanksConfig& config) {
    const Scheme scheme = config.exchange.value_or(Scheme::owner);
    return scheme != Scheme::owner && scheme != Scheme::none;
  }
  [[nodiscard]] Mesh by_lines(const RanksConfig& config) const {
    const auto shape = config.mesh[0] > 0 ? config.mesh : automatic_shape(centres, asked.ranks);
    return balanced_mesh(centres, asked.window, shape, asked.halo, asked.margin);
  }
  template <class Make>
  static std::optional<Mesh> unless_refused(const Make& make) {
    try {
      return make();
    } catch (const UserError&) {
      return {};
    }
  }
  /// Seconds of an iteration on a rank of 100 GFLOP/s, times the pixels of the largest tile: time
  /// and memory count alike.
  [[nodiscard]] double cost(const Mesh& mesh) const {
    std::vector<i64> positions(static_cast<std::size_t>(asked.ranks), 0);
    for (const Pixel& p : centres) ++positions[static_cast<std::size_t>(mesh.tile_of(p))];
    i64 largest = 0;
    for (int rank = 0; rank < asked.ranks; ++rank)
      largest = std::max(largest, mesh.extended(rank).area());
    // A position's gradient is four transforms of 5 W² log2 W² operations a plane.
    const auto pixels = static_cast<double>(asked.window * asked.window);
    const double gradient = 20 * pixels * std::log2(pixels) * double(planes) / 1e11;
    const double exchange =
        cost_of_sum(mesh, cheapest(mesh, planes, bytes, network), planes, bytes, network).seconds;
    const auto most = *std::max_element(positions.begin(), positions.end());
    return (double(most) * gradient + exchange) * double(largest);
  }
};

/// The rank of each position where so many share them by defaults: keys of halos, tilings,
/// exchanges and the network change how a run does it, not what it computes.
std::vector<int> groups_for(Tiles tiles, int ranks) {
  if (ranks == 1) return {};
  const Halo exact = Halo::exact(tiles.asked.window);
  const i64 room = tiles.asked.room;
  tiles.asked.ranks = ranks;
  tiles.asked.halo = {exact.before + room, exact.after + room};
  tiles.asked.reach = 0;
  tiles.bytes = sizeof(float);
  tiles.network = {};
  try {
    const Mesh mesh = tiles.mesh(RanksConfig{});
    std::vector<int> group_of;
    for (const Pixel& centre : tiles.centres) group_of.push_back(mesh.tile_of(centre));
    return group_of;
  } catch (const UserError& e) {
    throw UserError(fmt::format("ranks.of: {}", e.what()));
  }
}

}  // namespace

int dealt_for(const RanksConfig& config, int ranks) {
  constexpr int few = 16;  // whose loads are nearly equal however positions are dealt
  return config.of > 0 ? config.of : ranks > few ? ranks : 1;
}

Network network_of(const RanksConfig& config) {
  return {config.bandwidth * 1e9, config.latency * 1e-6};
}

ExchangeCost cost_of(const Sharing& sharing, i64 planes, int bytes, const Network& network) {
  const auto& [mesh, scheme, chunk, in_flight] = sharing;
  if (scheme == Scheme::none) return {};
  if (const auto kind = sum_kind(scheme))
    return cost_of_sum(mesh, *kind, planes, bytes, network, chunk, in_flight);
  if (scheme == Scheme::voxel)
    return cost_of_fill(mesh, planes - 1, bytes, network, chunk, in_flight);
  return cost_of_sum(mesh, SumKind::separable, planes - 1, bytes, network, chunk, in_flight);
}

void set_exchange(FitOptions& options, const RanksConfig& config) {
  options.update = config.update == UpdateChoice::literal ? Update::literal : Update::consistent;
  options.local_positions = config.local_positions;
  options.exchange_behind = config.exchange_behind;
}

bool sums_every_batch(const RanksConfig& config, int ranks) {
  FitOptions options;
  set_exchange(options, config);
  return sums_every_batch(options, config.exchange.value_or(Scheme::owner), ranks);
}

i64 margin_of_moves(const PositionOptions& refinement, const RanksConfig& config, int ranks,
                    const std::vector<Position>& positions, i64 window, double pixel) {
  if (refinement.refine == Switch::off) return 0;
  const bool paper = !sums_every_batch(config, ranks);
  const ScanExtent scan = scan_extent(positions);
  const double step = scan.step / pixel, of_step = std::min(2 * step, double(window) / 4);
  const double most = refinement.largest_move > 0 ? refinement.largest_move / pixel : of_step;
  if (most > double(window) / 2)
    throw UserError(
        fmt::format("positions.largest_move: {:.4g} is beyond half the patterns' window, {:.4g}, "
                    "and errors that large are not found; left out, it is {:.3g}",
                    refinement.largest_move, pixel * double(window) / 2, pixel * of_step));
  if (refinement.refine == Switch::automatic) {
    constexpr std::size_t many = 256;
    constexpr double close = 1.0 / 8;  // of a window: probes that fill half of it overlap by 3/4
    const bool line = scan.width() < 3 * scan.step;
    if (paper || positions.size() < many || line || step > close * double(window)) return 0;
  } else if (paper) {
    throw needs_sums("positions.refine: on");
  }
  return std::max<i64>(1, static_cast<i64>(std::ceil(most)));
}

Division divide(const std::vector<Position>& positions, i64 window, double pixel,
                const RanksConfig& config, int ranks, i64 planes, int bytes, i64 margin,
                i64 looked_at) {
  ObjectFrame frame = frame_object(positions, window, pixel, margin);
  std::vector<Pixel> centres;
  for (const Position& at : frame.positions) {
    const Placement corner = place(at, window);
    centres.push_back({corner.row + window / 2, corner.col + window / 2});
  }
  const std::array<int, 2>& shape = config.mesh;
  if (shape[0] > 0 && i64{shape[0]} * shape[1] != ranks)
    throw UserError(fmt::format(
        "ranks.mesh: {} x {} tiles are {} ranks, but {} {} started (mpirun -n)", shape[0], shape[1],
        i64{shape[0]} * shape[1], ranks, ranks == 1 ? "was" : "were"));
  const std::optional<Scheme>& named = config.exchange;
  const i64 extra = !named || sum_kind(*named) || ranks == 1
                        ? 0
                        : rows_in_pixels(config.extra_rows, frame, window);
  Halo halo = halo_of(config.halo, window, pixel);
  const i64 more = extra + room_for_moves(margin);
  halo = {halo.before + more, halo.after + more};
  const Network network = network_of(config);
  const Tiles tiles{centres,
                    {window, ranks, halo, margin, room_for_moves(margin),
                     looked_at < 0 ? std::min(halo.before, halo.after) : looked_at},
                    planes,
                    bytes,
                    network};
  const Mesh mesh = tiles.mesh(config);
  Scheme scheme = named.value_or(Scheme::owner);
  if (!named && ranks > 1) scheme = scheme_of(cheapest(mesh, planes, bytes, network));
  Division division{
      std::move(frame), {mesh, scheme, config.chunk, config.in_flight}, {}, extra, margin};
  check_sharing(division.sharing);
  if (ranks > 1 && (config.chunk == 0 || config.in_flight == 0)) {
    const ExchangeCost cost = cost_of(division.sharing, planes, bytes, network);
    division.sharing.chunk = cost.chunk;
    division.sharing.in_flight = cost.in_flight;
  }
  division.support = std::make_shared<Support>(centres, window, margin);
  division.shares = share_positions(mesh, centres, extra);
  division.of = dealt_for(config, ranks);
  division.group_of = groups_for(tiles, division.of);
  if (margin > 0 && ranks > 1) division.most_that_come = most_that_come(mesh, centres, margin);
  return division;
}

}  // namespace ptyle
