#include "exchange/mpi/team.hpp"

#include <mpi.h>

#include <chrono>
#include <climits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "exchange/mpi/communicator.hpp"
#include "exchange/mpi/delivery.hpp"
#include "exchange/mpi/exchange.hpp"
#include "exchange/mpi/wait.hpp"
#include "exchange/mpi/watchdog.hpp"

namespace ptyle {
namespace {

template <class T>
MPI_Datatype type_of() {
  return std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Waits for a request, looking for news of a failure meanwhile.
void wait(const MpiWorld& world, MPI_Request& request) {
  const double start = now();
  wait_for(world, request);
  world.costs().waiting += now() - start;
}

int checked_count(std::size_t n) {
  if (n > INT_MAX) throw std::length_error("ranks sum or gather at most 2^31 values at a time");
  return static_cast<int>(n);
}

/// A sum to rank 0 and from there to all, so that all have the same bits.
class Reduction final : public ExchangeEngine {
 public:
  explicit Reduction(const MpiRanks& ranks)
      : world_(ranks.world()), rank_(ranks.rank()), comm_(ranks) {}

  template <class T>
  Running start(std::span<T> values, MPI_Op op) {
    if (stage_ != Stage::idle)
      throw std::logic_error("a sum over ranks was started before the last one had finished");
    data_ = values.data();
    count_ = checked_count(values.size());
    type_ = type_of<T>();
    const bool root = rank_ == 0;
    check_mpi(MPI_Ireduce(root ? MPI_IN_PLACE : data_, root ? data_ : nullptr, count_, type_, op, 0,
                          comm_.get(), &request_),
              "MPI_Ireduce");
    stage_ = Stage::reducing;
    return Running(*this);
  }

 private:
  enum class Stage { idle, reducing, spreading, lost };

  bool advance(bool wait_for_it) override {
    while (stage_ == Stage::reducing || stage_ == Stage::spreading) {
      if (wait_for_it) {
        wait(world_, request_);
      } else {
        int done = 0;
        check_mpi(MPI_Test(&request_, &done, MPI_STATUS_IGNORE), "MPI_Test");
        if (!done) return false;
      }
      if (stage_ == Stage::reducing)
        check_mpi(MPI_Ibcast(data_, count_, type_, 0, comm_.get(), &request_), "MPI_Ibcast");
      stage_ = stage_ == Stage::reducing ? Stage::spreading : Stage::idle;
    }
    return true;
  }
  void abandon() noexcept override {
    comm_.leak();
    stage_ = Stage::lost;
  }

  const MpiWorld& world_;
  const int rank_;
  Communicator comm_;
  Stage stage_ = Stage::idle;
  MPI_Request request_ = MPI_REQUEST_NULL;
  void* data_ = nullptr;
  int count_ = 0;
  MPI_Datatype type_ = MPI_DOUBLE;
};

class MpiTeam final : public Team {
 public:
  explicit MpiTeam(MpiRanks ranks)
      : ranks_(std::move(ranks)),
        world_(ranks_.world()),
        comm_(ranks_),
        agreement_(ranks_),
        running_sum_(ranks_) {}

  [[nodiscard]] int size() const override { return world_.size(); }
  [[nodiscard]] std::vector<int> here() const override { return {ranks_.rank()}; }
  [[nodiscard]] int processes_on_node() const override { return world_.processes_on_node(); }
  [[nodiscard]] int rank_on_node() const override { return world_.rank_on_node(); }
  [[nodiscard]] std::vector<int> nodes() const override {
    check_own_order();
    return world_.nodes();
  }
  std::unique_ptr<Team> in_order(std::span<const int> rank_of) override {
    check_own_order();
    world_.call_ranks(rank_of);
    return std::make_unique<MpiTeam>(MpiRanks(world_, rank_of));
  }

  void sum(std::span<double> values) override { agreement_.start(values, MPI_SUM).finish(); }
  void maximum(std::span<double> values) override { agreement_.start(values, MPI_MAX).finish(); }
  Running start_sum(std::span<float> values) override {
    return running_sum_.start(values, MPI_SUM);
  }
  Running start_sum(std::span<double> values) override {
    return running_sum_.start(values, MPI_SUM);
  }
  std::vector<double> gather(std::span<const double> mine) override { return gathered(mine); }
  std::vector<float> gather(std::span<const float> mine) override { return gathered(mine); }

  std::unique_ptr<Exchange<float>> make_float_exchange(const ExchangePlan& plan,
                                                       Arithmetic<float>* arithmetic) override {
    return make_mpi_exchange<float>(ranks_, plan, arithmetic);
  }
  std::unique_ptr<Exchange<double>> make_double_exchange(const ExchangePlan& plan,
                                                         Arithmetic<double>* arithmetic) override {
    return make_mpi_exchange<double>(ranks_, plan, arithmetic);
  }
  std::unique_ptr<Delivery> make_delivery() override { return make_mpi_delivery(ranks_); }
  [[nodiscard]] TeamCosts costs() const override { return world_.costs(); }
  void watch_over(double seconds) override { world_.watchdog().set_limit(seconds); }
  void advise(const std::string& remedy) override { world_.watchdog().advise(remedy); }

 private:
  void check_own_order() const {
    if (ranks_.communicator()) throw std::logic_error("a team has been put into an order already");
  }
  template <class T>
  std::vector<T> gathered(std::span<const T> mine) {
    const auto ranks = static_cast<std::size_t>(size());
    const int count = checked_count(mine.size());
    std::vector<int> counts(ranks), offsets(ranks);
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Igather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, comm_.get(), &request),
              "MPI_Igather");
    wait(world_, request);
    std::vector<T> all;
    if (ranks_.rank() == 0) {
      const auto total = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
      checked_count(total);
      all.resize(total);
      std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), 0);
    }
    check_mpi(MPI_Igatherv(mine.data(), count, type_of<T>(), all.data(), counts.data(),
                           offsets.data(), type_of<T>(), 0, comm_.get(), &request),
              "MPI_Igatherv");
    wait(world_, request);
    return all;
  }

  const MpiRanks ranks_;
  const MpiWorld& world_;
  Communicator comm_;
  Reduction agreement_, running_sum_;
};

}  // namespace

std::unique_ptr<Team> make_mpi_team(const MpiWorld& world) {
  return std::make_unique<MpiTeam>(world);
}

}  // namespace ptyle
