#include "simulate/in_memory.hpp"

#include <algorithm>

#include "core/parallel.hpp"
#include "simulate/detector.hpp"
#include "simulate/object.hpp"
#include "simulate/patterns.hpp"

namespace ptyle {
namespace {

template <class T>
void make(const Recipe& recipe, MemorySet& set) {
  const Plan& plan = set.plan;
  const auto count = static_cast<i64>(plan.positions.size());
  const std::array<i64, 3> shape{plan.slices, plan.ny, plan.nx};
  set.phase = Array<float, 3>(shape);
  Array<T, 3> expected({count, plan.detector, plan.detector});
  PatternMaker<T> maker(plan);
  Array<float, 3> phase(shape);
  const T share = T(1) / static_cast<T>(plan.configurations);
  for (int c = 0; c < plan.configurations; ++c) {
    make_slices(plan, atoms_of(plan, recipe.seed, c), [&](i64 z, View<const float, 2> slice) {
      std::copy(slice.begin(), slice.end(), phase.view()[z].begin());
    });
    for (i64 k = 0; k < phase.size(); ++k)
      set.phase.data()[k] += phase.data()[k] / static_cast<float>(plan.configurations);
    maker.set_object(phase.view(), 0, 0);
    parallel_for(count, plan.threads, [&](i64 i, int) { maker.add(i, expected.view()[i]); });
  }
  set.patterns = Array<float, 3>(expected.shape());
  parallel_for(count, plan.threads, [&](i64 i, int) {
    const View<T, 2> frame = expected.view()[i];
    for (T& value : frame) value *= share;
    const View<float, 2> to = set.patterns.view()[i];
    if (plan.type == CountType::float32) {
      record<T>(plan, recipe.seed, i, frame);
      std::copy(frame.begin(), frame.end(), to.begin());
      return;
    }
    Array<std::uint32_t, 2> counts({plan.detector, plan.detector});
    record<T>(plan, recipe.seed, i, frame, counts);
    std::copy(counts.begin(), counts.end(), to.begin());
  });
}

}  // namespace

MemorySet simulate_in_memory(const Recipe& recipe) {
  MemorySet set;
  set.plan = make_plan(recipe);
  if (recipe.precision == Precision::float64)
    make<double>(recipe, set);
  else
    make<float>(recipe, set);
  return set;
}

}  // namespace ptyle
