#include "session/division.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "operator/operator.hpp"
#include "tiles/bisection.hpp"
#include "tiles/hand_over.hpp"
#include "tiles/support.hpp"

namespace ptyle {

Halo halo_of(const std::string& text, i64 window, double pixel) {
  if (text == "exact") return Halo::exact(window);
  const double length = number_of(text).value_or(-1);
  if (!(length >= 0) || !(length < 1e6 * pixel))
    throw UserError(fmt::format(
        "ranks.halo: '{}' should be exact, or a length in Å (px in pixel units), e.g. 6.0", text));
  return Halo::of(std::lround(length / pixel));
}

namespace {

/// So many rows of positions, as if they stood on a square raster, px.
i64 rows_in_pixels(int rows, const ObjectFrame& frame, i64 window) {
  const double scan_rows = double(frame.rows - window + 1),
               scan_cols = double(frame.cols - window + 1);
  const double step = std::sqrt(scan_rows * scan_cols / double(frame.positions.size()));
  return std::lround(rows * step);
}

/// The tilings of a scan for so many ranks. Which of them is the best depends on positions, windows
/// and planes alone, so that it is the same for a plan, a run, and mini-batches.
class Tilings {
 public:
  Tilings(const ScanOnObject& scan, int ranks, i64 planes)
      : scan_(scan), ranks_(ranks), planes_(planes) {}

  [[nodiscard]] Mesh by_lines(std::array<int, 2> shape = {}) const {
    if (shape[0] == 0) shape = automatic_shape(scan_.centres, ranks_);
    return balanced_mesh(scan_.centres, scan_.window, shape, {}, scan_.margin);
  }
  [[nodiscard]] Mesh by_bisection() const {
    return bisected_mesh(scan_.centres, {scan_.window, ranks_, windows_halo(), scan_.margin,
                                         room_for_moves(scan_.margin), 0});
  }
  [[nodiscard]] Mesh best() const {
    if (ranks_ == 1) return by_lines();
    const auto lines = unless_refused([&] { return by_lines(); });
    if (lines && share_it_evenly(*lines)) return *lines;
    const auto parts = unless_refused([&] { return by_bisection(); });
    if (!lines && !parts) return by_lines();  // throws
    constexpr double clearly = 0.9;
    const bool take_lines =
        !parts || (lines && cost(*parts) >= clearly * cost(lines->with_halo(windows_halo())));
    return take_lines ? *lines : *parts;
  }

 private:
  template <class Make>
  static std::optional<Mesh> unless_refused(const Make& make) {
    try {
      return make();
    } catch (const UserError&) {
      return {};
    }
  }
  [[nodiscard]] Halo windows_halo() const {
    const Halo exact = Halo::exact(scan_.window);
    const i64 room = room_for_moves(scan_.margin);
    return {exact.before + room, exact.after + room};
  }
  /// The fullest rank has a tenth more positions than the mean at most, and no corner of the object
  /// is empty: a bisection, which takes time to make, has nothing to mend.
  [[nodiscard]] bool share_it_evenly(const Mesh& lines) const {
    constexpr double evenly = 1.1;
    const double mean = double(scan_.centres.size()) / ranks_;
    return double(fullest(lines)) <= evenly * mean &&
           Support(scan_.centres, scan_.window, scan_.margin).covers(lines.object());
  }
  [[nodiscard]] i64 fullest(const Mesh& mesh) const {
    const std::vector<i64> positions = count_positions(mesh, scan_.centres);
    return *std::max_element(positions.begin(), positions.end());
  }
  /// Seconds of an iteration on a rank of 100 GFLOP/s, times the pixels of the largest tile: time
  /// and memory count alike.
  [[nodiscard]] double cost(const Mesh& mesh) const {
    i64 largest = 0;
    for (int rank = 0; rank < ranks_; ++rank)
      largest = std::max(largest, mesh.extended(rank).area());
    // A position's gradient is four transforms of 5 W² log2 W² operations a plane.
    const auto pixels = static_cast<double>(scan_.window * scan_.window);
    const double gradient = 20 * pixels * std::log2(pixels) * double(planes_) / 1e11;
    const double exchange =
        cost_of_sum(mesh, SumKind::owner, planes_, sizeof(float), Network{}).seconds;
    return (double(fullest(mesh)) * gradient + exchange) * double(largest);
  }

