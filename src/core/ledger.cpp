#include "core/ledger.hpp"

#include <sys/resource.h>

namespace ptyle {

Ledger::Booking Ledger::book(std::string_view name, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
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

}  // namespace ptyle
