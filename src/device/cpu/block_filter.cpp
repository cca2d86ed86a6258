#include "device/cpu/block_filter.hpp"

#include <algorithm>
#include <utility>

#include "core/parallel.hpp"
#include "core/pulse.hpp"
#include "device/cpu/columns.hpp"

namespace ptyle {
namespace {

/// Pixels a side of a block that get a result, at least: of a filter, which is applied in every
/// iteration, most; of a correlation, which is made once, as few as memory asks for.
constexpr i64 inner_of_filter = 96, inner_of_correlation = 32;

/// The smallest size ≥ n whose prime factors are 2 and 3, a multiple of 16: FFTW is about twice as
/// fast a pixel there as at other quick sizes.
i64 side_for(i64 n) {
  i64 size = (n + 15) / 16 * 16;
  while (!factors_into(size, {2, 3})) size += 16;
  return size;
}

}  // namespace

template <class T>
BlockFft<T>::BlockFft(i64 planes, i64 reach, i64 inner)
    : planes_(planes),
      reach_(reach),
      side_(side_for(2 * reach + inner)),
      length_(quick_fft_size(2 * planes - 1)),
      lateral_(side_, side_, FftRigor::estimate),
      along_(length_, together, FftRigor::estimate) {}

template <class T>
void BlockFft<T>::forward_planes(Complex<T>* block) const {
  for (i64 z = 0; z < planes_; ++z) {
    lateral_.forward(block + z * side_ * side_);
    beat();
  }
}

template <class T>
void BlockFft<T>::inverse_planes(Complex<T>* block) const {
  for (i64 z = 0; z < planes_; ++z) {
    lateral_.inverse(block + z * side_ * side_);
    beat();
  }
}

template <class T>
void BlockFft<T>::forward_columns(const Complex<T>* block, i64 first, Columns& columns) const {
  auto& values = columns.values;
  gather_columns(block, side_ * side_, planes_, first, together, values.view());
  std::fill(values.data() + planes_ * together, values.data() + values.size(), Complex<T>{});
  along_.forward(values.data(), columns.spectra.data());
  beat();
}

template <class T>
void BlockFft<T>::inverse_columns(Columns& columns, i64 first, Complex<T>* block) const {
  along_.inverse(columns.spectra.data(), columns.values.data());
  scatter_columns(std::as_const(columns.values).view(), side_ * side_, planes_, first, together,
                  block);
}

template <class T>
BlockFilter<T>::BlockFilter(View<const double, 3> kernel, i64 inner, int threads, Ledger* ledger)
    : fft_((kernel.shape[0] + 1) / 2, kernel.shape[1] / 2, std::min(inner, inner_of_filter)),
      threads_(threads),
      spectrum_(
          {fft_.side() * fft_.side() / BlockFft<T>::together, fft_.length(), BlockFft<T>::together},
          ledger, "transfer") {
  const i64 side = fft_.side(), length = fft_.length(), plane = side * side;
  {
    auto whole = wrapped_kernel<T>(kernel, length, side, ledger);
    transform(whole, false);
    const T scale = T(1) / static_cast<T>(plane * length);
    for (i64 p = 0; p < plane; ++p)
      for (i64 z = 0; z < length; ++z)
        spectrum_(p / BlockFft<T>::together, z, p % BlockFft<T>::together) =
            scale * whole.data()[z * plane + p].real();
  }
  for (int t = 0; t < threads; ++t) blocks_.emplace_back(fft_.shape(), ledger, "transfer");
}

template <class T>
double BlockFilter<T>::bytes(i64 planes, i64 reach, i64 inner, int threads) {
  const BlockFft<T> fft(planes, reach, std::min(inner, inner_of_filter));
  const auto spectrum = static_cast<double>(fft.spectrum_size()) * sizeof(T);
  const double blocks = static_cast<double>(threads) *
                        static_cast<double>(planes * fft.side() * fft.side()) * sizeof(Complex<T>);
  return spectrum + std::max(2 * spectrum, blocks);  // the kernel's spectrum is complex at first
}

/// Pixels beyond what results look at stay zero, lest rounding carry them into a result.
template <class T>
void BlockFilter<T>::load(View<const T, 3> from, View<const T, 2> weight, const Box& looked_at,
                          const Corner& at, int part, View<Complex<T>, 3> block) const {
  const i64 side = fft_.side(), top = at.row - fft_.reach(), left = at.col - fft_.reach();
  for (i64 z = 0; z < from.shape[0]; ++z)
    for (i64 y = 0; y < side; ++y) {
      if (!looked_at.rows.contains(top + y)) continue;
      T* const to = reinterpret_cast<T*>(&block(z, y, 0)) + part;
      for (i64 x = 0; x < side; ++x)
        if (looked_at.cols.contains(left + x))
          to[2 * x] = weight(top + y, left + x) * from(z, top + y, left + x);
    }
}

template <class T>
void BlockFilter<T>::store(View<const Complex<T>, 3> block, View<const T, 2> weight,
                           const Corner& at, int part, const Box& where, View<T, 3> to) const {
  const i64 reach = fft_.reach();
  const i64 rows = std::min(fft_.inner(), where.rows.end - at.row),
            cols = std::min(fft_.inner(), where.cols.end - at.col);
  for (i64 z = 0; z < to.shape[0]; ++z)
    for (i64 y = 0; y < rows; ++y) {
      const T* const from = reinterpret_cast<const T*>(&block(z, y + reach, reach)) + part;
      T* const row = &to(z, at.row - where.rows.begin + y, at.col - where.cols.begin);
      for (i64 x = 0; x < cols; ++x) row[x] = weight(at.row + y, at.col + x) * from[2 * x];
    }
}

template <class T>
void BlockFilter<T>::multiply(Complex<T>* block, typename BlockFft<T>::Columns& columns) const {
  fft_.forward_planes(block);
  for (i64 group = 0; group < spectrum_.shape()[0]; ++group) {
    const i64 first = group * BlockFft<T>::together;
    fft_.forward_columns(block, first, columns);
    const T* const by = &spectrum_(group, 0, 0);
    Complex<T>* const at = columns.spectra.data();
    for (i64 k = 0; k < columns.spectra.size(); ++k) at[k] *= by[k];
    fft_.inverse_columns(columns, first, block);
  }
  fft_.inverse_planes(block);
}

/// Rows of blocks begin where w does, and in each the blocks, so that few blocks hold all of it.
template <class T>
auto BlockFilter<T>::corners_of(View<const T, 2> weight, const Box& where) const
    -> std::vector<Corner> {
  const i64 inner = fft_.inner();
  const auto some = [&](i64 row, i64 row_end, i64 col) {
    for (i64 y = row; y < row_end; ++y)
      if (weight(y, col) != 0) return true;
    return false;
  };
  const auto some_in_row = [&](i64 row) {
    const T* const from = &weight(row, where.cols.begin);
    return std::any_of(from, from + where.cols.size(), [](T w) { return w != 0; });
  };
  std::vector<Corner> corners;
  for (i64 row = where.rows.begin; row < where.rows.end; ++row) {
    if (!some_in_row(row)) continue;
    const i64 end = std::min(row + inner, where.rows.end);
    for (i64 col = where.cols.begin; col < where.cols.end; ++col) {
      if (!some(row, end, col)) continue;
      corners.push_back({row, col});
      col += inner - 1;
    }
    row += inner - 1;
  }
  return corners;
}

template <class T>
void BlockFilter<T>::apply(View<const T, 3> from, View<const T, 2> weight, const Box& where,
                           View<T, 3> to) const {
  const auto corners = corners_of(weight, where);
  std::fill_n(to.data, to.size(), T(0));
  std::vector<typename BlockFft<T>::Columns> columns;
  for (int t = 0; t < threads_; ++t) columns.push_back(fft_.columns());
  const auto count = static_cast<i64>(corners.size());
  const Box looked_at =
      intersection(grown(where, fft_.reach()), {{0, from.shape[1]}, {0, from.shape[2]}});
  parallel_for((count + 1) / 2, threads_, [&](i64 pair, int thread) {
    auto& block = blocks_[static_cast<std::size_t>(thread)];
    block.fill({});
    for (int part = 0; part < 2 && 2 * pair + part < count; ++part)
      load(from, weight, looked_at, corners[static_cast<std::size_t>(2 * pair + part)], part,
           block.view());
    multiply(block.data(), columns[static_cast<std::size_t>(thread)]);
    for (int part = 0; part < 2 && 2 * pair + part < count; ++part)
      store(std::as_const(block).view(), weight, corners[static_cast<std::size_t>(2 * pair + part)],
            part, where, to);
  });
}

template class BlockFft<float>;
template class BlockFft<double>;
template class BlockFilter<float>;
template class BlockFilter<double>;

namespace {

/// a in the inner part of a block, from `at` on; false where there is nothing but zeros.
template <class T>
bool take(View<const T, 3> a, const Pixel& at, const BlockFft<T>& fft,
          Array<Complex<T>, 3>& block) {
  const auto& [planes, rows, cols] = a.shape;
  const i64 reach = fft.reach();
  bool some = false;
  block.fill({});
  for (i64 z = 0; z < planes; ++z)
    for (i64 y = 0; y < std::min(fft.inner(), rows - at.row); ++y)
      for (i64 x = 0; x < std::min(fft.inner(), cols - at.col); ++x) {
        const T value = a(z, at.row + y, at.col + x);
        block(z, y + reach, x + reach) = value;
        some = some || value != 0;
      }
  return some;
}

/// b in all of a block, whose inner part begins at `at`.
template <class T>
void take(const Probing& b, const Pixel& at, const BlockFft<T>& fft, int threads,
          Array<Complex<T>, 3>& block) {
  const i64 reach = fft.reach(), side = fft.side();
  parallel_for(fft.planes(), threads, [&](i64 z, int) {
    for (i64 y = 0; y < side; ++y)
      for (i64 x = 0; x < side; ++x)
        block(z, y, x) = static_cast<T>(b(z, at.row + y - reach, at.col + x - reach));
  });
}

/// Lags out of a spectrum, which is used up.
template <class T>
Kernel3 lags_of(const BlockFft<T>& fft, Array<Complex<T>, 3>& spectrum) {
  constexpr i64 together = BlockFft<T>::together;
  const i64 side = fft.side(), plane = side * side, length = fft.length(), s = fft.planes(),
            reach = fft.reach();
  const Fft2<T> lateral(side, side, FftRigor::estimate);
  const FftColumns<T> along(length, together, FftRigor::estimate);
  Array<Complex<T>, 2> columns({length, together});
  for (i64 group = 0; group < spectrum.shape()[0]; ++group) {
    along.inverse(&spectrum(group, 0, 0), columns.data());
    std::copy_n(columns.data(), columns.size(), &spectrum(group, 0, 0));
    beat();
  }
  Kernel3 lags({2 * s - 1, 2 * reach + 1, 2 * reach + 1});
  Array<Complex<T>, 2> of_plane({side, side});
  const double scale = 1 / static_cast<double>(plane * length);
  for (i64 z = -(s - 1); z < s; ++z) {
    for (i64 p = 0; p < plane; ++p)
      of_plane.data()[p] = spectrum(p / together, wrapped(z, length), p % together);
    lateral.inverse(of_plane.data());
    beat();
    for (i64 y = -reach; y <= reach; ++y)
      for (i64 x = -reach; x <= reach; ++x)
        lags(z + s - 1, y + reach, x + reach) =
            scale * static_cast<double>(of_plane(wrapped(y, side), wrapped(x, side)).real());
  }
  return lags;
}

}  // namespace

template <class T>
Kernel3 correlation(View<const T, 3> a, const Pixel& origin, const Probing& b, i64 reach,
                    int threads, Ledger* ledger) {
  constexpr i64 together = BlockFft<T>::together;
  const BlockFft<T> fft(a.shape[0], reach, inner_of_correlation);
  const i64 plane = fft.side() * fft.side(), length = fft.length();
  Array<Complex<T>, 3> spectrum({plane / together, length, together}, ledger, "transfer");
  Array<Complex<T>, 3> of_a(fft.shape(), ledger, "transfer"), of_b(fft.shape(), ledger, "transfer");
  for (i64 row = 0; row < a.shape[1]; row += fft.inner())
    for (i64 col = 0; col < a.shape[2]; col += fft.inner()) {
      if (!take(a, {row, col}, fft, of_a)) continue;
      take(b, {origin.row + row, origin.col + col}, fft, threads, of_b);
      parallel_for(2, threads,
                   [&](i64 i, int) { fft.forward_planes((i == 0 ? of_a : of_b).data()); });
      parallel_for(plane / together, threads, [&](i64 group, int) {
        auto columns_a = fft.columns(), columns_b = fft.columns();
        fft.forward_columns(of_a.data(), group * together, columns_a);
        fft.forward_columns(of_b.data(), group * together, columns_b);
        const i64 size = columns_a.spectra.size();
        for (i64 k = 0; k < size; ++k)
          spectrum.data()[group * size + k] +=
              columns_a.spectra.data()[k] * std::conj(columns_b.spectra.data()[k]);
      });
    }
  return lags_of(fft, spectrum);
}

template <class T>
double correlation_bytes(i64 planes, i64 reach) {
  const BlockFft<T> fft(planes, reach, inner_of_correlation);
  return static_cast<double>(sizeof(Complex<T>)) *
         static_cast<double>(fft.spectrum_size() + 2 * planes * fft.side() * fft.side());
}

template Kernel3 correlation(View<const float, 3>, const Pixel&, const Probing&, i64, int, Ledger*);
template Kernel3 correlation(View<const double, 3>, const Pixel&, const Probing&, i64, int,
                             Ledger*);
template double correlation_bytes<float>(i64, i64);
template double correlation_bytes<double>(i64, i64);

}  // namespace ptyle
