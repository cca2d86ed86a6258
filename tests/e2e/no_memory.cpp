// A library that is loaded before a program: as long as there is a file of the name
// $NO_MEMORY_WHILE in the current folder, `new` of $NO_MEMORY_FOR bytes and more fails.

#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

bool fails(std::size_t bytes) {
  const char* file = std::getenv("NO_MEMORY_WHILE");
  const char* least = std::getenv("NO_MEMORY_FOR");
  return file && least && bytes >= std::strtoul(least, nullptr, 10) && access(file, F_OK) == 0;
}

void* allocated(std::size_t bytes, std::size_t alignment) {
  if (fails(bytes)) throw std::bad_alloc();
  const std::size_t whole = (bytes + alignment) / alignment * alignment;  // above 0
  void* const place = std::aligned_alloc(alignment, whole);
  if (!place) throw std::bad_alloc();
  return place;
}

}  // namespace

void* operator new(std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete[](void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }
void operator delete[](void* place, std::size_t) noexcept { std::free(place); }
void operator delete(void* place, std::align_val_t) noexcept { std::free(place); }
void operator delete[](void* place, std::align_val_t) noexcept { std::free(place); }
void operator delete(void* place, std::size_t, std::align_val_t) noexcept { std::free(place); }
void operator delete[](void* place, std::size_t, std::align_val_t) noexcept { std::free(place); }
