#include "session/orientation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/error.hpp"
#include "core/units.hpp"

namespace ptyle {
namespace {

/// The list of the process that leads, on all; those of the others are empty.
std::vector<i64> shared(const std::vector<i64>& list, Team* team) {
  if (!team) return list;
  std::vector<double> size{static_cast<double>(list.size())};
  team->sum(size);
  std::vector<double> all(list.begin(), list.end());
  all.resize(static_cast<std::size_t>(size[0]));
  team->sum(all);
  return {all.begin(), all.end()};
}

/// Discs of these patterns; processes that hold the same one bring the same disc.
std::vector<double> discs_of(const Experiment& e, const DiscBlocks& blocks,
                             const std::vector<i64>& patterns, Team* team) {
  const auto size = static_cast<std::size_t>(blocks.size());
  std::vector<double> discs(patterns.size() * size), times(patterns.size());
  std::vector<float> pattern(static_cast<std::size_t>(e.valid.size()));
  const auto held = e.patterns->held();
  for (std::size_t k = 0; k < patterns.size(); ++k) {
    if (!std::binary_search(held.begin(), held.end(), patterns[k])) continue;
    e.patterns->load(patterns[k], pattern.data());
    blocks.cut(pattern.data(), e.valid, discs.data() + k * size);
    times[k] = 1;
  }
  if (team) {
    team->sum(discs);
    team->sum(times);
  }
  if (std::count(times.begin(), times.end(), 0.0) > 0)
    throw std::logic_error("a pattern of the scan is held by no rank");
  for (std::size_t i = 0; i < discs.size(); ++i) discs[i] /= times[i / size];
  return discs;
}

Position undone(const Flips& t, Position v) {
  if (t.transpose) std::swap(v.row, v.col);
  if (t.flip_rows) v.row = -v.row;
  if (t.flip_cols) v.col = -v.col;
  return v;
}

/// How far two turns of one handedness are from each other, in 15 degrees.
int between(const Turn& a, const Turn& b) {
  const int d = std::abs(a.rotation - b.rotation);
  return std::min(d, Turn::rotations - d);
}

}  // namespace

Flips joined(const Flips& first, const Flips& second) {
  const auto same = [&](const Flips& t, Position v) {
    const Position a = t(v), b = second(first(v));
    return a.row == b.row && a.col == b.col;
  };
  for (const Flips& t : all_flips())
    if (same(t, {1, 2})) return t;
  return {};
}

bool near(const Turn& a, const Turn& b) { return a.mirrored == b.mirrored && between(a, b) <= 2; }

namespace {

constexpr std::array scales{0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8};  // of the defocus given
constexpr double alike = 0.1;    // the least correlation that means something
constexpr double clearly = 0.8;  // of the best correlation: what is right has more
constexpr double surely = 8;     // standard errors, of pairs some of which share specimen
constexpr double alone = 4;      // the same, of one turn above all that lie apart from it

/// The part of a mean that the worse of the two axes has of the better one's.
double evenness(const Likeness& likeness, const Turn& turn) {
  const double a = likeness.mean(turn, 0), b = likeness.mean(turn, 1);
  return std::min(a, b) / std::max({a, b, 1e-9});
}

/// Is this turn the one, for pairs along either axis?
bool is_clear(const Likeness& likeness, const Turn& best) {
  constexpr double even = 0.7;
  if (near(best, {}) || likeness.mean(best) < alike || likeness.above(best, {}) < surely ||
      evenness(likeness, best) < even)
    return false;
  for (int m = 0; m < 2; ++m)
    for (int r = 0; r < Turn::rotations; ++r)
      if (!near(best, {m, r}) && likeness.above(best, {m, r}) < alone) return false;
  return true;
}

/// The most that other turns and defoci make of the pairs, and what the turn given does with any
/// defocus.
struct AtAnyDefocus {
  double most = 0, straight = 0;
  Turn best;
};

AtAnyDefocus at_any_defocus(const ShadowImages& images) {
  AtAnyDefocus found;
  for (const double scale : scales) {
    const Likeness likeness = images.shadows.compare(images.discs, scale);
    const Turn best = likeness.best();
    if (likeness.mean(best) > found.most) found.most = likeness.mean(best), found.best = best;
    for (const int r : {0, 1, Turn::rotations - 1})
      found.straight = std::max(found.straight, likeness.mean({0, r}));
  }
  return found;
}

}  // namespace

std::string keys_of(const Flips& flips, const DataConfig& data) {
  const Flips before{data.flip_rows, data.flip_cols, data.transpose};
  const Flips after = joined(before, flips);
  std::string keys;
  const auto add = [&keys](const char* key, bool old, bool now) {
    if (old != now) keys += fmt::format("{}data.{}={}", keys.empty() ? "" : " ", key, now);
  };
  add("flip_rows", before.flip_rows, after.flip_rows);
  add("flip_cols", before.flip_cols, after.flip_cols);
  add("transpose", before.transpose, after.transpose);
  return keys;
}

FittedPositions fitted_positions(const Experiment& e, const std::vector<Position>& positions) {
  FittedPositions fitted;
  const auto& out = e.screening.left_out;
  for (std::size_t i = 0; i < positions.size(); ++i)
    if (!std::binary_search(out.begin(), out.end(), static_cast<i64>(i))) {
      fitted.numbers.push_back(static_cast<i64>(i));
      fitted.at.push_back(positions[i]);
    }
  return fitted;
}

namespace {

std::vector<Position> centres_of(const Experiment& e, const std::vector<i64>& numbers) {
  std::vector<Position> centres;
  for (const i64 i : numbers) centres.push_back(e.centres[static_cast<std::size_t>(i)]);
  return centres;
}

}  // namespace

std::optional<Plane> plane_of_centres(const Experiment& e, const std::vector<Position>& positions) {
  const auto [numbers, at] = fitted_positions(e, positions);
  return plane_through(centres_of(e, numbers), at);
}

Matrix2 descan_of_centres(const Experiment& e) {
  // About n/4 of n centres are independent, and a plane explains 2/(n/4) of them by chance; four
  // times as much is taken for more.
  constexpr double by_chance = 32, most = 0.5;
  const auto plane = plane_of_centres(e, e.positions);
  const double least = std::min(most, by_chance / static_cast<double>(e.positions.size()));
  if (!plane || plane->explained < least) return {};
  return {plane->by_row.row, plane->by_col.row, plane->by_row.col, plane->by_col.col};
}

Orientation orientation_by_curl(const Experiment& e, const std::vector<Position>& positions) {
  const auto [numbers, at] = fitted_positions(e, positions);
  const std::vector<Position> centres = centres_of(e, numbers);
  return find_orientation(centres, at, e.optics.xray_energy == 0 && e.calibration.wavelength > 0);
}

namespace {

/// Does the defocus alone say how the shadow moves? Other aberrations move parts of it otherwise:
/// at the aperture's rim by C12 + C21 α + C23 α + C30 α² beside the defocus.
bool by_defocus_alone(const OpticsConfig& o) {
  constexpr double little = 0.15;
  const double alpha = o.semi_angle * mrad;
  const double others = std::abs(o.C12) + (std::abs(o.C21) + std::abs(o.C23)) * alpha +
                        std::abs(o.C30) * alpha * alpha;
  return others <= little * std::abs(o.defocus.value_or(0));
}

}  // namespace

std::optional<ShadowImages> shadow_images(const Experiment& e,
                                          const std::vector<Position>& positions, Team* team) {
  const double defocus = e.optics.defocus.value_or(0), wavelength = e.calibration.wavelength;
  if (!e.disc || defocus == 0 || wavelength <= 0 || positions.empty()) return {};
  if (!by_defocus_alone(e.optics) || !e.screening.jumped.empty()) return {};
  const DiscBlocks blocks({e.disc->row, e.disc->col, e.disc->radius}, e.patterns->window());
  std::optional<Shadows> shadows;
  std::vector<i64> patterns;
  const bool leads = !team || team->leads();
  if (leads) {
    const auto [numbers, at] = fitted_positions(e, positions);
    shadows.emplace(blocks, e.disc->radius, at, 1 / (defocus * wavelength * e.calibration.dk));
    for (const i64 k : shadows->patterns())
      patterns.push_back(numbers[static_cast<std::size_t>(k)]);
  }
  patterns = shared(patterns, team);
  if (patterns.empty()) return {};
  auto discs = discs_of(e, blocks, patterns, team);
  if (!leads) return {};
  Likeness likeness = shadows->compare(discs);
  return ShadowImages{std::move(*shadows), std::move(discs), std::move(likeness)};
}

Turn turn_of(const Flips& flips, double rotation) {
  const double c = std::cos(rotation * degree), s = std::sin(rotation * degree);
  Position axis = undone(flips, {c, s});
  const bool mirrored = flips.mirrors();
  if (mirrored) axis.col = -axis.col;
  const double turns = std::atan2(axis.col, axis.row) / (2 * pi) * Turn::rotations;
  const int whole = static_cast<int>(std::lround(turns));
  return {mirrored ? 1 : 0, (whole + Turn::rotations) % Turn::rotations};
}

std::optional<Flips> flips_of(const Turn& turn) {
  const int off =
      (turn.rotation + Turn::rotations / 8) % (Turn::rotations / 4) - Turn::rotations / 8;
  if (std::abs(off) > 1) return {};
  for (const Flips& flips : all_flips()) {
    const Turn exact = turn_of(flips, 0);
    if (exact.mirrored == turn.mirrored && between(exact, turn) <= 1) return flips;
  }
  return {};
}

namespace {

/// The axis of the scan, if there is one, along which alone the shadow moves as it should.
std::optional<int> only_axis(const Likeness& likeness) {
  constexpr double hardly = 0.5;
  const int along = likeness.mean({}, 0) > likeness.mean({}, 1) ? 0 : 1;
  const double here = likeness.mean({}, along);
  const bool right =
      here > 3 * alike && here > clearly * likeness.mean(likeness.best(along), along);
  return right && evenness(likeness, {}) < hardly ? std::optional(along) : std::nullopt;
}

}  // namespace

bool moves_as_given(const Likeness& likeness) {
  const double best = likeness.mean(likeness.best());
  return best > alike && likeness.mean({}) > clearly * best;
}

bool curl_is_certain(const Orientation& o) {
  constexpr double hardly = 0.25;  // as much as a probe in focus leaves without a fault
  return o.clear && better_than_given(o) && o.curl <= hardly;
}

std::optional<std::string> warning_in_focus(const Experiment& e, const DataConfig& data) {
  constexpr std::size_t most = 1 << 16;  // of which the curl takes a second
  if (e.optics.defocus.value_or(0) != 0 || e.optics.semi_angle <= 0 || e.positions.size() > most)
    return {};
  try {
    const Orientation found = orientation_by_curl(e, e.positions);
    const auto flips = flips_of(turn_of(found.flips, found.rotation));
    if (!curl_is_certain(found) || !flips) return {};
    const std::string keys = keys_of(*flips, data);
    if (keys.empty()) return {};
    return fmt::format(
        "orientation looks wrong: {} lowers the curl of the centre of mass from {:.2f} to {:.2f}{}",
        keys, found.curves[0].curl[0], found.curl,
        flips->mirrors() ? "; so would exchanging the scan's axes" : "");
  } catch (const UserError&) {  // too few positions, or in a line
    return {};
  }
}

std::optional<std::string> warning_of_orientation(const ShadowImages& images,
                                                  const DataConfig& data) {
  constexpr double doubtful = 0.5;
  const Likeness& likeness = images.likeness;
  const Turn turn = likeness.best();
  const double given = likeness.mean({}), best = likeness.mean(turn);
  const bool off = !moves_as_given(likeness);
  const AtAnyDefocus any = off ? at_any_defocus(images) : AtAnyDefocus{};
  const auto flips = flips_of(turn);
  if (off && flips && near(any.best, turn) && any.straight < clearly * any.most &&
      is_clear(likeness, turn))
    return fmt::format(
        "orientation looks wrong: from position to position the shadow image in the disc moves as "
        "with {} (correlation {:.2f}; as it is {:.2f}){}",
        keys_of(*flips, data), best, given,
        flips->mirrors()                       ? ", or with the scan's axes exchanged"
        : flips->flip_rows && flips->flip_cols ? ", or with the other sign of optics.defocus"
                                               : "");
  if (const auto along = only_axis(likeness))
    return fmt::format(
        "along {} of positions the shadow image in the disc moves as it should (correlation "
        "{:.2f}), along {} it does not ({:.2f}): are data.scan_shape, data.axes, scan.step and "
        "the beam's astigmatism right?",
        *along == 0 ? "rows" : "columns", likeness.mean({}, *along),
        *along == 0 ? "columns" : "rows", likeness.mean({}, 1 - *along));
  if (!off || any.most < 3 * alike || given > doubtful * any.most) return {};
  return fmt::format(
      "from position to position the shadow image in the disc does not move as it should "
      "(correlation {:.2f}, with another orientation or defocus {:.2f}): are optics.defocus, the "
      "orientation, data.scan_shape and the order of the frames right?",
      given, any.most);
}

}  // namespace ptyle
