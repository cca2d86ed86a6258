#pragma once

// The quantity that a fit minimises, f = Σ over patterns and detector pixels of a loss of I, the
// model's counts, and y, the measured ones. Each loss is one file, whose functions of a pixel are
// compiled into the rows of the CPU, its vectors and the kernels of a GPU:
//
//   cost(I, y, w, ε)      f
//   factor(I+ε, y, ε)     f'/w, by I
//   curvature(w, I+ε)     f" at a perfect fit
//   in_vectors            are +, −, ×, ÷ and √ all it needs? Then Together(I, y, ε) has cost(w) and
//                         factor() of whole vectors
//
// A new one is its file, a name in `Loss` and `Losses`, and its formula in the reference operator,
// which has its own.

#include <array>
#include <cstddef>

#include "physics/loss/amplitude.hpp"
#include "physics/loss/intensity.hpp"
#include "physics/loss/poisson.hpp"

namespace ptyle {

enum class Loss { amplitude, poisson, intensity };
template <class... Types>
struct LossTable;
/// The losses, in the order of their names.
using Losses = LossTable<AmplitudeLoss, PoissonLoss, IntensityLoss>;

/// A loss for those who choose one.
struct LossFacts {
  Loss loss;
  const char* name;      ///< as a configuration has it
  const char* about;     ///< one line
  double epsilon;        ///< ε as a fraction of a detector pixel's mean counts
  double least_epsilon;  ///< ε is at least so many counts
  double of_likelihood;  ///< as a part of −log likelihood of counts
};

template <class... Types>
struct LossTable {
  static constexpr std::array<LossFacts, sizeof...(Types)> facts() {
    int place = 0;
    return {LossFacts{Loss{place++}, Types::name, Types::about, Types::epsilon,
                      Types::least_epsilon, Types::of_likelihood}...};
  }
  /// f(the loss of that place)
  template <class F>
  PTYLE_HOST_DEVICE static decltype(auto) with(int place, F& f) {
    return find<F, Types...>(place, f);
  }

 private:
  template <class F, class First, class... Others>
  PTYLE_HOST_DEVICE static decltype(auto) find(int place, F& f) {
    if constexpr (sizeof...(Others) == 0)
      return f(First{});
    else
      return place == 0 ? f(First{}) : find<F, Others...>(place - 1, f);
  }
};

inline constexpr auto losses = Losses::facts();
constexpr const LossFacts& facts_of(Loss loss) { return losses[static_cast<std::size_t>(loss)]; }

/// f(AmplitudeLoss{}) or f(PoissonLoss{}), … : what is compiled for each loss is chosen here, at
/// run time.
template <class F>
PTYLE_HOST_DEVICE decltype(auto) with_loss(Loss loss, F&& f) {
  return Losses::with(static_cast<int>(loss), f);
}

}  // namespace ptyle
