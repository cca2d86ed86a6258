// A loss that nothing in src/ names (toy_loss.hpp): it fulfils what every loss must, and fits by it
// are the same on any number of ranks and on the (emulated) GPU.

#include <gtest/gtest.h>

#include "device/emulated/arithmetic.hpp"
#include "operator/emulated/operator.hpp"
#include "physics/losses.hpp"
#include "solver/shared_fit.hpp"
#include "solver/toy_loss.hpp"

namespace ptyle::test {
namespace {

TEST(ToyLoss, IsConsistent) {
  EXPECT_EQ((LossCheck<RobustLoss, float>::faults()), std::set<std::string>{});
  EXPECT_EQ((LossCheck<RobustLoss, double>::faults()), std::set<std::string>{});
}

template <class L>
std::unique_ptr<Operator<double>> by(std::unique_ptr<Operator<double>> waves) {
  return std::make_unique<OperatorOfLoss<L, double>>(std::move(waves));
}

/// The scene's fits are made with this operator while it lives.
class MadeWith {
 public:
  using Maker = std::function<std::unique_ptr<Operator<double>>(const OperatorSetup&)>;
  explicit MadeWith(Maker op,
                    std::function<std::unique_ptr<Arithmetic<double>>()> arithmetic = {}) {
    scene().make_operator = std::move(op);
    scene().make_arithmetic = std::move(arithmetic);
  }
  MadeWith(const MadeWith&) = delete;
  ~MadeWith() {
    scene().make_operator = {};
    scene().make_arithmetic = {};
  }
};

template <class L>
MadeWith::Maker on_cpu() {
  return [](const OperatorSetup& setup) { return by<L>(make_cpu_operator<double>(setup, 1)); };
}

// So is the operator around the loss: that of the amplitude loss is the CPU's own.
TEST(ToyLoss, ItsOperatorIsRightWithALossThatIsKnown) {
  const Array<double, 3> own = fitted(options(5), {mesh_of(1)});
  const MadeWith made(on_cpu<AmplitudeLoss>());
  EXPECT_LT(apart(fitted(options(5), {mesh_of(1)}), own), rounding_of_operators);
}

TEST(ToyLoss, FitsOnRanksAndOnTheEmulatedGpu) {
  const Array<double, 3> by_amplitude = fitted(options(5), {mesh_of(1)});
  Array<double, 3> one;
  {
    const MadeWith made(on_cpu<RobustLoss>());
    const auto alone = make_local_team();
    auto fit = scene().fit(options(5), *alone, {mesh_of(1)});
    const double first = fit.iterate().fitted.cost;
    fit.iterate();
    EXPECT_LT(fit.iterate().fitted.cost, 0.3 * first);
    one = stitched(fit, scene().object());
    EXPECT_GT(apart(one, by_amplitude), 1e-6);
    EXPECT_LT(apart(fitted(options(5), {mesh_of(4)}), one), 1e-12);
  }
  emulated::Gpu gpu({.guarded = true, .order = emulated::Order::others_first});
  const MadeWith made(
      [&](const OperatorSetup& setup) {
        return by<RobustLoss>(make_emulated_operator<double>(setup, gpu, nullptr, {}));
      },
      [&] { return make_emulated_arithmetic<double>(gpu); });
  EXPECT_LT(apart(fitted(options(5), {mesh_of(4)}), one), rounding_of_operators);
}

}  // namespace
}  // namespace ptyle::test
