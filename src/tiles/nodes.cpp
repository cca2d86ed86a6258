#include "tiles/nodes.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace ptyle {
namespace {

/// The processes of each node, ascending; nodes in the order of their first.
std::vector<std::vector<int>> processes_of(std::span<const int> node_of) {
  std::vector<std::vector<int>> nodes;
  std::map<int, std::size_t> places;
  for (std::size_t process = 0; process < node_of.size(); ++process) {
    const auto [place, is_new] = places.try_emplace(node_of[process], nodes.size());
    if (is_new) nodes.emplace_back();
    nodes[place->second].push_back(static_cast<int>(process));
  }
  return nodes;
}

/// Step 1: the tiles of a mesh in `strips` strips, of rows or of columns of tiles.
std::vector<int> walk(const Mesh& mesh, int strips, bool of_rows) {
  const int across = of_rows ? mesh.rows() : mesh.cols(),
            along = of_rows ? mesh.cols() : mesh.rows();
  std::vector<int> order;
  for (int strip = 0; strip < strips; ++strip) {
    const int first = strip * across / strips, last = (strip + 1) * across / strips;
    for (int i = 0; i < along; ++i)
      for (int j = 0; j < last - first; ++j) {
        const int on = strip % 2 == 0 ? i : along - 1 - i;     // there and back
        const int at = i % 2 == 0 ? first + j : last - 1 - j;  // up and down
        order.push_back(of_rows ? mesh.rank(at, on) : mesh.rank(on, at));
      }
  }
  return order;
}

/// Steps 2 and 3 of one walk: the tile of each process.
std::vector<int> dealt(const std::vector<std::vector<int>>& nodes, const std::vector<int>& order) {
  std::vector<int> tile_of(order.size());
  auto next = order.begin();
  for (const std::vector<int>& processes : nodes) {
    std::vector<int> tiles(next, next + std::ssize(processes));
    next += std::ssize(processes);
    std::sort(tiles.begin(), tiles.end());
    for (std::size_t k = 0; k < tiles.size(); ++k)
      tile_of[static_cast<std::size_t>(processes[k])] = tiles[k];
  }
  return tile_of;
}

}  // namespace

i64 pixels_between_nodes(const Schedule& schedule, std::span<const int> node_of) {
  i64 pixels = 0;
  for (const Round& round : schedule.rounds)
    for (const Message& m : round.messages)
      if (node_of[static_cast<std::size_t>(m.from)] != node_of[static_cast<std::size_t>(m.to)])
        pixels += m.box.area();
  return pixels;
}

std::vector<int> tiles_on_nodes(const Mesh& mesh, std::span<const int> node_of) {
  if (std::ssize(node_of) != mesh.ranks())
    throw std::invalid_argument("each process takes one tile");
  const auto nodes = processes_of(node_of);
  std::vector<int> best(node_of.size());
  std::iota(best.begin(), best.end(), 0);
  std::size_t largest = 0;
  for (const auto& processes : nodes) largest = std::max(largest, processes.size());
  if (nodes.size() == 1 || largest == 1) return best;
  const std::vector<int> in_order = best;
  if (!mesh.is_tensor()) return dealt(nodes, in_order);
  const Schedule schedule = sum_schedule(mesh, SumKind::owner);
  const auto leaving = [&](const std::vector<int>& tile_of) {
    std::vector<int> node_of_tile(tile_of.size());
    for (std::size_t process = 0; process < tile_of.size(); ++process)
      node_of_tile[static_cast<std::size_t>(tile_of[process])] = node_of[process];
    return pixels_between_nodes(schedule, node_of_tile);
  };
  i64 least = leaving(best);
  const auto consider = [&](const std::vector<int>& order) {
    std::vector<int> tile_of = dealt(nodes, order);
    if (const i64 pixels = leaving(tile_of); pixels < least) {
      least = pixels;
      best = std::move(tile_of);
    }
  };
  consider(in_order);  // for nodes whose processes don't follow each other
  for (const bool of_rows : {true, false}) {
    const int across = of_rows ? mesh.rows() : mesh.cols();
    int before = 0;
    for (int height = 1; height <= std::min<int>(across, static_cast<int>(largest)); ++height)
      if (const int strips = (across + height / 2) / height; strips != before) {
        before = strips;
        consider(walk(mesh, strips, of_rows));
      }
  }
  return best;
}

}  // namespace ptyle
