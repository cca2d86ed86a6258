#include "session/stitch.hpp"

#include <algorithm>

namespace ptyle {
namespace {

/// The part of a core that lies in these rows.
Box part_of(const Box& core, Interval rows) { return intersection(core, Box{rows, core.cols}); }

/// Appends these pixels of a tile's plane, which lies on `box`.
template <class T>
void append(const Arithmetic<T>& arithmetic, View<const T, 2> plane, const Box& box,
            const Box& part, std::vector<float>& to) {
  if (part.empty()) return;
  const i64 first = part.rows.begin - box.rows.begin, cols = plane.shape[1];
  const View<const T, 2> lines{plane.data + first * cols, {part.rows.size(), cols}};
  const OnHost<T, 2> here = arithmetic.on_host(lines);
  for (i64 y = 0; y < part.rows.size(); ++y)
    for (i64 x = part.cols.begin; x < part.cols.end; ++x)
      to.push_back(static_cast<float>(here.view(y, x - box.cols.begin)));
}

}  // namespace

template <class T>
Array<float, 2> stitched_rows(Team& team, const Mesh& mesh, const Fit<T>& fit,
                              const std::string& name, i64 z, Interval rows) {
  const Box& object = mesh.object();
  const Interval wanted{object.rows.begin + rows.begin, object.rows.begin + rows.end};
  const Field<T>& field = fit.state().field(name);
  std::vector<float> mine;
  std::size_t pixels = 0;
  for (const Tile& tile : fit.tiles())
    if (const Box part = part_of(tile.core, wanted); !part.empty())
      pixels += static_cast<std::size_t>(part.area());
  mine.reserve(pixels);
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    append(fit.arithmetic(), field.on(t)[z], tile.box, part_of(tile.core, wanted), mine);
  }
  const std::vector<float> all = team.gather(std::span<const float>(mine));
  if (!team.leads()) return {};
  Array<float, 2> stitched({rows.size(), object.cols.size()});
  auto from = all.begin();
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    const Box part = part_of(mesh.core(rank), wanted);
    if (part.empty()) continue;
    for (i64 y = part.rows.begin; y < part.rows.end; ++y, from += part.cols.size())
      std::copy_n(from, part.cols.size(),
                  &stitched(y - wanted.begin, part.cols.begin - object.cols.begin));
  }
  return stitched;
}

template Array<float, 2> stitched_rows(Team&, const Mesh&, const Fit<float>&, const std::string&,
                                       i64, Interval);
template Array<float, 2> stitched_rows(Team&, const Mesh&, const Fit<double>&, const std::string&,
                                       i64, Interval);

}  // namespace ptyle
