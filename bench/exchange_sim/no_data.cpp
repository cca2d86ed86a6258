// A rank's side of an exchange without its values (in place of src/exchange/side.cpp): steps,
// chunks and sizes are the real ones; nothing is packed or added, and all buffers of all ranks are
// the same pages, which nobody writes.

#include <sys/mman.h>

#include <stdexcept>

#include "exchange/side.hpp"

namespace ptyle {

template <class T>
Side<T>::Side(const ExchangePlan& plan, int rank, Arithmetic<T>*)
    : arithmetic_(nullptr),
      rank_(rank),
      planes_(plan.planes),
      attached_(plan.planes),
      chunk_(plan.schedule.chunk > 0 ? std::min(plan.schedule.chunk, plan.planes) : plan.planes),
      steps_(steps_of(plan.schedule, rank)) {
  const LargestStep largest = largest_of(steps_);
  send_size_ = chunk_ * largest.sent;
  receive_size_ = chunk_ * largest.received;
}

template <class T>
void Side<T>::attach(const Stack<T>&) {}
template <class T>
void Side<T>::pack(std::size_t, Interval, T*) const {}
template <class T>
void Side<T>::unpack(std::size_t, Interval, const T*) {}
template <class T>
void Side<T>::detach() {}

namespace {

/// Address space for one slot; pages that nobody writes cost nothing.
void* common_pages() {
  constexpr std::size_t bytes = std::size_t{1} << 36;
  static void* const pages =
      mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw std::runtime_error("no address space for the ranks' buffers");
  return pages;
}

}  // namespace

template <class T>
Buffers<T>::Buffers(i64, const Side<T>&, bool, Ledger*) {}
template <class T>
T* Buffers<T>::packed(i64) {
  return static_cast<T*>(common_pages());
}
template <class T>
void Buffers<T>::send_later(i64, i64) {}
template <class T>
bool Buffers<T>::ready(bool) const {
  return true;
}
template <class T>
const T* Buffers<T>::sent(i64) {
  return static_cast<T*>(common_pages());
}
template <class T>
T* Buffers<T>::received(i64) {
  return static_cast<T*>(common_pages());
}
template <class T>
const T* Buffers<T>::arrived(i64, i64) {
  return static_cast<T*>(common_pages());
}

template class Side<float>;
template class Side<double>;
template class Buffers<float>;
template class Buffers<double>;

}  // namespace ptyle
