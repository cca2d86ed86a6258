#include "core/ledger.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"

namespace ptyle {

namespace {

constexpr std::size_t parts = 24;  // of the memory, one of which is for what no ledger books

}  // namespace

Ledger::Ledger(std::size_t most, std::size_t program)
    : now_(program), peak_(program), most_(most), program_(program) {
  if (program > 0) entries_.emplace("program", Entry{"program", program, program});
}

std::size_t program_bytes() { return resident_bytes() + (std::size_t{16} << 20); }

Ledger ledger_of_process(int processes) {
  return Ledger(available_memory_bytes(processes), program_bytes());
}

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

std::size_t resident_bytes() {
  std::size_t all = 0, resident = 0;  // pages
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * std::size_t(sysconf(_SC_PAGESIZE));
}

std::size_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

std::size_t machine_memory_bytes() {
  auto bytes = std::size_t(sysconf(_SC_PHYS_PAGES)) * std::size_t(sysconf(_SC_PAGESIZE));
  const auto limit_by = [&](const std::filesystem::path& file) {
    std::size_t limit = 0;  // "max", which is no number, where there is no limit
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  };
  // Control groups, version 2 ("0::/path") and 1 ("4:memory:/path"): this process's and all above.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool newer = controllers.empty();
    if (!newer && controllers.find("memory") == std::string::npos) continue;
    const std::filesystem::path root = newer ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* const file = newer ? "memory.max" : "memory.limit_in_bytes";
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (limit_by(root / file); !group.empty(); group = group.parent_path())
      limit_by(root / group / file);
  }
  return bytes;
}

std::size_t available_memory_bytes(int processes) {
  const auto n = static_cast<std::size_t>(processes);
  std::size_t mine = machine_memory_bytes() / n;
  std::ifstream said("/proc/meminfo");  // lines as "MemAvailable:   22404268 kB"
  std::string name, unit;
  for (std::size_t free = 0; said >> name >> free; std::getline(said, unit))
    if (name == "MemAvailable:") mine = std::min(mine, 1024 * free / n + resident_bytes());
  return mine / parts * (parts - 1);
}

double free_memory_for(double bytes, int processes) {
  return bytes * processes * double(parts) / double(parts - 1);
}

}  // namespace ptyle
