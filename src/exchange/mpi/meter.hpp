#pragma once

#include <chrono>

#include "exchange/team.hpp"

namespace ptyle {

/// Accounts the time of a scope as communicating, less what of it was waiting.
class Meter {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Meter(TeamCosts& costs) : costs_(costs) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter() { costs_.communicating += seconds(start_) - waited_; }
  void waited(Clock::time_point since) const {
    const double waited = seconds(since);
    waited_ += waited;
    costs_.waiting += waited;
  }

 private:
  static double seconds(Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  }
  TeamCosts& costs_;
  Clock::time_point start_ = Clock::now();
  mutable double waited_ = 0;
};

}  // namespace ptyle
