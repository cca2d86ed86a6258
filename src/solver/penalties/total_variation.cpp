#include "solver/penalties/total_variation.hpp"

namespace ptyle {
namespace {

template <class T>
class TotalVariation final : public Penalty<T> {
 public:
  explicit TotalVariation(const VariationWeights& weights) : weights_(weights) {}
  [[nodiscard]] std::string key() const override { return "penalty.edge"; }
  [[nodiscard]] i64 reach() const override { return weights_.lateral > 0 ? 1 : 0; }
  /// That of small differences, which is the largest.
  [[nodiscard]] double steepness() const override {
    return 4 * weights_.lateral + 2 * weights_.along_z;
  }
  void add_gradient(View<const T, 3> volume, const PenaltyPart& part, double share,
                    View<T, 3> gradient, Arithmetic<T>& arithmetic) const override {
    arithmetic.run(VariationGradient<T>(volume, {}, weights_, part, share, gradient));
  }
  [[nodiscard]] double cost(View<const T, 3> volume, const PenaltyPart& part,
                            Arithmetic<T>& arithmetic) const override {
    return arithmetic.sum(VariationCost<T>(volume, {}, weights_, part), part.core);
  }
  [[nodiscard]] double curvature(View<const T, 3> volume, View<const T, 3> direction,
                                 const PenaltyPart& part,
                                 Arithmetic<T>& arithmetic) const override {
    return arithmetic.sum(VariationCost<T>(volume, direction, weights_, part), part.core);
  }
  void add_product(View<const T, 3> volume, View<const T, 3> direction, const PenaltyPart& part,
                   double share, View<T, 3> product, Arithmetic<T>& arithmetic) const override {
    arithmetic.run(VariationGradient<T>(volume, direction, weights_, part, share, product));
  }

 private:
  VariationWeights weights_;
};

}  // namespace

template <class T>
std::unique_ptr<Penalty<T>> make_total_variation(const VariationWeights& weights) {
  return std::make_unique<TotalVariation<T>>(weights);
}

template std::unique_ptr<Penalty<float>> make_total_variation(const VariationWeights&);
template std::unique_ptr<Penalty<double>> make_total_variation(const VariationWeights&);

}  // namespace ptyle
