#pragma once

// A GPU that is not there: its memory is the host's, its kernels run block by block and thread by
// thread on the caller's thread, at once or late (streams.hpp). For tests: the interface is that of
// device/cuda/gpu.hpp, and it is strict where a real one would go wrong silently: fresh memory is
// no number until it has been zeroed, and copies read and write the host's memory, pinned or not,
// as late as everything else.

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/memory.hpp"
#include "device/cpu/fft.hpp"
#include "device/emulated/streams.hpp"
#include "device/kernel.hpp"

namespace ptyle::emulated {

template <class T>
class Fft;

/// State that the blocks of a cluster share: each runs on a thread of its own.
struct Cluster {
  explicit Cluster(int blocks)
      : barrier(blocks),
        shared(static_cast<std::size_t>(blocks)),
        sent(static_cast<std::size_t>(blocks)) {}
  std::barrier<> barrier;
  std::vector<std::vector<double>> shared;  ///< memory, of each block
  std::vector<std::atomic<i64>> sent;       ///< bytes to each block that it has not yet received
  int ticket = 0;
};

/// The signals of a launch's blocks, one of which may get lost, so that a wait is in vain.
struct Signals {
  i64 lost = -1;
  std::atomic<i64> given = 0;
};

/// Addresses that crash who touches them while they are not open. They are one range, as one call
/// then opens them all.
class GuardedPages {
 public:
  explicit GuardedPages(std::size_t most) : most_(most) {
    void* const at =
        mmap(nullptr, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    begin_ = end_ = static_cast<char*>(at);
  }
  GuardedPages(const GuardedPages&) = delete;
  ~GuardedPages() { munmap(begin_, most_); }

  void open(bool now) {
    is_open_ = now;
    protect(begin_, end_);
  }
  /// The first gap between what is held, whole pages of zeros. Throws std::bad_alloc.
  char* room_for(std::size_t bytes, const std::map<const char*, std::size_t>& held) {
    char* at = begin_;
    for (const auto& [next, length] : held) {
      if (static_cast<std::size_t>(next - at) >= bytes) break;
      at = const_cast<char*>(next) + whole(length + 1);
    }
    if (bytes > most_ - static_cast<std::size_t>(at - begin_)) throw std::bad_alloc();
    char* const end = std::max(end_, at + whole(bytes));
    protect(std::exchange(end_, end), end);
    return at;
  }
  /// The pages are zeros from now on.
  void forget(void* at, std::size_t bytes) { madvise(at, bytes, MADV_DONTNEED); }

 private:
  static std::size_t whole(std::size_t bytes) {
    constexpr std::size_t page = 4096;
    return (bytes + page - 1) / page * page;
  }
  void protect(char* begin, char* end) const {
    if (begin < end)
      mprotect(begin, static_cast<std::size_t>(end - begin),
               is_open_ ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
  std::size_t most_;
  char *begin_, *end_;  // what has been held once
  bool is_open_ = false;
};

/// A block as its kernel sees it. Shared memory is no number at first, and `backwards` lets the
/// threads of a phase run in the other order: the results must not change.
class Block {
 public:
  Block(i64 at_x, i64 at_y, i64 at_z, int threads, std::size_t shared, bool backwards,
        Cluster& cluster, int rank, Signals& signals)
      : x(static_cast<int>(at_x)),
        y(static_cast<int>(at_y)),
        z(static_cast<int>(at_z)),
        threads_(threads),
        backwards_(backwards),
        cluster_(cluster),
        rank_(rank),
        signals_(signals) {
    own().assign(shared / sizeof(double) + 1, std::numeric_limits<double>::quiet_NaN());
    meet();
  }
  int x, y, z;
  template <class Phase>
  void threads(Phase&& phase) {
    for (int t = 0; t < threads_; ++t) phase(backwards_ ? threads_ - 1 - t : t);
  }
  [[nodiscard]] int rank() const { return rank_; }
  void meet() {
    if (cluster_.shared.size() > 1) cluster_.barrier.arrive_and_wait();
  }
  template <class T>
  [[nodiscard]] T* remote(T* at, int rank) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(at) - shared() +
                                reinterpret_cast<char*>(cluster_.shared[rank].data()));
  }
  template <class Held, class Take, class Change, class Put>
  void hand_over(Take&& take, Change&& change, Put&& put) {
    std::vector<Held> held(static_cast<std::size_t>(threads_));
    const auto all = [&](auto&& step) {
      threads([&](int t) { step(t, held[static_cast<std::size_t>(t)]); });
    };
    all(take);
    auto taken = cluster_.barrier.arrive();
    all(change);
    cluster_.barrier.wait(std::move(taken));
    all(put);
  }
  template <class T>
  void send(T* at, int rank, int i, const T& value) {
    remote(at, rank)[i] = value;
    cluster_.sent[static_cast<std::size_t>(rank)] += sizeof(T);
  }
  /// Bytes that are missing, or too many, would let a real block wait for ever, or go on too early.
  void received(i64 bytes) {
    meet();
    const i64 sent = cluster_.sent[static_cast<std::size_t>(rank_)].exchange(0);
    if (sent != bytes)
      throw std::logic_error("a block waits for " + std::to_string(bytes) + " bytes and is sent " +
                             std::to_string(sent));
  }
  int next(int* counter) {
    meet();
    if (rank_ == 0) cluster_.ticket = (*counter)++;
    meet();
    return cluster_.ticket;
  }
  /// Blocks run one after the other: a flag that is behind stays behind.
  void await(const int* flag, int value, Alarm* alarm) const {
    const int found = std::atomic_ref<const int>(*flag);
    if (found >= value) return;
    *alarm = {1, value, found};
    throw std::logic_error(to_string(*alarm));
  }
  void signal(int* flag) {
    if (signals_.given++ != signals_.lost) ++std::atomic_ref<int>(*flag);
  }
  char* shared() { return reinterpret_cast<char*>(own().data()); }

 private:
  std::vector<double>& own() { return cluster_.shared[static_cast<std::size_t>(rank_)]; }
  int threads_;
  bool backwards_;
  Cluster& cluster_;
  int rank_;
  Signals& signals_;
};

class Gpu final : public Memory {
 public:
  template <class T>
  using Transform = Fft<T>;
  static constexpr bool emulated = true;
  /// As an H100 has them, or what a test wants to see.
  struct Properties {
    std::size_t memory = std::size_t{4} << 30;
    std::size_t shared_limit = 227 << 10;  ///< bytes of a block
    int multiprocessors = 4;
    std::size_t l2 = 50 << 20;
    bool clusters = true;    ///< may blocks use each other's shared memory?
    bool backwards = false;  ///< threads of a phase run in the other order
    bool guarded = false;    ///< a host that touches the device's memory crashes
    i64 lost_signal = -1;    ///< the number of a launch's signal that nobody hears of
    Order order = Order::at_once;
  };
  /// While one is there, a guarded device's memory can be touched.
  class Touch {
   public:
    explicit Touch(const Gpu& gpu) : gpu_(gpu) { gpu_.open(+1); }
    Touch(const Touch&) = delete;
    ~Touch() { gpu_.open(-1); }

