#include "solver/paper/courses.hpp"

#include "solver/paper/exchange_behind.hpp"
#include "solver/paper/local_steps.hpp"
#include "solver/paper/voxels.hpp"

namespace ptyle {

template <class T>
std::unique_ptr<Course<T>> make_paper_course(Workspace<T>& with, Movers<T> movers,
                                             Descent<T>& descent) {
  if (!with.halos.sums()) return std::make_unique<VoxelExchange<T>>(with, movers);
  if (with.options.local_positions > 0)
    return std::make_unique<LocalSteps<T>>(with, movers, descent);
  if (with.options.exchange_behind)
    return std::make_unique<ExchangeBehind<T>>(with, movers, descent);
  return nullptr;
}

template <class T>
void declare_paper_fields(State<T>& state, const OperatorSetup& setup, const FitOptions& options,
                          const Sharing& sharing) {
  const bool behind = options.exchange_behind && sharing.mesh.ranks() > 1;
  if (options.local_positions > 0 || options.update == Update::literal || behind)
    BehindFields<T>(state, setup);
}

std::vector<KeyFault> faults_of_paper_options(const FitOptions& options, Scheme scheme) {
  const bool literal = options.update == Update::literal, sums = sum_kind(scheme).has_value();
  const bool local = literal || options.local_positions > 0;
  std::vector<KeyFault> faults;
  if (literal && options.parts.of<RuleOptions>().estimated())
    faults.push_back(
        {"ranks.update", "'literal' needs a solver.step, as its step is not estimated"});
  if (!sums && (local || options.exchange_behind))
    faults.push_back({"ranks.exchange",
                      "steps between exchanges (ranks.update: literal, ranks.local_positions, "
                      "ranks.exchange_behind) belong to exchanges of gradients, not of voxels"});
  if (sums && options.exchange_at_end)
    faults.push_back(
        {"ranks.exchange_at_end",
         "an iteration without exchanges belongs to exchanges of voxels (ranks.exchange: voxel "
         "and what follows), not of gradients"});
  if (local && options.exchange_behind)
    faults.push_back({"ranks.exchange_behind",
                      "its exchange belongs to one step per mini-batch, not to ranks.update: "
                      "literal or ranks.local_positions"});
  return faults;
}

template std::unique_ptr<Course<float>> make_paper_course(Workspace<float>&, Movers<float>,
                                                          Descent<float>&);
template std::unique_ptr<Course<double>> make_paper_course(Workspace<double>&, Movers<double>,
                                                           Descent<double>&);
template void declare_paper_fields(State<float>&, const OperatorSetup&, const FitOptions&,
                                   const Sharing&);
template void declare_paper_fields(State<double>&, const OperatorSetup&, const FitOptions&,
                                   const Sharing&);

}  // namespace ptyle
