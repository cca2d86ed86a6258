#include "core/scratch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace ptyle {
namespace {

std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// Pages are given back by sections of addresses. With one that is looked at, the system may bring
/// along all pages that share its table of pages (Linux 6.18 does), which are those of a section.
constexpr std::size_t section_bytes = std::size_t{2} << 20;
constexpr std::size_t most_sections = Scratch::resident / section_bytes;

std::uintptr_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

/// A file without a name, where the file system knows such; else one whose name is taken away.
int open_nameless(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return file;
  std::string name = folder + "/.ptyle-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

Scratch::Scratch(std::string folder) : folder_(std::move(folder)), file_(open_nameless(folder_)) {
  looked_at_.reserve(most_sections);
  if (file_ < 0)
    throw UserError(fmt::format("no file can be made in '{}' for what memory does not hold: {}",
                                folder_, std::strerror(errno)));
}

Scratch::~Scratch() {
  for (const Piece& piece : pieces_) ::munmap(piece.at, piece.bytes);
  ::close(file_);
}

/// Disk is taken at once: where a page had none later, the system would end the process.
void* Scratch::allocate(std::size_t bytes) {
  const std::size_t whole = std::max<std::size_t>(1, (bytes + page() - 1) / page()) * page();
  const int error = ::posix_fallocate(file_, static_cast<off_t>(end_), static_cast<off_t>(whole));
  if (error != 0)
    throw UserError(fmt::format(
        "{:.4g} GB that memory does not hold find no room in '{}': {}; make space there, or name a "
        "folder on another disk",
        1e-9 * static_cast<double>(whole), folder_, std::strerror(error)));
  void* const at =
      ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, file_, static_cast<off_t>(end_));
  if (at == MAP_FAILED)
    throw UserError(fmt::format("a file in '{}' cannot be looked at as memory: {}", folder_,
                                std::strerror(errno)));
  end_ += whole;
  const std::lock_guard lock(mutex_);
  pieces_.push_back({at, whole});
  return at;
}

void Scratch::release(void* at) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(pieces_.begin(), pieces_.end(),
                                  [at](const Piece& piece) { return piece.at == at; });
  if (found == pieces_.end()) return;
  ::munmap(found->at, found->bytes);
  pieces_.erase(found);
}

void Scratch::copy(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
  looks_at({static_cast<const std::byte*>(to), bytes});
  looks_at({static_cast<const std::byte*>(from), bytes});
}

/// Best called afterwards: a thread that has to wait while others look at much else brings pages
/// back that were given back meanwhile, and nobody else knows of them.
void Scratch::looks_at(std::span<const std::byte> bytes) noexcept {
  const std::uintptr_t at = address(bytes.data());
  const std::lock_guard lock(mutex_);
  if (std::none_of(pieces_.begin(), pieces_.end(), [at](const Piece& piece) {
        return at >= address(piece.at) && at < address(piece.at) + piece.bytes;
      }))
    return;
  for (std::uintptr_t section = at / section_bytes; section * section_bytes < at + bytes.size();
       ++section) {
    if (std::find(looked_at_.begin(), looked_at_.end(), section) != looked_at_.end()) continue;
    if (looked_at_.size() == most_sections) {
      give_back(looked_at_.front());
      looked_at_.erase(looked_at_.begin());
    }
    looked_at_.push_back(section);
  }
}

/// Nothing is lost: the pages are the file's, and come again where they are looked at.
void Scratch::give_back(std::uintptr_t section) noexcept {
  const std::uintptr_t first = section * section_bytes;
  for (const Piece& piece : pieces_) {
    const std::uintptr_t from = std::max(first, address(piece.at)),
                         to = std::min(first + section_bytes, address(piece.at) + piece.bytes);
    if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
  }
}

void Scratch::will_look_at(std::span<const std::byte> bytes) noexcept {
  const std::uintptr_t at = address(bytes.data()), from = at / page() * page();
  ::madvise(reinterpret_cast<void*>(from), at + bytes.size() - from, MADV_WILLNEED);
}

}  // namespace ptyle
