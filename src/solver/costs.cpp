#include "solver/costs.hpp"

#include <utility>
#include <vector>

namespace ptyle {

template <class T>
Costs<T>::Costs(Team& team, Arithmetic<T>& arithmetic, State<T>& state)
    : team_(team),
      arithmetic_(arithmetic),
      cost_(state.number("cost")),
      r_numerator_(state.number("r_numerator")),
      r_denominator_(state.number("r_denominator")),
      computed_(state.number("computed")) {}

template <class T>
void Costs<T>::begin(std::size_t batches, std::size_t next) {
  const auto places = static_cast<i64>(6 * batches);
  if (misfits_.size() != places) misfits_ = arithmetic_.template array<double, 1>({places}, "sums");
  const std::vector<double> none(6 * batches);
  arithmetic_.write(none.data(), misfits_.data(), places);
  told_ = next;
}

template <class T>
View<double, 1> Costs<T>::of(std::size_t batch, bool own) {
  return {misfits_.data() + 3 * (2 * static_cast<i64>(batch) + (own ? 0 : 1)), {3}};
}

template <class T>
double Costs<T>::report(std::size_t end) {
  std::vector<double> sums(6 * (end - told_));
  arithmetic_.read(misfits_.data() + 6 * told_, sums.data(), static_cast<i64>(sums.size()));
  sums.push_back(std::exchange(counted_here_, 0));
  team_.sum(sums);
  computed_ += sums.back();
  sums.pop_back();
  double last = 0;
  for (std::size_t i = 0; i < sums.size(); i += 6) {
    Misfit all = so_far();
    all += {sums[i], sums[i + 1], sums[i + 2]};
    cost_ = all.cost;
    r_numerator_ = all.r_numerator;
    r_denominator_ = all.r_denominator;
    last = sums[i] + sums[i + 3];
  }
  told_ = end;
  return last;
}

template class Costs<float>;
template class Costs<double>;

}  // namespace ptyle
