#include "analysis/bright_field.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ptyle {
namespace {

constexpr double usual_across = 26, least_across = 6;  // blocks

/// Blocks beside the one in the middle.
i64 reach(const BrightFieldDisc& disc, i64 block) {
  return static_cast<i64>(std::floor(disc.radius / static_cast<double>(block) + 0.5));
}

}  // namespace

BrightFieldBlocks::BrightFieldBlocks(const BrightFieldDisc& disc, View<const float, 2> valid,
                                     i64 block)
    : block_(block), side_(2 * reach(disc, block) + 1) {
  const i64 w = valid.shape[0], middle = side_ / 2;
  std::vector<i64> pixels(static_cast<std::size_t>(side_ * side_));
  std::vector<Pixel> all;
  const auto cell = [&](double from_centre) {
    return middle + static_cast<i64>(std::floor(from_centre / static_cast<double>(block) + 0.5));
  };
  for (i64 y = 0; y < w; ++y)
    for (i64 x = 0; x < w; ++x) {
      const double row = static_cast<double>(y) - disc.row, col = static_cast<double>(x) - disc.col;
      const i64 at = to_corner(y, w) * w + to_corner(x, w);
      if (std::hypot(row, col) > disc.radius || valid.data[at] == 0) continue;
      all.push_back({at, cell(row) * side_ + cell(col)});
      ++pixels[static_cast<std::size_t>(all.back().block)];
    }
  std::vector<i64> number(pixels.size(), -1);
  for (std::size_t c = 0; c < pixels.size(); ++c)
    if (pixels[c] > 0 && 2 * pixels[c] >= block * block) {
      number[c] = static_cast<i64>(cells_.size());
      cells_.push_back(static_cast<i64>(c));
    }
  for (const Pixel& p : all)
    if (const i64 n = number[static_cast<std::size_t>(p.block)]; n >= 0)
      pixels_.push_back({p.at, n});
}

void BrightFieldBlocks::add(const float* pattern, float* sums) const {
  for (const Pixel& p : pixels_) sums[p.block] += pattern[p.at];
}

i64 block_for(const BrightFieldDisc& disc, i64 places, std::size_t most_bytes) {
  const double images = static_cast<double>(most_bytes) / (4.0 * static_cast<double>(places));
  const double across = std::min(usual_across, std::sqrt(4 * images / 3.15));  // circle of blocks
  if (across < least_across || 2 * disc.radius < least_across) return 0;
  return std::max<i64>(1, std::lround(2 * disc.radius / across));
}

void fill_missing(View<float, 3> images, std::vector<bool> there) {
  const auto [count, lines, fast] = images.shape;
  const i64 places = lines * fast;
  std::vector<i64> missing;
  for (i64 p = 0; p < places; ++p)
    if (!there[static_cast<std::size_t>(p)]) missing.push_back(p);
  while (!missing.empty() && static_cast<i64>(missing.size()) < places) {
    std::vector<i64> filled, near;
    for (const i64 p : missing) {
      near.clear();
      for (i64 y = std::max<i64>(0, p / fast - 1); y <= std::min(lines - 1, p / fast + 1); ++y)
        for (i64 x = std::max<i64>(0, p % fast - 1); x <= std::min(fast - 1, p % fast + 1); ++x)
          if (there[static_cast<std::size_t>(y * fast + x)]) near.push_back(y * fast + x);
      if (near.empty()) continue;
      for (i64 k = 0; k < count; ++k) {
        float* image = images.data + k * places;
        float sum = 0;
        for (const i64 n : near) sum += image[n];
        image[p] = sum / static_cast<float>(near.size());
      }
      filled.push_back(p);
    }
    for (const i64 p : filled) there[static_cast<std::size_t>(p)] = true;
    std::erase_if(missing, [&](i64 p) { return there[static_cast<std::size_t>(p)]; });
  }
}

BrightFieldImages::BrightFieldImages(BrightFieldBlocks blocks, const std::array<i64, 2>& shape)
    : blocks_(std::move(blocks)),
      images_({blocks_.count(), shape[0], shape[1]}),
      there_(static_cast<std::size_t>(shape[0] * shape[1]), false),
      sums_(static_cast<std::size_t>(blocks_.count())) {}

void BrightFieldImages::set(i64 place, const float* pattern) {
  std::fill(sums_.begin(), sums_.end(), 0.0F);
  blocks_.add(pattern, sums_.data());
  set_sums(place, sums_.data());
}

void BrightFieldImages::set_sums(i64 place, const float* sums) {
  const i64 places = static_cast<i64>(there_.size());
  for (i64 k = 0; k < blocks_.count(); ++k) images_.data()[k * places + place] = sums[k];
  there_[static_cast<std::size_t>(place)] = true;
}

bool BrightFieldImages::finish() {
  fill_missing(images_, there_);
  const i64 places = static_cast<i64>(there_.size());
  weights_.assign(static_cast<std::size_t>(blocks_.count()), 0);
  for (i64 k = 0; k < blocks_.count(); ++k) {
    float* image = images_.data() + k * places;
    double sum = 0;
    for (i64 p = 0; p < places; ++p) sum += static_cast<double>(image[p]);
    const double mean = sum / static_cast<double>(places);
    weights_[static_cast<std::size_t>(k)] = std::max(0.0, mean);
    for (i64 p = 0; p < places; ++p)
      image[p] = mean > 0 ? static_cast<float>(static_cast<double>(image[p]) / mean - 1) : 0.0F;
  }
  const double largest = weights_.empty() ? 0 : *std::max_element(weights_.begin(), weights_.end());
  for (double& w : weights_) w = largest > 0 ? w / largest : 0;
  return largest > 0;
}

}  // namespace ptyle
