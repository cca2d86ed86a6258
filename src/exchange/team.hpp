#pragma once

// The ranks that share a fit: which of them are in this process, what they agree on, and how they
// exchange. A rank is a tile of the mesh. With MPI a process is one rank; without, all are here.
//
// Every process calls the same functions of its team in the same order.

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "device/arithmetic.hpp"
#include "exchange/delivery.hpp"
#include "exchange/exchange.hpp"

namespace ptyle {

/// The cost, to this process, of communication with other ranks.
struct TeamCosts {
  double waiting = 0;        ///< s, for other ranks and for the network
  double communicating = 0;  ///< s, packing, sending and adding
  i64 messages = 0;          ///< sent by exchanges
  i64 bytes = 0;             ///< sent by exchanges
};

/// Another rank has failed: its message, for the process that leads, which reports it and ends all.
class RankFailed : public std::runtime_error {
 public:
  RankFailed(int rank, int status, const std::string& sentence)
      : std::runtime_error(sentence), rank_(rank), status_(status) {}
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int status() const { return status_; }  ///< to exit with

 private:
  int rank_, status_;
};

/// A call that waits for a rank that has failed throws RankFailed on rank 0, and never returns
/// elsewhere.
class Team {
 public:
  virtual ~Team() = default;
  [[nodiscard]] virtual int size() const = 0;
  /// The ranks of this process, ascending.
  [[nodiscard]] virtual std::vector<int> here() const = 0;
  /// This process has rank 0: it prints and writes what is one for all.
  [[nodiscard]] bool leads() const { return here().front() == 0; }
  /// Processes of this team on this machine, which share its cores.
  [[nodiscard]] virtual int processes_on_node() const = 0;
  /// This process's number among them: its GPU.
  [[nodiscard]] virtual int rank_on_node() const = 0;

  /// By rank: the node that its process is on, as some number.
  [[nodiscard]] virtual std::vector<int> nodes() const {
    return std::vector<int>(static_cast<std::size_t>(size()), 0);
  }
  /// The same processes, of which the one that has rank r here has `rank_of[r]` there; rank 0 keeps
  /// its number, so that the same process leads. Made by all ranks together, to be used in place of
  /// this team, which must outlive it. Throws std::logic_error where all ranks are in one process,
  /// and for a team that was made in this way.
  virtual std::unique_ptr<Team> in_order(std::span<const int> /*rank_of*/) {
    throw std::logic_error("this team's ranks have one order");
  }

  /// Sums and maxima over the processes, in place; every process gets the same bits.
  virtual void sum(std::span<double> values) = 0;
  virtual void maximum(std::span<double> values) = 0;
  /// The sum again, while work goes on that leaves the values alone. One at a time; the values must
  /// outlive the handle.
  virtual Running start_sum(std::span<float> values) = 0;
  virtual Running start_sum(std::span<double> values) = 0;

  /// Every process's values, one after the other by rank, on the one that leads; nothing elsewhere.
  virtual std::vector<double> gather(std::span<const double> mine) = 0;
  virtual std::vector<float> gather(std::span<const float> mine) = 0;

  virtual std::unique_ptr<Exchange<float>> make_float_exchange(const ExchangePlan& plan,
                                                               Arithmetic<float>* arithmetic) = 0;
  virtual std::unique_ptr<Exchange<double>> make_double_exchange(
      const ExchangePlan& plan, Arithmetic<double>* arithmetic) = 0;
  /// An exchange of arrays that live where `arithmetic` says, which must outlive it; none: in the
  /// host's memory.
  template <class T>
  std::unique_ptr<Exchange<T>> make_exchange(const ExchangePlan& plan,
                                             Arithmetic<T>* arithmetic = nullptr) {
    if constexpr (std::is_same_v<T, float>)
      return make_float_exchange(plan, arithmetic);
    else
      return make_double_exchange(plan, arithmetic);
  }

  /// For records that change hands.
  virtual std::unique_ptr<Delivery> make_delivery() = 0;

  [[nodiscard]] virtual TeamCosts costs() const = 0;

  /// A process that shows no sign of life (core/pulse) for so many seconds ends all; 0: none does.
  /// Without other processes nothing happens.
  virtual void watch_over(double /*seconds*/) {}
  /// The message is to advise this then: "--resume continues from …".
  virtual void advise(const std::string& /*remedy*/) {}
};

}  // namespace ptyle
