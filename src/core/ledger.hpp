#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ptyle {

/// The memory ledger: every large buffer is booked under a name ("object", "patterns", "waves").
/// Thread-safe. It must outlive its bookings.
class Ledger {
 public:
  /// `most`: bytes that may be booked at a time; 0: any number. `program`: of them, those that are
  /// booked for good, as "program".
  explicit Ledger(std::size_t most = 0, std::size_t program = 0);
  [[nodiscard]] std::size_t most() const { return most_; }  ///< that may be booked; 0: no limit
  [[nodiscard]] std::size_t program() const { return program_; }

  struct Entry {
    std::string name;
    std::size_t now = 0;      ///< bytes booked now
    std::size_t at_peak = 0;  ///< bytes booked when the total was largest
  };

  /// A buffer's place in the ledger; leaving scope takes it out again.
  class Booking {
   public:
    Booking() = default;
    Booking(Booking&& o) noexcept
        : ledger_(std::exchange(o.ledger_, nullptr)), name_(std::move(o.name_)), bytes_(o.bytes_) {}
    Booking& operator=(Booking&& o) noexcept {
      if (this != &o) {
        release();
        ledger_ = std::exchange(o.ledger_, nullptr);
        name_ = std::move(o.name_);
        bytes_ = o.bytes_;
      }
      return *this;
    }
    ~Booking() { release(); }

   private:
    friend class Ledger;
    Booking(Ledger* ledger, std::string name, std::size_t bytes)
        : ledger_(ledger), name_(std::move(name)), bytes_(bytes) {}
    void release() {
      if (ledger_) ledger_->remove(name_, bytes_);
      ledger_ = nullptr;
    }
    Ledger* ledger_ = nullptr;
    std::string name_;
    std::size_t bytes_ = 0;
  };

  /// Throws UserError where more would be booked than is allowed: a sentence in place of the
  /// system's way of ending a process that outgrows the memory.
  [[nodiscard]] Booking book(std::string_view name, std::size_t bytes);
  [[nodiscard]] std::size_t now() const;
  [[nodiscard]] std::size_t peak() const;
  /// All names ever booked, in alphabetical order.
  [[nodiscard]] std::vector<Entry> entries() const;

 private:
  void remove(const std::string& name, std::size_t bytes);
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t now_ = 0, peak_ = 0, most_ = 0, program_ = 0;
};

/// Bytes of a process that no ledger books otherwise: what it has now, libraries and all, and what
/// reading, FFT plans and further libraries will take.
std::size_t program_bytes();

/// The ledger of one of so many processes that share this machine: it may book what is available to
/// it, and has booked its program.
Ledger ledger_of_process(int processes = 1);

/// The process's own resident memory in bytes, as the operating system counts it: now, and at its
/// peak.
std::size_t resident_bytes();
std::size_t peak_resident_bytes();

/// The memory of this machine in bytes, or less where the process's control group allows less.
std::size_t machine_memory_bytes();

/// The part of it that one of so many processes may have: its part of what is free now, or can be
/// made so, and what it has already; less 1/24, for what no ledger books.
std::size_t available_memory_bytes(int processes = 1);

/// Free memory of a machine that is enough for so many bytes of each process, all told.
double free_memory_for(double bytes, int processes);

}  // namespace ptyle
