#include "exchange/local/team.hpp"

#include <numeric>

#include "exchange/local/delivery.hpp"
#include "exchange/local/exchange.hpp"

namespace ptyle {
namespace {

/// There is nobody else to sum with.
class Nothing final : public ExchangeEngine {
  bool advance(bool) override { return true; }
  void abandon() noexcept override {}
};

class LocalTeam final : public Team {
 public:
  explicit LocalTeam(int ranks) : here_(static_cast<std::size_t>(ranks)) {
    std::iota(here_.begin(), here_.end(), 0);
  }
  [[nodiscard]] int size() const override { return static_cast<int>(here_.size()); }
  [[nodiscard]] std::vector<int> here() const override { return here_; }
  [[nodiscard]] int processes_on_node() const override { return 1; }
  [[nodiscard]] int rank_on_node() const override { return 0; }
  void sum(std::span<double>) override {}
  void maximum(std::span<double>) override {}
  Running start_sum(std::span<float>) override { return Running(nothing_); }
  Running start_sum(std::span<double>) override { return Running(nothing_); }
  std::vector<double> gather(std::span<const double> mine) override {
    return {mine.begin(), mine.end()};
  }
  std::vector<float> gather(std::span<const float> mine) override {
    return {mine.begin(), mine.end()};
  }
  std::unique_ptr<Exchange<float>> make_float_exchange(const ExchangePlan& plan,
                                                       Arithmetic<float>* arithmetic) override {
    return make_local_exchange<float>(plan, arithmetic);
  }
  std::unique_ptr<Exchange<double>> make_double_exchange(const ExchangePlan& plan,
                                                         Arithmetic<double>* arithmetic) override {
    return make_local_exchange<double>(plan, arithmetic);
  }
  std::unique_ptr<Delivery> make_delivery() override { return make_local_delivery(); }
  [[nodiscard]] TeamCosts costs() const override { return {}; }

 private:
  std::vector<int> here_;
  Nothing nothing_;
};

}  // namespace

std::unique_ptr<Team> make_local_team(int ranks) { return std::make_unique<LocalTeam>(ranks); }

}  // namespace ptyle
