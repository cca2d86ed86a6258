#include "exchange/mpi/delivery.hpp"

// One delivery:
//
//   1. announce: each rank tells every other how many records it will send; then their numbers go
//      to those that get some
//   2. expect: posts a receive for each piece, straight into its place
//   3. send: posts a send for each piece, straight from where it lies
//   4. finish: waits for all of them, in whatever order they end
//
// Pieces of a pair of ranks arrive in the order in which they were sent, which MPI promises for
// messages of one tag. No deadlock: all receives are posted before anybody waits for a send.

#include <mpi.h>

#include <climits>
#include <stdexcept>
#include <utility>

#include "exchange/mpi/communicator.hpp"
#include "exchange/mpi/meter.hpp"
#include "exchange/mpi/wait.hpp"

namespace ptyle {
namespace {

int checked_count(std::size_t n) {
  if (n > INT_MAX)
    throw std::length_error("a message of a hand-over holds at most 2^31 values: use more ranks");
  return static_cast<int>(n);
}

class MpiDelivery final : public Delivery {
 public:
  explicit MpiDelivery(const MpiRanks& ranks)
      : world_(ranks.world()), rank_(ranks.rank()), comm_(ranks) {}
  ~MpiDelivery() override {
    if (!requests_.empty()) MpiDelivery::abandon();
  }

  std::vector<Parcel> announce(std::span<const Parcel> leaving) override {
    check_idle();
    const Meter meter(world_.costs());
    const int me = rank_;
    const auto ranks = static_cast<std::size_t>(world_.size());
    numbers_ = std::make_unique<Numbers>();
    auto& [told, heard, announced, coming] = *numbers_;
    told.assign(ranks, 0);
    heard.assign(ranks, 0);
    announced.assign(leaving.begin(), leaving.end());
    for (const Parcel& parcel : announced)
      told[static_cast<std::size_t>(parcel.to)] = checked_count(parcel.records.size());
    check_mpi(MPI_Ialltoall(told.data(), 1, MPI_INT, heard.data(), 1, MPI_INT, comm_.get(),
                            next(Kind::of_all)),
              "MPI_Ialltoall");
    wait_for_all(meter);
    for (int from = 0; from < world_.size(); ++from) {
      const int count = heard[static_cast<std::size_t>(from)];
      if (count > 0)
        coming.push_back({from, me, std::vector<i64>(static_cast<std::size_t>(count))});
    }
    for (Parcel& parcel : coming)
      receive(parcel.from, parcel.records.data(), parcel.records.size(), MPI_INT64_T);
    for (const Parcel& parcel : announced)
      send_to(parcel.to, parcel.records.data(), parcel.records.size(), MPI_INT64_T);
    wait_for_all(meter);
    return std::move(coming);
  }

  void expect(std::vector<Coming> parcels) override {
    check_idle();
    const Meter meter(world_.costs());
    for (const Coming& parcel : parcels)
      for (const auto& piece : parcel.pieces)
        receive(parcel.from, piece.data(), piece.size(), MPI_BYTE);
  }

  Running send(std::vector<Leaving> parcels) override {
    const Meter meter(world_.costs());
    Running handle(*this);  // so that an error below gives the delivery up
    for (const Leaving& parcel : parcels)
      for (const auto& piece : parcel.pieces) {
        send_to(parcel.to, piece.data(), piece.size(), MPI_BYTE);
        ++world_.costs().messages;
        world_.costs().bytes += static_cast<i64>(piece.size());
      }
    return handle;
  }

 private:
  enum class Kind { of_all, receive, send };
  /// Who gets how many, and which: what travels in announce().
  struct Numbers {
    std::vector<int> told, heard;  // records to and from each rank
    std::vector<Parcel> announced, coming;
  };

  bool advance(bool wait) override {
    const Meter meter(world_.costs());
    if (wait) {
      wait_for_all(meter);
      return true;
    }
    while (left_ > 0) {
      const int count = finished_of(requests_, finished_);
      if (count == 0) return false;
      left_ -= static_cast<std::size_t>(count);
    }
    forget_requests();
    return true;
  }

  /// Receives are taken back, as their places may go next; nobody is waited for.
  void abandon() noexcept override {
    static_cast<void>(numbers_.release());  // MPI may still read and write them
    comm_.leak();
    given_up_ = true;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL || kinds_[i] == Kind::of_all) continue;
      if (kinds_[i] == Kind::receive) MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
    requests_.clear();
  }

  void check_idle() const {
    if (left_ > 0 || given_up_)
      throw std::logic_error(
          "a delivery was started before it had finished, or after it was given up");
  }

  void receive(int from, void* to, std::size_t count, MPI_Datatype type) {
    check_mpi(MPI_Irecv(to, checked_count(count), type, from, 0, comm_.get(), next(Kind::receive)),
              "MPI_Irecv");
  }
  void send_to(int to, const void* from, std::size_t count, MPI_Datatype type) {
    check_mpi(MPI_Isend(from, checked_count(count), type, to, 0, comm_.get(), next(Kind::send)),
              "MPI_Isend");
  }
  MPI_Request* next(Kind kind) {
    requests_.push_back(MPI_REQUEST_NULL);
    kinds_.push_back(kind);
    finished_.resize(requests_.size());
    ++left_;
    return &requests_.back();
  }

  void wait_for_all(const Meter& meter) {
    const auto before = Meter::Clock::now();
    while (left_ > 0)
      left_ -= static_cast<std::size_t>(wait_for_some(world_, requests_, finished_));
    meter.waited(before);
    forget_requests();
  }
  void forget_requests() {
    requests_.clear();
    kinds_.clear();
    finished_.clear();
  }

  const MpiWorld& world_;
  const int rank_;
  Communicator comm_;
  std::unique_ptr<Numbers> numbers_;
  std::vector<MPI_Request> requests_;  // of one stage
  std::vector<Kind> kinds_;
  std::vector<int> finished_;
  std::size_t left_ = 0;  // requests that have not finished
  bool given_up_ = false;
};

}  // namespace

std::unique_ptr<Delivery> make_mpi_delivery(const MpiRanks& ranks) {
  return std::make_unique<MpiDelivery>(ranks);
}

}  // namespace ptyle
