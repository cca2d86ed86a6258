#include "session/stitch.hpp"

#include <algorithm>

namespace ptyle {

template <class T>
Array<float, 2> stitched_slice(Team& team, const Mesh& mesh, const Fit<T>& fit,
                               const std::string& name, i64 z) {
  std::vector<float> mine;
  std::size_t pixels = 0;
  for (const Tile& tile : fit.tiles()) pixels += static_cast<std::size_t>(tile.core.area());
  mine.reserve(pixels);
  const Field<T>& field = fit.state().field(name);
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    const OnHost<T, 2> here = fit.arithmetic().on_host(field.on(t)[z]);
    const View<const T, 2>& slice = here.view;
    for (i64 y = tile.core.rows.begin; y < tile.core.rows.end; ++y)
      for (i64 x = tile.core.cols.begin; x < tile.core.cols.end; ++x)
        mine.push_back(static_cast<float>(slice(y - tile.box.rows.begin, x - tile.box.cols.begin)));
  }
  const std::vector<float> all = team.gather(std::span<const float>(mine));
  if (!team.leads()) return {};
  const Box& object = mesh.object();
  Array<float, 2> whole({object.rows.size(), object.cols.size()});
  auto from = all.begin();
  for (int rank = 0; rank < mesh.ranks(); ++rank) {
    const Box core = mesh.core(rank);
    for (i64 y = core.rows.begin; y < core.rows.end; ++y, from += core.cols.size())
      std::copy_n(from, core.cols.size(),
                  &whole(y - object.rows.begin, core.cols.begin - object.cols.begin));
  }
  return whole;
}

template Array<float, 2> stitched_slice(Team&, const Mesh&, const Fit<float>&, const std::string&,
                                        i64);
template Array<float, 2> stitched_slice(Team&, const Mesh&, const Fit<double>&, const std::string&,
                                        i64);

}  // namespace ptyle
