#include "exchange/mpi/exchange.hpp"

// Each chunk of planes goes through this rank's steps on its own. For one step of one chunk:
//
//   1. pack, which a device does by itself
//   2. once it has, post receives and sends
//   3. wait for all of them, of whatever chunk finishes first
//   4. unpack in the order of ranks, again by itself; the step is free for the next chunk, and this
//      one goes on to its next step as soon as the chunk before it has left that
//
// So each step has one chunk at a time, like an assembly line. Were chunks of the same step sent
// together, they would share the rank's bandwidth and all arrive at the end, when nobody can
// overlap them with anything any more.
//
// No deadlock: of the chunks that some rank has not finished take the first, and of its rounds the
// first that some rank is in. All ranks have finished the chunks before it, so nothing holds it
// back, and whom that rank waits for is in the same round and has posted its part.

#include <mpi.h>

#include <climits>
#include <stdexcept>

#include "core/error.hpp"
#include "exchange/mpi/communicator.hpp"
#include "exchange/mpi/meter.hpp"
#include "exchange/mpi/wait.hpp"
#include "exchange/side.hpp"

namespace ptyle {
namespace {

template <class T>
MPI_Datatype mpi_type() {
  return std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
}

using Clock = Meter::Clock;

template <class T>
class MpiExchange final : public Exchange<T> {
 public:
  MpiExchange(const MpiRanks& ranks, const ExchangePlan& plan, Arithmetic<T>* arithmetic)
      : world_(ranks.world()), comm_(ranks), side_(plan, ranks.rank(), arithmetic) {
    const i64 slots = plan.schedule.in_flight > 0
                          ? std::min(plan.schedule.in_flight, side_.chunks())
                          : side_.chunks();
    for (const Step& step : side_.steps())
      requests_per_slot_ = std::max(requests_per_slot_, step.sends.size() + step.receives.size());
    // MPI counts with int; a message holds at most what its step does.
    if (std::max(side_.send_size(), side_.receive_size()) > INT_MAX || side_.chunks() > 32767)
      throw std::length_error(
          "an exchange's messages hold more than 2^31 values, or are more than 32767 chunks: "
          "choose another chunk of slices");
    slots_.resize(static_cast<std::size_t>(slots));
    requests_.assign(slots_.size() * requests_per_slot_, MPI_REQUEST_NULL);
    finished_.resize(requests_.size());
    buffers_ =
        std::make_unique<Buffers<T>>(slots, side_, world_.takes_device_memory(), plan.ledger);
  }
  ~MpiExchange() override {
    if (running_) abandon();
  }

  Running start(std::span<const Stack<T>> tiles) override {
    if (running_ || !buffers_)
      throw std::logic_error(
          "an exchange was started before it had finished, or after it was given up");
    if (tiles.size() != 1)
      throw std::invalid_argument("an MPI exchange needs the arrays of this rank alone");
    const Meter meter(world_.costs());
    side_.attach(tiles[0]);
    running_ = true;
    next_chunk_ = 0;
    active_ = 0;
    travelling_ = 0;
    packed_.clear();
    std::fill(slots_.begin(), slots_.end(), Slot{});
    Running handle(*this);  // so that an error below gives the exchange up
    begin_chunk();
    send_packed(false);
    return handle;
  }

 protected:
  bool advance(bool wait) override {
    const Meter meter(world_.costs());
    while (active_ > 0) {
      send_packed(wait);
      int count = travelling_ > 0 ? finished_of(requests_, finished_) : 0;
      if (count == 0 && !wait) return false;
      if (count == 0) {
        const auto before = Clock::now();
        count = wait_for_some(world_, requests_, finished_);
        meter.waited(before);
      }
      for (int i = 0; i < count; ++i) {
        const auto slot =
            static_cast<std::size_t>(finished_[static_cast<std::size_t>(i)]) / requests_per_slot_;
        if (--slots_[slot].pending == 0) ready_.push_back(slot);
      }
      travelling_ -= std::ssize(ready_);
      for (const std::size_t slot : ready_) end_step(slot);
      ready_.clear();
    }
    side_.detach();
    running_ = false;
    return true;
  }

  void abandon() noexcept override {
    // MPI may still read and write the buffers: they are left to it.
    static_cast<void>(buffers_.release());
    comm_.leak();
    running_ = false;
    for (MPI_Request& request : requests_)
      if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
  }

 private:
  /// A chunk on its way; chunk k is in slot k modulo their number.
  struct Slot {
    i64 chunk = -1;  // none
    std::size_t step = 0;
    std::size_t pending = 0;  // requests of the step
    bool begun = false;       // the step; else it waits for the chunk before
  };

  [[nodiscard]] std::size_t slot_of(i64 chunk) const {
    return static_cast<std::size_t>(chunk) % slots_.size();
  }

  /// Has this chunk done a step? One that has left its slot has done all.
  [[nodiscard]] bool is_past(i64 chunk, std::size_t step) const {
    if (chunk < 0) return true;
    const Slot& slot = slots_[slot_of(chunk)];
    return slot.chunk != chunk || slot.step > step;
  }

