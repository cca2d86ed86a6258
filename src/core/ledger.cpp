#include "core/ledger.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/error.hpp"

namespace ptyle {

Ledger::Booking Ledger::book(std::string_view name, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (most_ > 0 && (bytes > most_ || now_ > most_ - bytes)) {
    constexpr double gib = 1 << 30;
    throw UserError(
        fmt::format("the memory is not enough: {} would take {:.3g} GiB beside {:.3g} GiB of other "
                    "arrays, but there are {:.3g} GiB; fewer patterns, slices, modes or threads, "
                    "or a smaller window need less",
                    name, double(bytes) / gib, double(now_) / gib, double(most_) / gib));
  }
  auto it = entries_.find(name);
  if (it == entries_.end())
    it = entries_.emplace(std::string(name), Entry{std::string(name)}).first;
  it->second.now += bytes;
  now_ += bytes;
  if (now_ > peak_) {
    peak_ = now_;
    for (auto& [key, entry] : entries_) entry.at_peak = entry.now;
  }
  return {this, std::string(name), bytes};
}

void Ledger::remove(const std::string& name, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  entries_.find(name)->second.now -= bytes;
  now_ -= bytes;
}

std::size_t Ledger::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::size_t Ledger::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

std::vector<Ledger::Entry> Ledger::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> all;
  for (const auto& [key, entry] : entries_) all.push_back(entry);
  return all;
}

std::size_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

std::size_t machine_memory_bytes() {
  auto bytes = std::size_t(sysconf(_SC_PHYS_PAGES)) * std::size_t(sysconf(_SC_PAGESIZE));
  // Version 2 and 1 of control groups; "max", which is no number, where there is no limit.
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::size_t limit = 0;
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace ptyle
