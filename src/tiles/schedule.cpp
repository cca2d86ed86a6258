#include "tiles/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "core/error.hpp"

namespace ptyle {
namespace {

/// Which way messages go: along the columns of the mesh or along its rows.
enum class Along { columns, rows };

using Pairs = std::vector<std::pair<int, int>>;

Pairs every_pair(int n) {
  Pairs pairs;
  for (int a = 0; a < n; ++a)
    for (int b = 0; b < n; ++b)
      if (a != b) pairs.emplace_back(a, b);
  return pairs;
}

/// Adds rounds along the lines of a mesh (its columns or rows) to a schedule.
class Lines {
 public:
  Lines(const Mesh& mesh, int only, Schedule& schedule)
      : mesh_(mesh), only_(only), schedule_(schedule) {}

  /// Number of tiles in a line.
  [[nodiscard]] int length(Along along) const {
    return along == Along::columns ? mesh_.rows() : mesh_.cols();
  }
  /// Core and extended tile of the i-th place of a line, on the axis along it.
  [[nodiscard]] Interval core(Along along, int i) const {
    return along == Along::columns ? mesh_.core_rows(i) : mesh_.core_cols(i);
  }
  [[nodiscard]] Interval extended(Along along, int i) const {
    return along == Along::columns ? mesh_.extended_rows(i) : mesh_.extended_cols(i);
  }

  /// One round: in every line, place a of each pair sends `part(a, b)` of its axis to place b. On
  /// the other axis the line is as wide as `width(line)`.
  void round(Along along, Action action, const Pairs& pairs,
             const std::function<Interval(int a, int b)>& part,
             const std::function<Interval(int line)>& width) {
    Round made{action, {}};
    const int lines = along == Along::columns ? mesh_.cols() : mesh_.rows();
    const auto rank = [&](int line, int place) {
      return along == Along::columns ? mesh_.rank(place, line) : mesh_.rank(line, place);
    };
    // For one rank alone, its line and its pairs: 4158 ranks need no more time each.
    const auto [row, col] = std::pair{only_ / mesh_.cols(), only_ % mesh_.cols()};
    const auto [own_line, own_place] =
        along == Along::columns ? std::pair{col, row} : std::pair{row, col};
    for (const auto& [a, b] : pairs) {
      if (only_ >= 0 && a != own_place && b != own_place) continue;
      const Interval sent = part(a, b);
      if (sent.empty()) continue;
      const int first = only_ >= 0 ? own_line : 0, last = only_ >= 0 ? own_line + 1 : lines;
      for (int line = first; line < last; ++line) {
        const Interval across = width(line);
        made.messages.push_back({rank(line, a), rank(line, b),
                                 along == Along::columns ? Box{sent, across} : Box{across, sent}});
      }
    }
    if (!made.messages.empty()) schedule_.rounds.push_back(std::move(made));
  }