   private:
    const Gpu& gpu_;
  };
  Gpu() : Gpu(Properties()) {}
  explicit Gpu(const Properties& properties)
      : properties_(properties), streams_(3, properties.order) {
    if (properties.guarded) guarded_.emplace(4 * properties.memory);  // room between what is held
  }
  Gpu(const Gpu&) = delete;
  ~Gpu() override = default;

  [[nodiscard]] std::string name() const { return "emulated GPU"; }
  [[nodiscard]] int multiprocessors() const { return properties_.multiprocessors; }
  [[nodiscard]] std::size_t shared_limit() const { return properties_.shared_limit; }
  [[nodiscard]] bool clusters() const { return properties_.clusters; }
  [[nodiscard]] std::size_t l2_bytes() const { return properties_.l2; }
  [[nodiscard]] std::size_t total_bytes() const { return properties_.memory; }
  [[nodiscard]] std::size_t free_bytes() const {
    const std::lock_guard lock(mutex_);
    return properties_.memory - used_;
  }

  void* allocate(std::size_t bytes) override {
    void* const at = reserve(bytes);
    if (properties_.order == Order::at_once) return at;  // zeroed
    {
      const Touch touch(*this);
      std::memset(at, 0xff, bytes);
    }
    zero(at, bytes);
    return at;
  }
  void release(void* at) noexcept override {
    if (!at) return;
    wait_for_all();  // as cudaFree does
    const std::lock_guard lock(mutex_);
    const auto found = held_.find(static_cast<char*>(at));
    const std::size_t bytes = found->second;
    used_ -= bytes;
    held_.erase(found);
    if (guarded_)
      guarded_->forget(at, bytes + 1);
    else
      ::operator delete[](static_cast<char*>(at), std::align_val_t{256});
  }
  /// Does this lie on the device?
  [[nodiscard]] bool holds(const void* at) const {
    const std::lock_guard lock(mutex_);
    auto next = held_.upper_bound(static_cast<const char*>(at));
    if (next == held_.begin()) return false;
    --next;
    return static_cast<const char*>(at) < next->first + next->second + 1;
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    copy_later(to, from, bytes);
    wait();
  }
  /// Without waiting: `from` must be left alone until wait(). Pinned memory makes it quicker.
  void copy_later(void* to, const void* from, std::size_t bytes, Lane lane = Lane::computing) {
    copy_on(stream(lane), to, from, bytes);
  }
  void zero(void* at, std::size_t bytes) {
    if (bytes == 0) return;
    later([this, at, bytes] {
      const Touch touch(*this);
      std::memset(at, 0, bytes);
    });
  }
  /// Memory of the host that the device reads and writes by itself.
  [[nodiscard]] void* allocate_pinned(std::size_t bytes) const {
    return ::operator new[](bytes + 1, std::align_val_t{256});
  }
  void release_pinned(void* at) const noexcept {
    if (!at) return;
    wait_for_all();
    ::operator delete[](at, std::align_val_t{256});
  }
  /// Copies to the device in step with kernels: not before what had been launched at the last
  /// mark_computed() is done; kernels launched after await_fetched() see what was fetched before.
  void mark_computed() { computed_ = streams_.mark(computing); }
  void fetch(void* to, const void* from_pinned, std::size_t bytes) {
    streams_.follow(fetching, computed_);
    copy_on(fetching, to, from_pinned, bytes);
    fetched_ = streams_.mark(fetching);
  }
  void await_fetched() { streams_.follow(computing, fetched_); }
  /// Until fetched memory of the host may be written again.
  void wait_fetched() const {
    const Opened opened(*this);
    streams_.wait(fetched_);
  }
  /// Work that `later` gets from now on comes after the work that `earlier` got before.
  void follow(Lane later, Lane earlier) {
    streams_.follow(stream(later), streams_.mark(stream(earlier)));
  }
  /// Is all done that a lane was asked for?
  [[nodiscard]] bool idle(Lane lane) const { return streams_.idle(stream(lane)); }
  /// Until it is.
  void wait(Lane lane = Lane::computing) const {
    ++waits_;
    const Opened opened(*this);
    streams_.wait(stream(lane));
  }
  /// How often somebody did.
  [[nodiscard]] i64 waits() const { return waits_; }
  /// The report of a block that waited in vain goes there.
  [[nodiscard]] Alarm* alarm() const { return &alarm_; }
  /// This thread uses this device from now on.
  void use() const {}
  /// work() in order with kernels.
  template <class Work>
  void later(Work&& work, Lane lane = Lane::computing) {
    streams_.ask(stream(lane), std::forward<Work>(work));
  }

