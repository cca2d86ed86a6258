#include "io/reduced_image.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

namespace ptyle {
namespace {

/// The part [low, high) of the input that output pixel o covers, in input pixels.
std::array<double, 2> covered(i64 o, i64 out, i64 in) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  return {static_cast<double>(o) * step,
          std::min(static_cast<double>(o + 1) * step, static_cast<double>(in))};
}

/// The part of it that lies in input pixel i.
double overlap(const std::array<double, 2>& part, i64 i) {
  return std::min(part[1], static_cast<double>(i + 1)) - std::max(part[0], static_cast<double>(i));
}

constexpr double nothing = 1e-9;  // px, by rounding

}  // namespace

std::array<int, 2> shown_shape(const std::array<i64, 2>& shape, int px) {
  const auto longer = static_cast<double>(std::max<i64>(1, std::max(shape[0], shape[1])));
  const double factor = px >= longer ? std::floor(px / longer) : px / longer;
  const auto shown = [&](i64 n) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(n) * factor)));
  };
  return {shown(shape[0]), shown(shape[1])};
}

std::array<i64, 2> reduced_shape(const std::array<i64, 2>& shape, int px) {
  const auto shown = shown_shape(shape, px);
  return {std::min<i64>(shape[0], shown[0]), std::min<i64>(shape[1], shown[1])};
}

template <class T>
ReducedImage<T>::ReducedImage(const std::array<i64, 2>& shape, const std::array<i64, 2>& reduced,
                              Ledger* ledger, std::string_view name)
    : shape_(shape), values_(reduced, ledger, name), line_(static_cast<std::size_t>(reduced[1])) {}

template <class T>
std::array<double, 2> ReducedImage<T>::scale() const {
  const auto& reduced = values_.shape();
  return {static_cast<double>(shape_[0]) / static_cast<double>(reduced[0]),
          static_cast<double>(shape_[1]) / static_cast<double>(reduced[1])};
}

template <class T>
template <class From>
void ReducedImage<T>::add(i64 first, View<const From, 2> rows) {
  const auto [out_rows, out_cols] = values_.shape();
  for (i64 y = 0; y < rows.shape[0]; ++y) {
    for (i64 o = 0; o < out_cols; ++o) {
      const auto part = covered(o, out_cols, shape_[1]);
      T sum{};
      const auto end = static_cast<i64>(std::ceil(part[1] - nothing));
      for (auto i = static_cast<i64>(part[0] + nothing); i < end; ++i)
        sum += overlap(part, i) * static_cast<T>(rows(y, i));
      line_[static_cast<std::size_t>(o)] = sum / (part[1] - part[0]);
    }
    const i64 row = first + y;
    const auto near = static_cast<i64>(static_cast<double>(row) / scale()[0]);
    for (i64 o = std::max<i64>(0, near - 1); o < std::min(out_rows, near + 2); ++o) {
      const auto part = covered(o, out_rows, shape_[0]);
      const double share = overlap(part, row);
      if (share <= nothing) continue;
      for (i64 x = 0; x < out_cols; ++x)
        values_(o, x) += share / (part[1] - part[0]) * line_[static_cast<std::size_t>(x)];
    }
  }
}

template class ReducedImage<double>;
template class ReducedImage<Complex<double>>;
template void ReducedImage<double>::add(i64, View<const double, 2>);
template void ReducedImage<double>::add(i64, View<const float, 2>);
template void ReducedImage<Complex<double>>::add(i64, View<const Complex<double>, 2>);
template void ReducedImage<Complex<double>>::add(i64, View<const Complex<float>, 2>);

}  // namespace ptyle