  /// Begins the next chunk if there is one, and a slot for it, and its first step is free.
  void begin_chunk() {
    if (next_chunk_ == side_.chunks() || side_.steps().empty()) return;
    const std::size_t at = slot_of(next_chunk_);
    if (slots_[at].chunk >= 0 || !is_past(next_chunk_ - 1, 0)) return;
    slots_[at] = {next_chunk_++, 0, 0, false};
    ++active_;
    begin_step(at);
  }

  /// Goes on with a chunk that waits for its step to be free, if it is.
  void go_on(i64 chunk) {
    const std::size_t at = slot_of(chunk);
    const Slot& slot = slots_[at];
    if (slot.chunk == chunk && !slot.begun && is_past(chunk - 1, slot.step)) begin_step(at);
  }

  void begin_step(std::size_t at) {
    Slot& slot = slots_[at];
    const Interval planes = side_.planes_in(slot.chunk);
    const auto number = static_cast<i64>(at);
    slot.begun = true;
    side_.pack(slot.step, planes, buffers_->packed(number));
    buffers_->send_later(number, planes.size() * side_.steps()[slot.step].sent_pixels);
    packed_.push_back(at);
  }

  /// Sends all that is packed and receives in turn, as soon as it is done, and so is what was
  /// received there before.
  void send_packed(bool wait) {
    if (packed_.empty() || !buffers_->ready(wait)) return;
    for (const std::size_t at : packed_) post(at);
    packed_.clear();
  }

  void post(std::size_t at) {
    Slot& slot = slots_[at];
    const Step& step = side_.steps()[slot.step];
    const Interval planes = side_.planes_in(slot.chunk);
    const auto number = static_cast<i64>(at);
    T* const in = buffers_->received(number);
    const T* const out = buffers_->sent(number);
    const int tag = static_cast<int>(slot.chunk);
    MPI_Request* request = requests_.data() + at * requests_per_slot_;
    slot.pending = step.sends.size() + step.receives.size();
    ++travelling_;
    for (const StepPart& part : step.receives)
      check_mpi(MPI_Irecv(in + planes.size() * part.offset,
                          static_cast<int>(planes.size() * part.box.area()), mpi_type<T>(),
                          part.partner, tag, comm_.get(), request++),
                "MPI_Irecv");
    for (const StepPart& part : step.sends)
      check_mpi(MPI_Isend(out + planes.size() * part.offset,
                          static_cast<int>(planes.size() * part.box.area()), mpi_type<T>(),
                          part.partner, tag, comm_.get(), request++),
                "MPI_Isend");
    world_.costs().messages += static_cast<i64>(step.sends.size());
    world_.costs().bytes += planes.size() * step.sent_pixels * static_cast<i64>(sizeof(T));
  }

  void end_step(std::size_t at) {
    Slot& slot = slots_[at];
    const Step& step = side_.steps()[slot.step];
    const Interval planes = side_.planes_in(slot.chunk);
    side_.unpack(slot.step, planes,
                 buffers_->arrived(static_cast<i64>(at), planes.size() * step.received_pixels));
    const i64 chunk = slot.chunk;
    slot.begun = false;
    if (++slot.step == side_.steps().size()) {
      slot.chunk = -1;
      --active_;
    }
    go_on(chunk);
    go_on(chunk + 1);
    begin_chunk();
  }

  const MpiWorld& world_;
  Communicator comm_;
  Side<T> side_;
  std::unique_ptr<Buffers<T>> buffers_;
  std::vector<Slot> slots_;
  std::size_t requests_per_slot_ = 0;
  std::vector<MPI_Request> requests_;  // of slot 0, slot 1, …
  std::vector<int> finished_;
  std::vector<std::size_t> packed_;  // slots that are to be sent
  std::vector<std::size_t> ready_;   // slots whose step is complete
  i64 next_chunk_ = 0;
  i64 active_ = 0;      // slots with a chunk on its way
  i64 travelling_ = 0;  // of them, those whose step's messages are
  bool running_ = false;
};

}  // namespace

template <class T>
std::unique_ptr<Exchange<T>> make_mpi_exchange(const MpiRanks& ranks, const ExchangePlan& plan,
                                               Arithmetic<T>* arithmetic) {
  if (plan.mesh.ranks() != ranks.size())
    throw UserError(fmt::format("{} need {} MPI ranks, but {} were started", plan.mesh.describe(),
                                plan.mesh.ranks(), ranks.size()));
  return std::make_unique<MpiExchange<T>>(ranks, plan, arithmetic);
}
template std::unique_ptr<Exchange<float>> make_mpi_exchange(const MpiRanks&, const ExchangePlan&,
                                                            Arithmetic<float>*);
template std::unique_ptr<Exchange<double>> make_mpi_exchange(const MpiRanks&, const ExchangePlan&,
                                                             Arithmetic<double>*);

}  // namespace ptyle
