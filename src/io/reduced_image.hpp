#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "core/array.hpp"

namespace ptyle {

/// Rows and columns that a picture gives an image of this shape, its longer side `px` at most: a
/// whole multiple of a small image, a reduction of a large one.
std::array<int, 2> shown_shape(const std::array<i64, 2>& shape, int px);

/// The sum of images that come some rows at a time, reduced by area means: as large as a picture
/// shows it, however large they are. T: double or Complex<double>.
template <class T>
class ReducedImage {
 public:
  /// `shape`: of the images; `reduced`: at most as many rows and columns.
  ReducedImage(const std::array<i64, 2>& shape, const std::array<i64, 2>& reduced,
               Ledger* ledger = nullptr, std::string_view name = {});
  /// Adds rows `first`, `first` + 1, … of an image.
  template <class From>
  void add(i64 first, View<const From, 2> rows);
  [[nodiscard]] View<const T, 2> values() const { return values_.view(); }
  /// The same, for parts that are summed elsewhere.
  [[nodiscard]] View<T, 2> values() { return values_.view(); }
  /// The images' own.
  [[nodiscard]] const std::array<i64, 2>& shape() const { return shape_; }
  /// The images' pixels to one of these, along rows' and columns' numbers.
  [[nodiscard]] std::array<double, 2> scale() const;

 private:
  std::array<i64, 2> shape_;
  Array<T, 2> values_;
  std::vector<T> line_;  // a row, reduced along itself
};

/// The shape that is enough for a picture of `px`: the image's own, where that is smaller.
std::array<i64, 2> reduced_shape(const std::array<i64, 2>& shape, int px);

}  // namespace ptyle
