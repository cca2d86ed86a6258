#include "session/stitch.hpp"

#include <algorithm>
#include <vector>

#include "session/agreement.hpp"

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

/// Rows in the cores of this process's tiles, one after the other.
template <class T>
std::vector<float> own_rows(const Fit<T>& fit, const std::string& name, i64 z, Interval wanted) {
  const Field<T>& field = fit.state().field(name);
  std::vector<float> mine;
  i64 pixels = 0;
  for (const Tile& tile : fit.tiles())
    if (const Box part = part_of(tile.core, wanted); !part.empty()) pixels += part.area();
  mine.reserve(static_cast<std::size_t>(pixels));
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    append(fit.arithmetic(), field.on(t)[z], tile.box, part_of(tile.core, wanted), mine);
  }
  return mine;
}

}  // namespace

template <class T>
Array<float, 2> stitched_rows(Team& team, const Mesh& mesh, const Fit<T>& fit,
                              const std::string& name, i64 z, Interval rows) {
  const Box& object = mesh.object();
  const Interval wanted{object.rows.begin + rows.begin, object.rows.begin + rows.end};
  std::vector<float> mine;
  Array<float, 2> stitched;
  agree(team, failure_of([&] {
          mine = own_rows(fit, name, z, wanted);
          if (!team.leads()) return;
          stitched = Array<float, 2>({rows.size(), object.cols.size()});
          // There is room for those of all, too: nobody is to give up while they are gathered.
          const Array<float, 2> room(stitched.shape());
          stitched(0, 0) = room(0, 0);
        }));
  const std::vector<float> all = team.gather(std::span<const float>(mine));
  if (!team.leads()) return {};
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
