#include <gtest/gtest.h>

#include <set>

#include "physics/losses.hpp"

namespace ptyle::test {
namespace {

using Faults = std::set<std::string>;

class EveryLoss : public testing::TestWithParam<LossFacts> {};
INSTANTIATE_TEST_SUITE_P(Of, EveryLoss, testing::ValuesIn(losses),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(EveryLoss, IsConsistentInFloat) {
  with_loss(GetParam().loss,
            []<class L>(L) { EXPECT_EQ((LossCheck<L, float>::faults()), Faults{}); });
}
TEST_P(EveryLoss, IsConsistentInDouble) {
  with_loss(GetParam().loss,
            []<class L>(L) { EXPECT_EQ((LossCheck<L, double>::faults()), Faults{}); });
}

TEST(Losses, StandInTheTableWhereTheirNamesSay) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].loss, static_cast<Loss>(i));
    EXPECT_EQ(facts_of(losses[i].loss).name, losses[i].name);
    with_loss(losses[i].loss, [&](auto loss) { EXPECT_STREQ(loss.name, losses[i].name); });
    names.insert(losses[i].name);
    EXPECT_GT(losses[i].epsilon, 0);
    EXPECT_GT(std::string(losses[i].about).size(), 0u);
  }
  EXPECT_EQ(names.size(), losses.size());
  EXPECT_STREQ(facts_of(Loss::amplitude).name, "amplitude");
  EXPECT_STREQ(facts_of(Loss::poisson).name, "poisson");
  EXPECT_STREQ(facts_of(Loss::intensity).name, "intensity");
}

// By hand: √9 − √4 = 1, weight 2; f' = 1 − √4/√9; f" = 2 / (2 · 9).
TEST(Losses, AmplitudeByHand) {
  EXPECT_DOUBLE_EQ(AmplitudeLoss::cost(8.0, 3.0, 2.0, 1.0), 2);
  EXPECT_DOUBLE_EQ(AmplitudeLoss::factor(9.0, 3.0, 1.0), 1 - 2.0 / 3);
  EXPECT_DOUBLE_EQ(AmplitudeLoss::curvature(2.0, 9.0), 1.0 / 9);
}
// 2 (8 − 3 − 3 log(9/4)); 1 − 3/9; 2/9.
TEST(Losses, PoissonByHand) {
  EXPECT_DOUBLE_EQ(PoissonLoss::cost(8.0, 3.0, 2.0, 1.0), 2 * (5 - 3 * std::log(2.25)));
  EXPECT_DOUBLE_EQ(PoissonLoss::factor(9.0, 3.0, 1.0), 1 - 1.0 / 3);
  EXPECT_DOUBLE_EQ(PoissonLoss::curvature(2.0, 9.0), 2.0 / 9);
}
// 2 · 5² / (4 · 4); 5 / (2 · 4); 2 / (2 · 9).
TEST(Losses, IntensityByHand) {
  EXPECT_DOUBLE_EQ(IntensityLoss::cost(8.0, 3.0, 2.0, 1.0), 2 * 25 / 16.0);
  EXPECT_DOUBLE_EQ(IntensityLoss::factor(9.0, 3.0, 1.0), 5 / 8.0);
  EXPECT_DOUBLE_EQ(IntensityLoss::curvature(2.0, 9.0), 1.0 / 9);
}

/// Near a perfect fit all are parts of one −log likelihood, (I − y)² / 2y. The next term is d/y of
/// it, here 1e-3, and what ε shifts Poisson's fit by 2ε/d, 2e-4.
TEST(Losses, AgreeNearAPerfectFit) {
  constexpr double y = 1e4, d = 10, epsilon = 1e-3, expected = d * d / (2 * y);
  for (const LossFacts& each : losses)
    with_loss(each.loss, [&](auto loss) {
      const double cost = loss.cost(y + d, y, 1.0, epsilon);
      EXPECT_NEAR(cost / each.of_likelihood, expected, 3e-3 * expected) << each.name;
    });
}

// Losses with one thing wrong, which the check must find: else it would find nothing.
struct WithoutEpsilonInTheFactor : PoissonLoss {
  template <class T>
  static T factor(T lit, T measured, T epsilon) {
    return 1 - measured / (lit - epsilon);
  }
};
struct WithTheResidualOfAnother : AmplitudeLoss {
  template <class T>
  static T factor(T lit, T measured, T epsilon) {
    return PoissonLoss::factor(lit, measured, epsilon);
  }
};
struct ThatCostsSomethingAtAPerfectFit : PoissonLoss {
  template <class T>
  static T cost(T model, T measured, T weight, T epsilon) {
    return weight * (model - measured * std::log(model + epsilon));
  }
};
struct WithTwiceTheCurvature : AmplitudeLoss {
  template <class T>
  static T curvature(T weight, T lit) {
    return weight / lit;
  }
};

template <class T>
class WrongLoss : public testing::Test {};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(WrongLoss, Numbers);

TYPED_TEST(WrongLoss, IsFound) {
  using T = TypeParam;
  // Where a fit is perfect is told by the factor: a wrong one shows in what is looked at there.
  EXPECT_EQ((LossCheck<WithoutEpsilonInTheFactor, T>::faults()), (Faults{"curvature", "residual"}));
  EXPECT_EQ((LossCheck<WithTheResidualOfAnother, T>::faults()),
            (Faults{"curvature", "residual", "together"}));
  EXPECT_EQ((LossCheck<ThatCostsSomethingAtAPerfectFit, T>::faults()), Faults{"perfect fit"});
  EXPECT_EQ((LossCheck<WithTwiceTheCurvature, T>::faults()), Faults{"curvature"});
}

}  // namespace
}  // namespace ptyle::test
