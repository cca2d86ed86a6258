#include "io/colour.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/units.hpp"

namespace ptyle {
namespace {

struct Oklab {
  double l, a, b;
};

double to_linear(double c) {  // IEC 61966-2-1
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

double to_srgb(double c) {
  c = std::clamp(c, 0.0, 1.0);
  return c <= 0.0031308 ? 12.92 * c : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
}

// Ottosson, "A perceptual color space for image processing" (2020): sRGB → cone responses, cube
// root, → lightness and two opponent colours; and its inverse.
Oklab to_oklab(Colour c) {
  const double r = to_linear(c.r), g = to_linear(c.g), b = to_linear(c.b);
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Colour to_colour(Oklab c) {
  const double l = std::pow(c.l + 0.3963377774 * c.a + 0.2158037573 * c.b, 3);
  const double m = std::pow(c.l - 0.1055613458 * c.a - 0.0638541728 * c.b, 3);
  const double s = std::pow(c.l - 0.0894841775 * c.a - 1.2914855480 * c.b, 3);
  return {to_srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          to_srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          to_srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

Oklab between(Oklab p, Oklab q, double t) {
  return {p.l + t * (q.l - p.l), p.a + t * (q.a - p.a), p.b + t * (q.b - p.b)};
}

constexpr int steps = 256;

// n colours along straight lines in Oklab through the anchors, at equal distances.
std::vector<Colour> even_steps(const std::vector<unsigned>& anchors, int n) {
  std::vector<Oklab> at;
  std::vector<double> along;
  for (const unsigned hex : anchors) {
    at.push_back(
        to_oklab({(hex >> 16) / 255.0, ((hex >> 8) & 0xff) / 255.0, (hex & 0xff) / 255.0}));
    const std::size_t i = at.size() - 1;
    along.push_back(i == 0 ? 0
                           : along[i - 1] + std::hypot(at[i].l - at[i - 1].l, at[i].a - at[i - 1].a,
                                                       at[i].b - at[i - 1].b));
  }
  std::vector<Colour> colours;
  std::size_t leg = 0;
  for (int i = 0; i < n; ++i) {
    const double s = along.back() * i / (n - 1);
    while (leg + 2 < at.size() && s > along[leg + 1]) ++leg;
    colours.push_back(
        to_colour(between(at[leg], at[leg + 1], (s - along[leg]) / (along[leg + 1] - along[leg]))));
  }
  return colours;
}

std::vector<Colour> diverging_table() {
  auto table = even_steps({0x0b2f6b, 0x4a8ccb, 0xf7f7f7}, steps / 2);
  const auto upper = even_steps({0xf7f7f7, 0xe2725b, 0x7a0b1c}, steps / 2);
  table.insert(table.end(), upper.begin(), upper.end());
  return table;
}

constexpr double wheel_lightness = 0.74, wheel_chroma = 0.125;  // about the largest inside sRGB

Oklab on_wheel(double phase) {
  return {wheel_lightness, wheel_chroma * std::cos(phase), wheel_chroma * std::sin(phase)};
}

const std::vector<Colour>& table_of(ColourMap map) {
  static const auto gray = even_steps({0x000000, 0xffffff}, steps);
  static const auto viridis = even_steps({0x440154, 0x3b528b, 0x21918c, 0x5ec962, 0xfde725}, steps);
  static const auto inferno = even_steps({0x000004, 0x57106e, 0xbc3754, 0xf98e09, 0xfcffa4}, steps);
  static const auto diverging = diverging_table();
  switch (map) {
    case ColourMap::gray:
      return gray;
    case ColourMap::inferno:
      return inferno;
    case ColourMap::diverging:
      return diverging;
    default:
      return viridis;
  }
}

}  // namespace

Colour colour_at(ColourMap map, double t) {
  if (std::isnan(t)) return {0.5, 0.5, 0.5};
  t = std::clamp(t, 0.0, 1.0);
  if (map == ColourMap::cyclic) return to_colour(on_wheel((2 * t - 1) * pi));
  return table_of(map)[static_cast<std::size_t>(std::lround(t * (steps - 1)))];
}

Colour complex_colour(double amplitude, double phase) {
  if (!std::isfinite(amplitude) || !std::isfinite(phase)) return {0.5, 0.5, 0.5};
  return to_colour(between({0, 0, 0}, on_wheel(phase), std::clamp(amplitude, 0.0, 1.0)));
}

Colour curve_colour(int i) {
  static constexpr std::array<Colour, 7> colours{{{0, 0.447, 0.698},
                                                  {0.835, 0.369, 0},
                                                  {0, 0.620, 0.451},
                                                  {0.8, 0.475, 0.655},
                                                  {0.902, 0.624, 0},
                                                  {0.337, 0.706, 0.914},
                                                  {0.3, 0.3, 0.3}}};
  return colours[static_cast<std::size_t>(i) % colours.size()];
}

double round_length(double x) {
  const double decade = std::pow(10, std::floor(std::log10(x)));
  const double lead = x / decade * (1 + 1e-9);  // so that 5 itself counts as 5
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * decade;
}

std::vector<double> ticks(double low, double high, int about) {
  std::vector<double> at;
  // Steps through a range of rounding alone would never end.
  const double least = 1e-12 * std::max(std::abs(low), std::abs(high));
  if (!(high - low > least) || !std::isfinite(high - low)) return {low};
  // the round step nearest to the wanted distance: up to a quarter below it
  const double step = round_length(1.3 * (high - low) / std::max(about, 1));
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i)
    at.push_back(i == 0 ? 0 : i * step);
  return at;
}

}  // namespace ptyle
