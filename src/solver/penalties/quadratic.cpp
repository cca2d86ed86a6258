#include "solver/penalties/quadratic.hpp"

#include "device/ops/penalty.hpp"
#include "solver/parts.hpp"
#include "solver/penalties/total_variation.hpp"

namespace ptyle {
namespace {

template <class T>
class Quadratic final : public Penalty<T> {
 public:
  explicit Quadratic(const PenaltyWeights& weights) : weights_(weights) {}
  [[nodiscard]] std::string key() const override {
    return weights_.lateral > 0   ? "penalty.lateral"
           : weights_.along_z > 0 ? "penalty.along_z"
                                  : "penalty.square";
  }
  [[nodiscard]] i64 reach() const override { return weights_.lateral > 0 ? 1 : 0; }
  /// A voxel has four neighbours in its slice and two along the beam.
  [[nodiscard]] double steepness() const override {
    return weights_.square + 4 * weights_.lateral + 2 * weights_.along_z;
  }
  void add_gradient(View<const T, 3> volume, const PenaltyPart& part, double share,
                    View<T, 3> gradient, Arithmetic<T>& arithmetic) const override {
    arithmetic.run(PenaltyGradient<T>(volume, weights_, part, share, gradient));
  }
  [[nodiscard]] double cost(View<const T, 3> volume, const PenaltyPart& part,
                            Arithmetic<T>& arithmetic) const override {
    return arithmetic.sum(PenaltyCost<T>(volume, weights_, part), part.core);
  }
  /// P is its own second-order term.
  [[nodiscard]] double curvature(View<const T, 3>, View<const T, 3> direction,
                                 const PenaltyPart& part,
                                 Arithmetic<T>& arithmetic) const override {
    return cost(direction, part, arithmetic);
  }
  void add_product(View<const T, 3>, View<const T, 3> direction, const PenaltyPart& part,
                   double share, View<T, 3> product, Arithmetic<T>& arithmetic) const override {
    add_gradient(direction, part, share, product, arithmetic);
  }

 private:
  PenaltyWeights weights_;
};

}  // namespace

template <class T>
void PenaltyOptions::add_to(Parts<T>& parts) const {
  const double c = 0.5 * of_likelihood, differences = lateral.value_or(0);
  const bool by_squares = edge == 0, of_differences = differences > 0 || along_z > 0;
  if (square > 0 || (of_differences && by_squares))
    parts.penalties.push_back(std::make_unique<Quadratic<T>>(
        by_squares ? PenaltyWeights{c * square, c * differences, c * along_z}
                   : PenaltyWeights{c * square, 0, 0}));
  if (of_differences && !by_squares)
    parts.penalties.push_back(make_total_variation<T>({c * differences, c * along_z, edge}));
}

template void PenaltyOptions::add_to(Parts<float>&) const;
template void PenaltyOptions::add_to(Parts<double>&) const;

}  // namespace ptyle
