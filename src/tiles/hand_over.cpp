#include "tiles/hand_over.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <stdexcept>

#include "tiles/near.hpp"

namespace ptyle {

std::vector<Parcel> parcels_of(const Mesh& mesh, int rank, std::span<const i64> own,
                               std::span<const Pixel> centres, i64 margin) {
  if (own.size() != centres.size())
    throw std::invalid_argument("a hand-over needs the centre of each record");
  const Box core = mesh.core(rank);
  std::map<int, std::vector<i64>> by_receiver;
  for (std::size_t k = 0; k < own.size(); ++k) {
    // The object's own border is no line to cross: beyond it the nearest tile is the rank's own.
    if (distance_outside(core, centres[k]) <= margin) continue;
    const int to = mesh.tile_of(centres[k]);
    if (to != rank) by_receiver[to].push_back(own[k]);
  }
  std::vector<Parcel> parcels;
  for (auto& [to, records] : by_receiver) parcels.push_back({rank, to, std::move(records)});
  return parcels;
}

std::vector<i64> owned_after(std::span<const i64> own, int rank, std::span<const Parcel> leaving,
                             std::span<const Parcel> coming) {
  std::vector<i64> gone, come, left, all;
  for (const Parcel& parcel : leaving)
    if (parcel.from == rank) gone.insert(gone.end(), parcel.records.begin(), parcel.records.end());
  for (const Parcel& parcel : coming)
    if (parcel.to == rank) come.insert(come.end(), parcel.records.begin(), parcel.records.end());
  std::sort(gone.begin(), gone.end());
  std::sort(come.begin(), come.end());
  std::set_difference(own.begin(), own.end(), gone.begin(), gone.end(), std::back_inserter(left));
  std::merge(left.begin(), left.end(), come.begin(), come.end(), std::back_inserter(all));
  const bool twice =
      std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) != all.end();
  if (twice || left.size() + gone.size() != own.size())
    throw std::logic_error(
        fmt::format("rank {} hands over a record that it has not, or gets one that it has", rank));
  return all;
}

std::vector<i64> most_that_come(const Mesh& mesh, std::span<const Pixel> centres, i64 reach,
                                int only) {
  std::vector<i64> counts(static_cast<std::size_t>(mesh.ranks()), 0);
  const auto may_come = [&](int rank, const Pixel& p) { return mesh.tile_of(p) != rank ? 1 : 0; };
  if (only >= 0) {
    const Box near = grown(mesh.core(only), reach);
    for (const Pixel& p : centres)
      if (near.contains(p)) counts[static_cast<std::size_t>(only)] += may_come(only, p);
    return counts;
  }
  const Buckets buckets(centres);
  for (int rank = 0; rank < mesh.ranks(); ++rank)
    buckets.in(grown(mesh.core(rank), reach), [&](i64 i) {
      counts[static_cast<std::size_t>(rank)] +=
          may_come(rank, centres[static_cast<std::size_t>(i)]);
    });
  return counts;
}

}  // namespace ptyle
