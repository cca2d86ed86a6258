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

/// Pages that the system brings along with one that is looked at.
constexpr std::size_t brought_along = std::size_t{64} << 10;

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
  looks_at(bytes);
  std::memcpy(to, from, bytes);
}

void Scratch::looks_at(std::size_t bytes) noexcept {
  const std::size_t more = bytes + brought_along;
  if (looked_at_.fetch_add(more, std::memory_order_relaxed) + more < resident) return;
  looked_at_ = 0;
  give_pages_back();
}

/// Nothing is lost: the pages are the file's, and come again where they are looked at.
void Scratch::give_pages_back() noexcept {
  const std::lock_guard lock(mutex_);
  for (const Piece& piece : pieces_) ::madvise(piece.at, piece.bytes, MADV_DONTNEED);
}

void Scratch::will_look_at(std::span<const std::byte> bytes) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t from = at / page() * page();
  ::madvise(reinterpret_cast<void*>(from), at + bytes.size() - from, MADV_WILLNEED);
}

}  // namespace ptyle
