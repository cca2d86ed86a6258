// Do the tiles show? A seam figure and pictures of each exchange and update (the paper's Fig. 8)
//
// A realistic set: PbTiO3 along c, 10 Å thick, 200 kV, 30 mrad, 250 Å underfocus, 1e6 e/Å² with
// counting noise, 21 × 21 positions 1.45 Å apart, window of 25.6 Å, the probe known. Nine virtual
// ranks (3 × 3 tiles) beside one, ten iterations from vacuum, the same mini-batches for all; halo 6
// Å, which the paper has, and exact; the exchanges of voxels with two extra rows of positions and
// halos wider by these, after every mini-batch or, as the paper's Halo Voxel Exchange, once at the
// end of an iteration.
//
//   1. the seam figure: mean |step| of the phase across core borders over mean |step| elsewhere, in
//      the scanned area (analysis/seams), of all slices and of their sum; its excess over that of
//      the one rank
//   2. the same figure of the difference from the one rank: how much more the borders have of it
//   3. pictures of the summed phase where two borders cross, and of its difference from the one
//   rank
//
//   bench-seams [FOLDER [WINDOW]]    default seams-pictures and 128 px; 256: the paper's 0.1 Å a
//   pixel last line: the excess of the default (consistent, halo exact)

#include "analysis/seams.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>

#include "analysis/area.hpp"
#include "core/error.hpp"
#include "io/pictures.hpp"
#include "tiled_set.hpp"

using namespace ptyle;

namespace {

constexpr int iterations = 10;
constexpr double field = 25.6, halo = 6.0, scan_step = 1.45;  // Å
constexpr int extra_rows = 2;

Recipe recipe(int window) {
  Recipe r = bench::lead_titanate(8);  // 10 Å
  r.detector = {.window = window, .pixel_size = field / window};
  r.scan = {.shape = {21, 21}, .step = {scan_step, scan_step}};
  r.dose.electrons_per_A2 = 1e6;
  return r;
}

struct Case {
  std::string name;
  Scheme scheme = Scheme::owner;
  bool tiled = true, exact_halo = true;
  double literal_step = 0;  ///< 0: consistent
  std::size_t beside = 0;   ///< the number of the case on one rank
  bool at_end = false;      ///< voxels are exchanged once an iteration
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{{"one rank", Scheme::owner, false},
                                     {"one rank, literal", Scheme::owner, false, true, 0.125, 1},
                                     {"voxel", Scheme::voxel, true, false},
                                     {"voxel, once (HVE)", Scheme::voxel, true, false, 0, 0, true},
                                     {"voxel-average", Scheme::voxel_average, true, false},
                                     {"voxel-crossfade", Scheme::voxel_crossfade, true, false},
                                     {"none", Scheme::none, true, false},
                                     {"literal, halo 6 Å", Scheme::passes, true, false, 0.125, 1},
                                     {"literal, halo exact", Scheme::passes, true, true, 0.125, 1},
                                     {"consistent, halo 6 Å", Scheme::owner, true, false},
                                     {"consistent, halo exact", Scheme::owner, true, true}};
  return all;
}

struct Outcome {
  Array<double, 3> object;
  double cost = 0, error = 0, spread = 0;
};

template <class T>
class Seen {
 public:
  explicit Seen(int window) : set_(recipe(window), 1), pixel_(field / window) {
    const ScanArea scan = scan_area(set_.positions(), {set_.plan().ny, set_.plan().nx});
    const auto inside = scan.mask();
    area_ = Array<unsigned char, 2>({set_.plan().ny, set_.plan().nx});
    for (i64 y = 0; y < inside.shape()[0]; ++y)
      for (i64 x = 0; x < inside.shape()[1]; ++x)
        area_(scan.first_row + y, scan.first_col + x) = inside(y, x);
    const Mesh mesh = set_.mesh({3, 3}, {});
    for (int i = 1; i < 3; ++i) {
      row_cuts_.push_back(mesh.core_rows(i).begin);
      col_cuts_.push_back(mesh.core_cols(i).begin);
    }
  }

  Outcome fit(const Case& c) const {
    const i64 extra = sum_kind(c.scheme) ? 0 : std::lround(extra_rows * scan_step / pixel_);
    const Halo around = c.exact_halo ? Halo::exact(set_.plan().window)
                                     : Halo::of(std::lround(halo / pixel_) + extra);
    const int side = c.tiled ? 3 : 1;
    const Sharing sharing{set_.mesh({side, side}, around), c.scheme};
    FitOptions o;
    o.batches = set_.usual_batches();
    o.extra = extra;
    o.exchange_at_end = c.at_end;
    o.verify = c.tiled;
    o.parts.of<RuleOptions>().step = c.literal_step;
    o.update = c.literal_step > 0 ? Update::literal : Update::consistent;
    const auto team = make_local_team(side * side);
    bench::Work work;
    auto fit = set_.fit(o, *team, sharing, work);
    Outcome out;
    for (int i = 0; i < iterations; ++i) out.spread = fit.iterate().spread;
    const auto object = set_.stitched(fit);
    out.cost = set_.misfit(object.view()).cost;
    out.error = set_.compare(object.view()).summed.rmse;
    out.object = converted<double, T, 3>(object.view());
    return out;
  }

