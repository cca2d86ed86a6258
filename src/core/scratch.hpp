#pragma once

// Memory that lies in a file: for arrays that are larger than the machine's memory and looked at a
// piece at a time. Pages of it are in the process only while they are looked at; what the system
// keeps of the file besides is its own, and given up where others need it.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/memory.hpp"

namespace ptyle {

/// The host's code may read and write it as any memory. The file has no name and is gone with the
/// process, however that ends.
class Scratch final : public Memory {
 public:
  /// Bytes that the process has of it at a time.
  static constexpr std::size_t resident = std::size_t{16} << 20;

  /// A file in this folder, which exists. Throws UserError where none can be made there.
  explicit Scratch(std::string folder);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() override;
  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// Room on the disk that is the caller's from now on, zeroed. Throws UserError where there is not
  /// as much.
  void* allocate(std::size_t bytes) override;
  void release(void* at) noexcept override;
  void copy(void* to, const void* from, std::size_t bytes) override;

  /// These bytes of it, up to `resident`, have been looked at, or will be at once. On any thread.
  void looks_at(std::span<const std::byte> bytes) noexcept;
  /// These are looked at next: the system reads them from the disk meanwhile. On any thread.
  static void will_look_at(std::span<const std::byte> bytes) noexcept;

 private:
  struct Piece {
    void* at;
    std::size_t bytes;
  };
  void give_back(std::uintptr_t section) noexcept;
  std::string folder_;
  int file_ = -1;
  std::size_t end_ = 0;  // of the file
  std::mutex mutex_;     // of what follows
  std::vector<Piece> pieces_;
  std::vector<std::uintptr_t> looked_at_;  // sections of addresses, the one that came first ahead
};

}  // namespace ptyle