 private:
  const Mesh& mesh_;
  int only_;
  Schedule& schedule_;
};

constexpr Along across(Along along) {
  return along == Along::columns ? Along::rows : Along::columns;
}

/// Forwards adding, then backwards replacing, a neighbour a hop. After the first the last tile that
/// holds a pixel has its sum; the second takes it back through all that hold it.
void add_passes(Lines& lines, Along along) {
  const auto overlap = [&](int a, int b) {
    return intersection(lines.extended(along, a), lines.extended(along, b));
  };
  const auto width = [&](int line) { return lines.extended(across(along), line); };
  const int n = lines.length(along);
  for (int i = 0; i + 1 < n; ++i) lines.round(along, Action::add, {{i, i + 1}}, overlap, width);
  for (int i = n - 1; i > 0; --i) lines.round(along, Action::replace, {{i, i - 1}}, overlap, width);
}

void add_swaps(Lines& lines, Along along) {
  lines.round(
      along, Action::add, every_pair(lines.length(along)),
      [&](int a, int b) {
        return intersection(lines.extended(along, a), lines.extended(along, b));
      },
      [&](int line) { return lines.extended(across(along), line); });
}

/// After the columns, only rows of cores are whole sums, so the second round is of those alone.
void add_owner(Lines& lines) {
  for (const Along along : {Along::columns, Along::rows})
    lines.round(
        along, Action::add, every_pair(lines.length(along)),
        [&](int a, int b) { return intersection(lines.extended(along, a), lines.core(along, b)); },
        [&](int line) {
          return along == Along::columns ? lines.extended(Along::rows, line)
                                         : lines.core(Along::columns, line);
        });
}

/// `owner` backwards: every message the other way.
void add_fill(Lines& lines) {
  for (const Along along : {Along::rows, Along::columns})
    lines.round(
        along, Action::replace, every_pair(lines.length(along)),
        [&](int a, int b) { return intersection(lines.core(along, a), lines.extended(along, b)); },
        [&](int line) {
          return along == Along::columns ? lines.extended(Along::rows, line)
                                         : lines.core(Along::columns, line);
        });
}

void refuse_distant_overlaps(const Mesh& mesh) {
  const auto check = [&](int n, auto extended, const char* lines) {
    for (int i = 0; i + 2 < n; ++i) {
      const Interval far = intersection(extended(i), extended(i + 2));
      if (!far.empty())
        throw UserError(fmt::format(
            "the exchange 'neighbor' adds what direct neighbours share, but on this mesh of {} x "
            "{} {} {} and {} of tiles share {} px: use 'owner', 'separable' or 'passes', fewer "
            "ranks, or a smaller halo",
            mesh.rows(), mesh.cols(), lines, i, i + 2, far.size()));
    }
  };
  check(
      mesh.rows(), [&](int r) { return mesh.extended_rows(r); }, "rows");
  check(
      mesh.cols(), [&](int c) { return mesh.extended_cols(c); }, "columns");
}

void add_neighbours(const Mesh& mesh, int only, Schedule& schedule) {
  Round round{Action::add, {}};
  for (int from = 0; from < mesh.ranks(); ++from) {
    const int r = from / mesh.cols(), c = from % mesh.cols();
    for (int i = std::max(0, r - 1); i <= std::min(mesh.rows() - 1, r + 1); ++i)
      for (int j = std::max(0, c - 1); j <= std::min(mesh.cols() - 1, c + 1); ++j) {
        const int to = mesh.rank(i, j);
        const Box shared = intersection(mesh.extended(from), mesh.extended(to));
        if (from == to || shared.empty() || (only >= 0 && from != only && to != only)) continue;
        round.messages.push_back({from, to, shared});
      }
  }
  if (!round.messages.empty()) schedule.rounds.push_back(std::move(round));
}

/// Each tile's part of every core, sent at once. Messages from core to copies go the other way.
void add_direct(const Mesh& mesh, int only, bool to_cores, Schedule& schedule) {
  Round round{to_cores ? Action::add : Action::replace, {}};
  const auto add = [&](int tile, int core) {
    const Box part = intersection(mesh.extended(tile), mesh.core(core));
    if (tile == core || part.empty()) return;
    round.messages.push_back(to_cores ? Message{tile, core, part} : Message{core, tile, part});
  };
  const Halo halo = mesh.halo();
  const int first = std::max(0, only), last = only < 0 ? mesh.ranks() : only + 1;
  for (int rank = first; rank < last; ++rank)
    for (const int core : mesh.tiles_of(mesh.extended(rank))) add(rank, core);
  if (only >= 0)  // and the tiles that reach its core
    for (const int tile : mesh.tiles_of(grown(mesh.core(only), halo.after, halo.before)))
      add(tile, only);
  if (!round.messages.empty()) schedule.rounds.push_back(std::move(round));
}

Schedule empty_schedule(const Mesh& mesh, ScheduleOptions options) {
  if (options.chunk < 0 || options.in_flight < 0 || options.only >= mesh.ranks())
    throw std::invalid_argument("a schedule's chunks are not negative, its rank is of the mesh");
  Schedule schedule;
  for (int rank = 0; rank < mesh.ranks(); ++rank) schedule.arrays.push_back(mesh.extended(rank));
  schedule.chunk = options.chunk;
  schedule.in_flight = options.in_flight;
  return schedule;
}

/// The same cores, every extended tile the whole object.
Mesh whole_object(const Mesh& mesh) {
  return mesh.with_halo(Halo::of(std::max(mesh.object().rows.size(), mesh.object().cols.size())));
}

}  // namespace

std::string_view name_of(SumKind kind) {
  constexpr std::array<std::string_view, all_sum_kinds.size()> names{
      "neighbor", "passes", "pipelined", "separable", "owner", "allreduce"};
  return names.at(static_cast<std::size_t>(kind));
}

Schedule sum_schedule(const Mesh& mesh, SumKind kind, ScheduleOptions options) {
  if (!mesh.is_tensor() && kind != SumKind::owner)
    throw UserError(
        fmt::format("the exchange '{}' goes along rows and columns of tiles, which {} have not: "
                    "use 'owner', or "
                    "ranks.tiling: mesh",
                    name_of(kind), mesh.describe()));
  if (kind == SumKind::allreduce) {
    const Mesh whole = whole_object(mesh);
    Schedule schedule = sum_schedule(whole, SumKind::owner, options);
    for (Round& round : fill_schedule(whole, options).rounds)
      schedule.rounds.push_back(std::move(round));
    return schedule;
  }
  Schedule schedule = empty_schedule(mesh, options);
  if (!mesh.is_tensor()) {
    add_direct(mesh, options.only, true, schedule);
    return schedule;
  }
  Lines lines(mesh, options.only, schedule);
  switch (kind) {
    case SumKind::neighbor:
      refuse_distant_overlaps(mesh);
      add_neighbours(mesh, options.only, schedule);
      break;
    case SumKind::passes:
      schedule.chunk = 0;
      [[fallthrough]];
    case SumKind::pipelined:
      add_passes(lines, Along::columns);
      add_passes(lines, Along::rows);
      if (kind == SumKind::pipelined && options.chunk == 0) schedule.chunk = 1;
      break;
    case SumKind::separable:
      add_swaps(lines, Along::columns);
      add_swaps(lines, Along::rows);
      break;
    case SumKind::owner:
      add_owner(lines);
      break;
    case SumKind::allreduce:
      break;  // above
  }
  return schedule;
}

Schedule fill_schedule(const Mesh& mesh, ScheduleOptions options) {
  Schedule schedule = empty_schedule(mesh, options);
  if (!mesh.is_tensor()) {
    add_direct(mesh, options.only, false, schedule);
    return schedule;
  }
  Lines lines(mesh, options.only, schedule);
  add_fill(lines);
  return schedule;
}

std::vector<Traffic> traffic(const Schedule& schedule) {
  std::vector<Traffic> sent(schedule.arrays.size());
  for (const Round& round : schedule.rounds)
    for (const Message& m : round.messages) {
      Traffic& t = sent[static_cast<std::size_t>(m.from)];
      ++t.messages;
      t.pixels += m.box.area();
    }
  return sent;
}

i64 hops(const Schedule& schedule) {
  std::vector<i64> longest(schedule.arrays.size(), 0);  // chain that ends at each rank
  for (const Round& round : schedule.rounds) {
    const std::vector<i64> before = longest;
    for (const Message& m : round.messages) {
      i64& chain = longest[static_cast<std::size_t>(m.to)];
      chain = std::max(chain, before[static_cast<std::size_t>(m.from)] + 1);
    }
  }
  return *std::max_element(longest.begin(), longest.end());
}

}  // namespace ptyle