  Seams seams(View<const double, 3> phase) const {
    return find_seams(phase, row_cuts_, col_cuts_, area_);
  }
  /// Of a summed phase, 2 × 8 Å about a crossing of borders.
  Array<double, 2> crossing(View<const double, 3> sum) const {
    const i64 reach = std::lround(8 / pixel_);
    Array<double, 2> part({2 * reach, 2 * reach});
    for (i64 y = 0; y < 2 * reach; ++y)
      for (i64 x = 0; x < 2 * reach; ++x)
        part(y, x) = sum(i64{0}, row_cuts_[0] - reach + y, col_cuts_[0] - reach + x);
    return part;
  }
  [[nodiscard]] double pixel() const { return pixel_; }
  [[nodiscard]] const bench::TiledSet<T>& set() const { return set_; }

 private:
  bench::TiledSet<T> set_;
  double pixel_;
  Array<unsigned char, 2> area_;
  std::vector<i64> row_cuts_, col_cuts_;
};

Array<double, 3> summed(View<const double, 3> phase) {
  Array<double, 3> sum({1, phase.shape[1], phase.shape[2]});
  for (i64 z = 0; z < phase.shape[0]; ++z)
    for (i64 i = 0; i < sum.size(); ++i) sum.data()[i] += phase[z].data[i];
  return sum;
}

Array<double, 3> difference(const Array<double, 3>& a, const Array<double, 3>& b) {
  Array<double, 3> d(a.shape());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), std::minus<>());
  return d;
}

/// Prints a line; returns the excess.
template <class T>
double print(const Seen<T>& seen, const std::string& name, const Outcome& one, const Outcome& out) {
  const auto apart = difference(out.object, one.object);
  const double figure = seen.seams(out.object).figure(),
               excess = figure - seen.seams(one.object).figure(),
               of_sum = seen.seams(summed(out.object)).figure() -
                        seen.seams(summed(one.object)).figure();
  double largest = 0;
  for (const double v : apart) largest = std::max(largest, std::abs(v));
  fmt::print("{:32s} {:.4e}  {:.4f}   {:.1e}   {:.4f}   {:+.1e}   {:+.1e}   {:.1e}   {:5.2f}\n",
             name, out.cost, out.error, out.spread, figure, excess, of_sum, largest,
             seen.seams(apart).figure());
  return excess;
}

/// The crossing in each summed phase, a constant (which no pattern determines) taken away: all with
/// one contrast, that of what lies between the columns of the first.
template <class T>
std::vector<Panel> phase_panels(const Seen<T>& seen, const std::vector<Outcome>& outcomes) {
  std::vector<Panel> panels;
  Range contrast;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    auto part = seen.crossing(summed(outcomes[i].object));
    std::vector<double> sorted(part.begin(), part.end());
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    for (double& v : part) v -= *middle;
    if (i == 0) contrast = robust_range(part.view(), 0.002, 0.8);
    auto panel = image_panel(part.view(), cases()[i].name, "phase (rad)", seen.pixel(), "A");
    panel.range = contrast;
    panels.emplace_back(std::move(panel));
  }
  return panels;
}

/// The same of what each has more than the one rank.
template <class T>
std::vector<Panel> difference_panels(const Seen<T>& seen, const std::vector<Outcome>& outcomes) {
  std::vector<Panel> panels;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!cases()[i].tiled) continue;
    const auto apart = difference(outcomes[i].object, outcomes[cases()[i].beside].object);
    auto panel = image_panel(seen.crossing(summed(apart)).view(), cases()[i].name,
                             "less one rank (rad)", seen.pixel(), "A");
    panel.range = Range{-0.1, 0.1};
    panel.map = ColourMap::diverging;
    panels.emplace_back(std::move(panel));
  }
  return panels;
}

void print_header() {
  fmt::print(
      "{:32s} cost        error    spread    seam     excess     excess     most      "
      "seam of\n{:32s}             (rad)    (rad)     figure              of sum     apart     "
      "difference\n",
      "", "");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "seams-pictures";
  const int window = argc > 2 ? std::stoi(argv[2]) : 128;
  std::filesystem::create_directories(folder);
  const Seen<float> seen(window);
  const Seen<double> precise(window);
  const std::vector<Case>& all = cases();
  std::vector<Outcome> outcomes(all.size());
  Outcome precise_one, precise_default;
  // Each on one thread, several at a time; those in double, which take longest, first.
  const auto n = static_cast<i64>(all.size());
  parallel_for(n + 2, available_threads(), [&](i64 i, int) {
    if (i == 0) precise_one = precise.fit(all.front());
    if (i == 1) precise_default = precise.fit(all.back());
    if (i >= 2)
      outcomes[static_cast<std::size_t>(i - 2)] = seen.fit(all[static_cast<std::size_t>(i - 2)]);
  });

  fmt::print("{} positions on {} x {} px, {} slices, {} mini-batches\n", seen.set().count(),
             seen.set().plan().ny, seen.set().plan().nx, seen.set().plan().slices,
             seen.set().usual_batches());
  print_header();
  double of_default = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    of_default = print(seen, all[i].name, outcomes[all[i].beside], outcomes[i]);
  print(precise, "consistent, halo exact, double", precise_one, precise_default);
  const PictureLayout layout{.columns = 6};
  write_picture((folder / "seams.png").string(), phase_panels(seen, outcomes), layout);
  write_picture((folder / "seams-difference.png").string(), difference_panels(seen, outcomes),
                layout);
  fmt::print("pictures: {}\n", folder.string());
  fmt::print("seams = {:.1e} excess over one rank\n", of_default);
} catch (const std::exception& e) {
  fmt::print(stderr, "seams: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
