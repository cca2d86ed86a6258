#include "session/fit_fields.hpp"

#include <algorithm>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "session/agreement.hpp"
#include "session/slabs.hpp"
#include "session/stitch.hpp"

namespace ptyle {

template <class T>
std::array<i64, 3> whole_shape(const Field<T>& field, const ObjectFrame& frame) {
  return {field.shape[0], frame.rows, frame.cols};
}

void add_state(std::span<float> mean, std::size_t state, double share,
               std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    mean[i] = (state == 0 ? 0 : mean[i]) + static_cast<float>(share) * values[i];
}

Array<float, 3> mean_of_states(Array<float, 3> volumes, const std::vector<double>& shares) {
  if (shares.empty() || volumes.empty()) return volumes;
  const auto [planes, rows, cols] = volumes.shape();
  Array<float, 3> mean({planes / std::ssize(shares), rows, cols});
  const auto size = static_cast<std::size_t>(mean.size());
  for (std::size_t k = 0; k < shares.size(); ++k)
    add_state({mean.data(), size}, k, shares[k], {volumes.data() + k * size, size});
  return mean;
}

template <class T>
std::vector<FieldFacts> facts_of_fields(const Fit<T>& fit, const ObjectFrame& frame) {
  std::vector<FieldFacts> all;
  for (const Field<T>& field : fit.state().fields()) {
    FieldFacts facts{field.name, field.on_object(), field.shape, field.saved};
    if (facts.on_object) facts.shape = whole_shape(field, frame);
    all.push_back(std::move(facts));
  }
  return all;
}

template <class T>
Array<float, 3> whole_field(const Fit<T>& fit, const Division& division, Team& team,
                            const std::string& name) {
  const Field<T>& field = fit.state().field(name);
  if (!field.on_object()) throw std::out_of_range("the field '" + name + "' is not on the object");
  const std::array<i64, 3> shape = whole_shape(field, division.frame);
  Array<float, 3> whole;
  if (team.leads()) whole = Array<float, 3>(shape);
  const Slabs slabs(shape);
  Stitcher<T> stitcher(team, division.sharing.mesh, fit, slabs, {0});
  for (i64 i = 0; i < slabs.count(); ++i) {
    const Slab slab = slabs[i];
    const auto part = stitcher.gather(name, {&slab, 1});
    agree(team, {});
    if (team.leads()) std::copy(part.begin(), part.end(), &whole(slab.z, slab.rows.begin, 0));
  }
  return whole;
}

template <class T>
FieldHere field_here(const Fit<T>& fit, const std::string& name) {
  if (fit.arithmetic().memory())
    throw UserError("the arrays of this fit are on a GPU: there is no view of them, only copies");
  const Field<T>& field = fit.state().field(name);
  FieldHere here{nullptr, std::is_same_v<T, double>, field.kind == Kind::common, {}, {}, {}};
  if (here.is_complex) {
    const auto waves = field.waves.view();
    here.values = waves.data;
    here.shape = waves.shape;
    here.strides = {waves.shape[1] * waves.shape[2], waves.shape[2], 1};
    return here;
  }
  if (!field.on_object())
    throw std::out_of_range("the field '" + name + "' is neither on the object nor waves");
  const TileSize& tile = fit.state().tiles().front();
  const Box& on = field.kind == Kind::cores ? tile.core : tile.box;
  const Box core = placed_in(tile.core, on);
  const auto all = field.on(0);
  here.shape = {all.shape[0], core.rows.size(), core.cols.size()};
  here.strides = {all.shape[1] * all.shape[2], all.shape[2], 1};
  here.values = all.data + core.rows.begin * all.shape[2] + core.cols.begin;
  here.box = tile.core;
  return here;
}

template std::array<i64, 3> whole_shape(const Field<float>&, const ObjectFrame&);
template std::array<i64, 3> whole_shape(const Field<double>&, const ObjectFrame&);
template std::vector<FieldFacts> facts_of_fields(const Fit<float>&, const ObjectFrame&);
template std::vector<FieldFacts> facts_of_fields(const Fit<double>&, const ObjectFrame&);
template Array<float, 3> whole_field(const Fit<float>&, const Division&, Team&, const std::string&);
template Array<float, 3> whole_field(const Fit<double>&, const Division&, Team&,
                                     const std::string&);
template FieldHere field_here(const Fit<float>&, const std::string&);
template FieldHere field_here(const Fit<double>&, const std::string&);

}  // namespace ptyle