  const ScanOnObject& scan_;
  int ranks_;
  i64 planes_;
};

/// True where the configuration leaves the tiling to us.
bool takes_the_best(const RanksConfig& config, int ranks) {
  return config.mesh[0] == 0 && (config.tiling == Tiling::automatic || ranks == 1) &&
         !needs_lines(config);
}

Mesh mesh_of(const ScanOnObject& scan, const RanksConfig& config, int ranks, i64 planes) {
  const auto& shape = config.mesh;
  const bool shaped = shape[0] > 0, bisect = config.tiling == Tiling::bisection;
  if (shaped && bisect)
    throw UserError(
        "ranks.tiling: bisection makes no rows and columns of tiles: leave out ranks.mesh, or take "
        "ranks.tiling: mesh");
  if (shaped && i64{shape[0]} * shape[1] != ranks)
    throw UserError(fmt::format(
        "ranks.mesh: {} x {} tiles are {} ranks, but {} {} started (mpirun -n)", shape[0], shape[1],
        i64{shape[0]} * shape[1], ranks, ranks == 1 ? "was" : "were"));
  const Tilings tilings(scan, ranks, planes);
  if (takes_the_best(config, ranks)) return tilings.best();
  return bisect && ranks > 1 ? tilings.by_bisection() : tilings.by_lines(shape);
}

}  // namespace

bool needs_lines(const RanksConfig& config) {
  const Scheme scheme = config.exchange.value_or(Scheme::owner);
  return scheme != Scheme::owner && scheme != Scheme::none;
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
  options.exchange_at_end = config.exchange_at_end;
}

bool sums_every_batch(const RanksConfig& config, int ranks) {
  FitOptions options;
  set_exchange(options, config);
  return sums_every_batch(options, config.exchange.value_or(Scheme::owner), ranks);
}

i64 margin_of_moves(const PositionOptions& refinement, const RanksConfig& config, int ranks,
                    std::span<const Position> positions, i64 window, double pixel) {
  if (refinement.refine == Switch::off) return 0;
  return margin_of_moves(refinement, config, ranks, std::ssize(positions), scan_extent(positions),
                         window, pixel);
}

i64 margin_of_moves(const PositionOptions& refinement, const RanksConfig& config, int ranks,
                    i64 positions, const ScanExtent& scan, i64 window, double pixel) {
  if (refinement.refine == Switch::off) return 0;
  const bool paper = !sums_every_batch(config, ranks);
  const double step = scan.step / pixel, of_step = std::min(2 * step, double(window) / 4);
  const double most = refinement.largest_move > 0 ? refinement.largest_move / pixel : of_step;
  if (most > double(window) / 2)
    throw UserError(
        fmt::format("positions.largest_move: {:.4g} is beyond half the patterns' window, {:.4g}, "
                    "and errors that large are not found; left out, it is {:.3g}",
                    refinement.largest_move, pixel * double(window) / 2, pixel * of_step));
  if (refinement.refine == Switch::automatic) {
    constexpr i64 many = 256;
    constexpr double close = 1.0 / 8;  // of a window: probes that fill half of it overlap by 3/4
    const bool line = scan.width() < 3 * scan.step;
    if (paper || positions < many || line || step > close * double(window)) return 0;
  } else if (paper) {
    throw UserError("positions.refine: " + needs_sums());
  }
  return std::max<i64>(1, static_cast<i64>(std::ceil(most)));
}

ScanOnObject scan_on_object(std::span<const Position> positions, i64 window, double pixel,
                            i64 margin) {
  ScanOnObject scan{window, margin, frame_object(positions, window, pixel, margin), {}, {}};
  scan.extent = scan_extent(scan.frame.positions);
  scan.centres.reserve(positions.size());
  for (const Position& at : scan.frame.positions) {
    const Placement corner = place(at, window);
    scan.centres.push_back({corner.row + window / 2, corner.col + window / 2});
  }
  return scan;
}

int dealt_for(const RanksConfig& config, int ranks) {
  constexpr int few = 16;  // whose loads are nearly equal however positions are dealt
  return config.of > 0 ? config.of : ranks > few ? ranks : 1;
}

Cores cores_of(const ScanOnObject& scan, const RanksConfig& config, int ranks, i64 planes) {
  Cores cores{mesh_of(scan, config, ranks, planes), dealt_for(config, ranks)};
  if (cores.of == 1) return cores;
  try {
    const bool same = cores.of == ranks && takes_the_best(config, ranks);
    const Mesh groups = same ? cores.mesh : Tilings(scan, cores.of, planes).best();
    std::vector<int> group_of;
    group_of.reserve(scan.centres.size());
    for (const Pixel& centre : scan.centres) group_of.push_back(groups.tile_of(centre));
    cores.group_of = std::make_shared<const std::vector<int>>(std::move(group_of));
  } catch (const UserError& e) {
    throw UserError(fmt::format("ranks.of: {}", e.what()));
  }
  return cores;
}

Cut cut_along(const Cores& cores, const ScanOnObject& scan, double pixel, const RanksConfig& config,
              i64 planes, int bytes, i64 looked_at) {
  const int ranks = cores.mesh.ranks();
  const std::optional<Scheme>& named = config.exchange;
  Cut cut;
  cut.positions = std::ssize(scan.frame.positions);
  cut.extent = scan.extent;
  cut.margin = scan.margin;
  if (named && !sum_kind(*named) && ranks > 1)
    cut.extra = rows_in_pixels(config.extra_rows, scan.frame, scan.window);
  cut.of = cores.of;
  cut.group_of = cores.group_of;
  Halo halo = halo_of(config.halo, scan.window, pixel);
  const i64 room = room_for_moves(scan.margin), more = cut.extra + room;
  halo = {halo.before + more, halo.after + more};
  const i64 reach = looked_at < 0 ? std::min(halo.before, halo.after) : looked_at;
  const Mesh mesh =
      cores.mesh.is_tensor()
          ? cores.mesh.with_halo(halo)
          : bisected_mesh(scan.centres, {scan.window, ranks, halo, scan.margin, room, reach},
                          cores.mesh);
  const Network network = network_of(config);
  Scheme scheme = named.value_or(Scheme::owner);
  if (!named && ranks > 1) scheme = scheme_of(cheapest(mesh, planes, bytes, network));
  cut.sharing = {mesh, scheme, config.chunk, config.in_flight};
  check_sharing(cut.sharing);
  if (ranks == 1) return cut;
  cut.cost = cost_of(cut.sharing, planes, bytes, network);
  if (config.chunk == 0 || config.in_flight == 0) {
    cut.sharing.chunk = cut.cost.chunk;
    cut.sharing.in_flight = cut.cost.in_flight;
  }
  return cut;
}

namespace {

/// By rank: pixels of its tile belong to no window; of `only` one alone.
std::vector<bool> partly_dark(const Mesh& mesh, const ScanOnObject& scan, int only) {
  std::vector<bool> dark(static_cast<std::size_t>(mesh.ranks()), false);
  if (only >= 0) {
    const Box tile = mesh.extended(only);
    const auto near =
        centres_near(tile, scan.window, scan.margin, std::ssize(scan.centres),
                     [&](i64 i) { return scan.centres[static_cast<std::size_t>(i)]; });
    dark[static_cast<std::size_t>(only)] = !Support(near, scan.window, scan.margin).covers(tile);
    return dark;
  }
  const Support support(scan.centres, scan.window, scan.margin);
  for (int rank = 0; rank < mesh.ranks(); ++rank)
    dark[static_cast<std::size_t>(rank)] = !support.covers(mesh.extended(rank));
  return dark;
}

}  // namespace

Division divide(ScanOnObject scan, Cut cut, int only) {
  const i64 extra = cut.extra, margin = cut.margin;
  Division division{std::move(cut), std::move(scan.frame), {}};
  const Mesh& mesh = division.sharing.mesh;
  const int ranks = mesh.ranks();
  const std::vector<i64> counts = count_positions(mesh, scan.centres);
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  division.least = *least;
  division.most = *most;
  if (only < 0) {
    division.shares = share_positions(mesh, scan.centres, extra);
  } else {
    division.shares.resize(counts.size());
    division.shares[static_cast<std::size_t>(only)] = share_of(
        mesh, only, std::ssize(scan.centres),
        [&](i64 i) { return scan.centres[static_cast<std::size_t>(i)]; }, extra);
  }
  if (margin > 0 && ranks > 1)
    division.most_that_come = most_that_come(mesh, scan.centres, margin, only);
  division.partly_dark = partly_dark(mesh, scan, only);
  return division;
}

Division divide(std::span<const Position> positions, i64 window, double pixel,
                const RanksConfig& config, int ranks, i64 planes, int bytes, i64 margin, int only,
                i64 looked_at) {
  ScanOnObject scan = scan_on_object(positions, window, pixel, margin);
  Cut cut = cut_along(cores_of(scan, config, ranks, planes), scan, pixel, config, planes, bytes,
                      looked_at);
  return divide(std::move(scan), std::move(cut), only);
}

}  // namespace ptyle
