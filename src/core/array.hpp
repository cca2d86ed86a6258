#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <numeric>
#include <string_view>

#include "core/ledger.hpp"
#include "core/memory.hpp"

namespace ptyle {

using i64 = std::int64_t;
template <class T>
using Complex = std::complex<T>;

/// A non-owning view of a dense C-order array of N dimensions: v(z, y, x).
template <class T, int N>
struct View {
  T* data = nullptr;
  std::array<i64, N> shape{};

  [[nodiscard]] i64 size() const {
    return std::accumulate(shape.begin(), shape.end(), i64{1}, std::multiplies<>());
  }
  [[nodiscard]] bool empty() const { return data == nullptr || size() == 0; }
  template <class... I>
  T& operator()(I... index) const {
    static_assert(sizeof...(I) == N);
    const std::array<i64, N> at{static_cast<i64>(index)...};
    i64 offset = 0;
    for (int d = 0; d < N; ++d) offset = offset * shape[d] + at[d];
    return data[offset];
  }
  /// The i-th sub-array of the first dimension.
  [[nodiscard]] View<T, N - 1> operator[](i64 i) const requires(N > 1) {
    View<T, N - 1> sub;
    std::copy(shape.begin() + 1, shape.end(), sub.shape.begin());
    sub.data = data + i * sub.size();
    return sub;
  }
  T* begin() const { return data; }
  T* end() const { return data + size(); }
  operator View<const T, N>() const requires(!std::is_const_v<T>) { return {data, shape}; }
};

/// An owning dense array, 64-byte aligned, zero at first, optionally accounted in a ledger. It
/// lives in the host's memory, or in the one that is given, which must outlive it: of a GPU's,
/// nothing but views and copies may then be taken here.
template <class T, int N>
class Array {
 public:
  Array() = default;
  explicit Array(std::array<i64, N> shape, Ledger* ledger = nullptr, std::string_view name = {},
                 Memory* memory = nullptr)
      : shape_(shape), data_(nullptr, Free{memory}) {
    const auto bytes = static_cast<std::size_t>(view().size()) * sizeof(T);
    if (ledger) booking_ = ledger->book(name, bytes);
    if (memory) {
      data_.reset(static_cast<T*>(memory->allocate(bytes)));
      return;
    }
    data_.reset(static_cast<T*>(::operator new[](bytes + 1, std::align_val_t{64})));
    std::uninitialized_value_construct_n(data_.get(), view().size());
  }

  [[nodiscard]] View<T, N> view() { return {data_.get(), shape_}; }
  [[nodiscard]] View<const T, N> view() const { return {data_.get(), shape_}; }
  operator View<T, N>() { return view(); }
  operator View<const T, N>() const { return view(); }
  [[nodiscard]] const std::array<i64, N>& shape() const { return shape_; }
  [[nodiscard]] i64 size() const { return view().size(); }
  [[nodiscard]] bool empty() const { return view().empty(); }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }
  template <class... I>
  T& operator()(I... index) {
    return view()(index...);
  }
  template <class... I>
  const T& operator()(I... index) const {
    return view()(index...);
  }
  void fill(T value) { std::fill(begin(), end(), value); }

 private:
  struct Free {
    Memory* memory = nullptr;
    void operator()(T* p) const {
      if (memory)
        memory->release(p);
      else
        ::operator delete[](p, std::align_val_t{64});
    }
  };
  static_assert(std::is_trivially_destructible_v<T>);
  std::array<i64, N> shape_{};
  std::unique_ptr<T[], Free> data_;
  Ledger::Booking booking_;
};

/// A copy of the same shape, converted value by value (float ↔ double).
template <class To, class From, int N>
Array<To, N> converted(View<const From, N> from, Ledger* ledger = nullptr,
                       std::string_view name = {}) {
  Array<To, N> to(from.shape, ledger, name);
  std::transform(from.begin(), from.end(), to.begin(), [](const From& v) { return To(v); });
  return to;
}

}  // namespace ptyle
