#include "prepare/pixel_figures.hpp"

#include <algorithm>
#include <limits>

#include "core/quantile.hpp"
#include "core/units.hpp"

namespace ptyle {

PixelSums::PixelSums(i64 pixels) : peak(static_cast<std::size_t>(pixels)) {
  for (auto* figures : summed()) figures->assign(static_cast<std::size_t>(pixels), 0);
}

std::vector<std::vector<double>*> PixelSums::summed() {
  return {&sum, &squares, &full, &missing, &negative, &noise, &at_saturation};
}

double DetectorPixels::fano(i64 y, i64 x) const {
  const double mean = total(y, x) / s_.sampled;
  return mean > 0 ? (s_.squares[at(y, x)] / s_.sampled - mean * mean) / mean : 0;
}

bool DetectorPixels::constant(i64 y, i64 x) const {
  const double squares = s_.squares[at(y, x)] * s_.sampled, square = std::pow(total(y, x), 2);
  return std::abs(squares - square) <= 1e-12 * squares;
}

bool DetectorPixels::empty(i64 y, i64 x) const {
  const double mean = total(y, x) / s_.sampled;
  return s_.full[at(y, x)] == 0 && constant(y, x) && (mean <= 0 || mean <= least_);
}

std::vector<std::array<i64, 2>> DetectorPixels::near(i64 y, i64 x, i64 reach) const {
  std::vector<std::array<i64, 2>> found;
  for (i64 v = y - reach; v <= y + reach; ++v)
    for (i64 u = x - reach; u <= x + reach; ++u)
      if ((v != y || u != x) && looked_at(v, u)) found.push_back({v, u});
  return found;
}

std::vector<double> DetectorPixels::around(i64 y, i64 x, i64 reach) const {
  std::vector<double> found;
  for (const auto& [v, u] : near(y, x, reach)) found.push_back(total(v, u));
  return found;
}

bool DetectorPixels::small_spots() const {
  const auto [y, x] = f_.centre;
  std::vector<double> beam = around(y, x, 3);
  if (looked_at(y, x)) beam.push_back(total(y, x));
  if (beam.empty()) return false;
  const double most = *std::max_element(beam.begin(), beam.end());
  return std::count_if(beam.begin(), beam.end(), [&](double v) { return v > most / 4; }) < 9;
}

void DetectorPixels::find_scale() {
  std::vector<double> fanos;
  double least = std::numeric_limits<double>::infinity();
  for (i64 y = 0; y < f_.rows; ++y)
    for (i64 x = 0; x < f_.cols; ++x) {
      if (!looked_at(y, x)) continue;
      if (constant(y, x))
        least = std::min(least, total(y, x) / s_.sampled);
      else if (total(y, x) > 0)
        fanos.push_back(fano(y, x));
    }
  if (std::isfinite(least)) least_ = std::max(0.0, least);
  if (!fanos.empty() && s_.sampled >= least_frames) gain_ = std::max(1.0, quantile(fanos, 0.1));
}

std::vector<PixelGroup> groups_of(const DetectorPixels& p, std::vector<bool> flagged, i64 most) {
  std::vector<PixelGroup> groups;
  for (i64 y = 0; y < p.rows(); ++y)
    for (i64 x = 0; x < p.cols(); ++x) {
      if (!flagged[p.at(y, x)]) continue;
      PixelGroup ahead{{y, x}}, group;
      i64 size = 0;
      flagged[p.at(y, x)] = false;
      while (!ahead.empty()) {
        const auto here = ahead.back();
        ahead.pop_back();
        ++size;
        if (size <= most) group.push_back(here);
        for (i64 v = here[0] - 1; v <= here[0] + 1; ++v)
          for (i64 u = here[1] - 1; u <= here[1] + 1; ++u)
            if (p.inside(v, u) && flagged[p.at(v, u)]) {
              flagged[p.at(v, u)] = false;
              ahead.push_back({v, u});
            }
      }
      if (size <= most) groups.push_back(std::move(group));
    }
  return groups;
}

PixelBox::PixelBox(const PixelGroup& group)
    : top(group.front()[0]), bottom(top), left(group.front()[1]), right(left) {
  for (const auto& [y, x] : group) {
    top = std::min(top, y), bottom = std::max(bottom, y);
    left = std::min(left, x), right = std::max(right, x);
  }
}

PixelGroup rim_of(const DetectorPixels& p, PixelGroup group, bool good) {
  const PixelBox box(group);
  std::sort(group.begin(), group.end());
  PixelGroup rim;
  for (i64 y = box.top - 1; y <= box.bottom + 1; ++y)
    for (i64 x = box.left - 1; x <= box.right + 1; ++x)
      if (p.inside(y, x) && (!good || p.looked_at(y, x)) &&
          !std::binary_search(group.begin(), group.end(), std::array{y, x}))
        rim.push_back({y, x});
  return rim;
}

bool is_disc(const PixelGroup& group, const std::array<i64, 2>& centre) {
  const auto n = static_cast<double>(group.size());
  if (n < 20) return false;
  double row = 0, col = 0;
  for (const auto& [y, x] : group)
    row += static_cast<double>(y) / n, col += static_cast<double>(x) / n;
  const double radius = std::sqrt(n / pi);
  const auto inside = std::count_if(group.begin(), group.end(), [&](const auto& at) {
    return std::hypot(static_cast<double>(at[0]) - row, static_cast<double>(at[1]) - col) <= radius;
  });
  const double off =
      std::hypot(row - static_cast<double>(centre[0]), col - static_cast<double>(centre[1]));
  return static_cast<double>(inside) > 0.75 * n && off < radius;
}

}  // namespace ptyle
