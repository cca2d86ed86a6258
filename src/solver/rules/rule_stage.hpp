#pragma once

// The stage of the multi-resolution schedule in which a rule has learnt what it remembers.

#include "solver/continuation.hpp"
#include "solver/state.hpp"

namespace ptyle {

class RuleStage {
 public:
  /// Its numbers are saved as "NAME.k_c" and "NAME.block".
  template <class T>
  void declare(State<T>& state, const std::string& name) {
    k_c_ = &state.number(name + ".k_c");
    block_ = &state.number(name + ".block");
  }
  /// Takes the stage; true where it is another one than before.
  bool take(const Continuation& stage) const {
    const auto block = static_cast<double>(stage.block());
    const bool another = *k_c_ != stage.k_c() || *block_ != block;
    *k_c_ = stage.k_c(), *block_ = block;
    return another;
  }
  [[nodiscard]] i64 block() const { return static_cast<i64>(*block_); }

 private:
  double *k_c_ = nullptr, *block_ = nullptr;
};

}  // namespace ptyle