  /// Blocks of a launch, or clusters of them, that there is room for at the same time.
  template <class Kernel>
  [[nodiscard]] i64 at_a_time(std::size_t shared) const {
    const std::size_t blocks =
        std::min<std::size_t>(resident_of<Kernel>(), properties_.shared_limit / (shared + 1));
    return std::max<i64>(
        1, properties_.multiprocessors / cluster_of<Kernel>() * static_cast<i64>(blocks));
  }
  template <class Kernel>
  void launch(const Kernel& kernel, Grid grid, std::size_t shared = 0,
              Lane lane = Lane::computing) {
    if (shared > properties_.shared_limit)
      throw std::logic_error("a kernel asks for more shared memory than a block has");
    static_assert(Kernel::threads <= 1024);
    static_assert(sizeof(Kernel) <= 4096, "a kernel's arguments are limited");
    static_assert(std::is_trivially_copyable_v<Kernel>);
    if (cluster_of<Kernel>() > (properties_.clusters ? 8 : 1))
      throw std::logic_error("a kernel asks for more blocks in a cluster than there can be");
    if (grid.y > 65535 || grid.z > 65535)
      throw std::logic_error("a launch has at most 65535 blocks along y and z");
    later(
        [this, kernel, grid, shared] {
          const Touch touch(*this);
          Signals signals{properties_.lost_signal};
          for (i64 z = 0; z < grid.z; ++z)
            for (i64 y = 0; y < grid.y; ++y)
              for (i64 x = 0; x < grid.x; ++x) run(kernel, x, y, z, shared, signals);
        },
        lane);
  }

