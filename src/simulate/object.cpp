#include "simulate/object.hpp"

#include <algorithm>
#include <deque>
#include <set>

#include "core/parallel.hpp"

namespace ptyle {
namespace {

// The arrays that a thread works in: a pair of slices on the grid, and cut out.
struct Pair {
  Pair(const Projector& projector, const Plan& plan)
      : scratch(projector),
        potential({2, projector.grid().ny, projector.grid().nx}),
        phase({2, plan.ny, plan.nx}) {}
  Projector::Scratch scratch;
  Array<double, 3> potential;
  Array<float, 3> phase;
};

void cut_out(const Plan& plan, View<const double, 2> potential, View<float, 2> phase) {
  for (i64 y = 0; y < plan.ny; ++y) {
    const double* from = potential.data + (y + plan.margin) * potential.shape[1] + plan.margin;
    float* to = phase.data + y * plan.nx;
    for (i64 x = 0; x < plan.nx; ++x) to[x] = static_cast<float>(plan.interaction * from[x]);
  }
}

}  // namespace

bool make_slices(const Plan& plan, const std::vector<SpecimenAtom>& atoms,
                 const std::function<void(i64 z, View<const float, 2> phase)>& take,
                 const std::function<bool()>& stop) {
  std::set<int> elements;
  std::vector<SpecimenAtom> moved = atoms;
  for (SpecimenAtom& atom : moved) {
    elements.insert(atom.Z);
    atom.row += static_cast<double>(plan.margin) * plan.pixel;
    atom.col += static_cast<double>(plan.margin) * plan.pixel;
  }
  const auto layers = sliced(moved, plan.slice_thickness, plan.slices);
  const Projector projector(plan.grid, plan.parametrization, {elements.begin(), elements.end()},
                            plan.frozen_phonons ? std::map<int, double>{} : plan.B);
  const i64 pairs = (plan.slices + 1) / 2;
  const i64 at_once = std::min<i64>(plan.threads, pairs);
  std::deque<Pair> work;
  for (i64 t = 0; t < at_once; ++t) work.emplace_back(projector, plan);
  for (i64 first = 0; first < pairs; first += at_once) {
    if (stop && stop()) return false;
    const i64 n = std::min(at_once, pairs - first);
    parallel_for(n, plan.threads, [&](i64 k, int) {
      Pair& pair = work[static_cast<std::size_t>(k)];
      const auto z = static_cast<std::size_t>(2 * (first + k));
      const bool both = z + 1 < layers.size();
      projector.project(layers[z], both ? layers[z + 1] : std::vector<SpecimenAtom>{},
                        pair.potential.view()[0], pair.potential.view()[1], pair.scratch);
      for (int half = 0; half < (both ? 2 : 1); ++half)
        cut_out(plan, pair.potential.view()[half], pair.phase.view()[half]);
    });
    for (i64 z = 2 * first; z < std::min(2 * (first + n), plan.slices); ++z)
      take(z, work[static_cast<std::size_t>(z / 2 - first)].phase.view()[z % 2]);
  }
  return true;
}

}  // namespace ptyle