 private:
  /// All work that is waited for opens the memory once, where it would else be many times.
  class Opened {
   public:
    explicit Opened(const Gpu& gpu) {
      if (!gpu.streams_.idle()) touch_.emplace(gpu);
    }

   private:
    std::optional<Touch> touch_;
  };
  void wait_for_all() const {
    const Opened opened(*this);
    streams_.wait_for_all();
  }

  enum : std::size_t { computing, fetching, exchanging };  // streams
  static std::size_t stream(Lane lane) { return lane == Lane::computing ? computing : exchanging; }

  template <class Kernel>
  void run(const Kernel& kernel, i64 x, i64 y, i64 z, std::size_t shared, Signals& signals) const {
    constexpr int blocks = cluster_of<Kernel>();
    Cluster cluster(blocks);
    const auto block = [&](int rank) {
      Block of(x, y, z, Kernel::threads, shared, properties_.backwards, cluster, rank, signals);
      kernel(of);
    };
    if constexpr (blocks == 1) {
      block(0);
    } else {
      std::exception_ptr failed[blocks];
      {
        std::vector<std::jthread> threads;
        for (int rank = 0; rank < blocks; ++rank)
          threads.emplace_back([&, rank] {
            try {
              block(rank);
            } catch (...) {
              failed[rank] = std::current_exception();
              cluster.barrier.arrive_and_drop();
            }
          });
      }
      for (const auto& failure : failed)
        if (failure) std::rethrow_exception(failure);
    }
  }
  void* reserve(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes > properties_.memory - used_) throw UserError("the emulated GPU has no memory left");
    char* at = nullptr;
    if (guarded_) {
      at = guarded_->room_for(bytes + 1, held_);
    } else {  // as cudaMalloc aligns
      at = static_cast<char*>(::operator new[](bytes + 1, std::align_val_t{256}));
      std::memset(at, 0, bytes);
    }
    held_[at] = bytes;
    used_ += bytes;
    return at;
  }
  void copy_on(std::size_t stream, void* to, const void* from, std::size_t bytes) {
    if (bytes == 0) return;
    streams_.ask(stream, [this, to, from, bytes] {
      const Touch touch(*this);
      std::memcpy(to, from, bytes);
    });
  }
  void open(int change) const {
    if (!guarded_) return;
    const std::lock_guard lock(mutex_);
    const bool was = touching_ > 0;
    touching_ += change;
    if (was != (touching_ > 0)) guarded_->open(!was);
  }

  Properties properties_;
  mutable std::mutex mutex_;
  std::map<const char*, std::size_t> held_;
  std::size_t used_ = 0;
  mutable std::optional<GuardedPages> guarded_;
  mutable int touching_ = 0;
  mutable std::atomic<i64> waits_ = 0;
  mutable Streams streams_;
  mutable Alarm alarm_{};
  Streams::Mark computed_, fetched_;
};

/// 2-D FFTs of W·W values, of any number of them at a time; neither direction scaled.
template <class T>
class Fft {
 public:
  Fft(Gpu& gpu, i64 window)
      : gpu_(gpu), n_(window * window), fft_(window, window, FftRigor::estimate) {}
  Fft(const Fft&) = delete;
  ~Fft() { gpu_.wait(); }
  void forward(const Z<T>* from, Z<T>* to, i64 count) const { run<false>(from, to, count); }
  void inverse(const Z<T>* from, Z<T>* to, i64 count) const { run<true>(from, to, count); }

 private:
  template <bool inverse>
  void run(const Z<T>* from, Z<T>* to, i64 count) const {
    gpu_.later([this, from, to, count] {
      const Gpu::Touch touch(gpu_);
      // FFTW's plans are for aligned arrays, which W·W values one after the other need not be.
      Array<Complex<T>, 1> in({n_}), out({n_});
      for (i64 i = 0; i < count; ++i) {
        std::copy_n(from + i * n_, n_, as_z(in.data()));
        if constexpr (inverse)
          fft_.inverse(in.data(), out.data());
        else
          fft_.forward(in.data(), out.data());
        std::copy_n(as_z(out.data()), n_, to + i * n_);
      }
    });
  }
  Gpu& gpu_;
  i64 n_;
  Fft2<T> fft_;
};

}  // namespace ptyle::emulated
