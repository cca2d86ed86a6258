// A measurement spoilt as people met it: does the picture survive, and is every warning a promise?
//
// A simulated set of MoS2 (16 × 12 positions, 96², 80 kV) is spoilt in one way after the other,
// written to a file, and reconstructed by defaults in 12 iterations. The correlation of the summed
// phase with the truth tells whether what is no measurement was left out.
//
//   bench-spoilt            all ways, each wanted to reach its correlation
//   bench-spoilt warnings   each warning that names a key, followed: on a set that shows what it
//                           warns of, the picture must be no worse; and ten sets without a fault,
//                           on which no warning may come
//   last line: cases that fall short

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "spoilt_set.hpp"

using namespace ptyle;
using namespace ptyle::bench;

namespace {

struct Case {
  std::string name;
  double wanted = 0.95;  ///< correlation; 0: a refusal; -1: any
  std::function<void(Set&)> spoil;
  Change change = {};
  /// Where even the set without the fault is worse: it, and 0.02 less than its correlation is
  /// wanted.
  std::function<void(Set&)> whole = {};
  std::string told = {};  ///< a part of a warning that has to come
};

/// One in so many frames, or three of ten.
std::vector<i64> some(i64 count, int percent) {
  std::vector<i64> numbers;
  for (i64 i = 0; i < count; ++i)
    if (percent == 30 ? i % 10 < 3 : i % (100 / percent) == (100 / percent) / 2)
      numbers.push_back(i);
  return numbers;
}

void add_frames(std::vector<Case>& cases) {
  struct Kind {
    const char* name;
    std::function<double(double, i64 k)> value;
  };
  const std::vector<Kind> kinds{
      {"blanked", [](double, i64) { return 0.0; }},
      {"dark noise", [](double, i64 k) { return k % 701 == 0 ? 1.0 : 0.0; }},
      {"14 times too bright", [](double v, i64) { return 14 * v; }},
      {"full", [](double, i64) { return 65535.0; }},
      {"blanked in the upper half", [](double v, i64 k) { return k < 48 * 96 ? 0 : v; }},
      {"NaN", [](double, i64) { return std::nan(""); }}};
  for (const Kind& kind : kinds)
    for (const int percent : {1, 10, 30})
      cases.push_back({fmt::format("{} % of the frames: {}", percent, kind.name),
                       percent == 30 ? 0.9 : 0.95, [kind, percent](Set& s) {
                         if (std::isnan(kind.value(0, 0))) s.type = Type::float32;
                         for (const i64 i : some(s.count, percent))
                           for (i64 k = 0; k < s.side * s.side; ++k) {
                             double& v = s.at(i, k / s.side, k % s.side);
                             v = kind.value(v, k);
                           }
                       }});
}

/// A box of pixels that gets a value.
std::function<void(Set&)> box(i64 row, i64 rows, i64 col, i64 cols,
                              std::function<double(double)> value, Type type = Type::uint16) {
  return [=](Set& s) {
    s.type = type;
    s.each([&](double& v, i64, i64 y, i64 x) {
      if (y >= row && y < row + rows && x >= col && x < col + cols) v = value(v);
    });
  };
}

void add_pixels(std::vector<Case>& cases) {
  const auto nothing = [](double) { return 0.0; };
  cases.push_back({"a dead pixel", 0.95, box(44, 1, 50, 1, nothing)});
  cases.push_back({"two dead pixels", 0.95, box(44, 1, 50, 2, nothing)});
  cases.push_back({"a dead row", 0.95, box(44, 1, 0, 96, nothing)});
  cases.push_back({"two dead columns", 0.95, box(0, 96, 52, 2, nothing)});
  const auto random = std::make_shared<std::mt19937>(5);
  const auto hot = [random](double) {
    return double(std::poisson_distribution<int>(5000)(*random));
  };
  cases.push_back({"a hot pixel", 0.95, box(20, 1, 20, 1, hot)});
  cases.push_back({"two hot pixels", 0.95, box(20, 1, 20, 2, hot)});
  cases.push_back({"four hot pixels", 0.95, box(20, 2, 20, 2, hot)});
  cases.push_back({"a hot row", 0.95, box(20, 1, 0, 96, hot)});
  cases.push_back({"a gap of -1", 0.95,
                   box(
                       38, 4, 0, 96, [](double) { return -1; }, Type::int32)});
  for (const auto& [name, type, bits] :
       {std::tuple{"uint8", Type::uint8, 8}, std::tuple{"uint16", Type::uint16, 16},
        std::tuple{"uint32", Type::uint32, 32}, std::tuple{"uint64", Type::uint64, 64}})
    for (const int bin : {1, 2, 4}) {
      const double full = std::ldexp(1.0, bits) - 1;
      const auto held = [type](Set& s) {  // what a byte can hold
        s.type = type;
        if (type == Type::uint8)
          for (double& v : s.frames) v = std::min(std::floor(v / 4), 254.0);
      };
      cases.push_back({fmt::format("a gap at the largest {}, bin {}", name, bin), 0.95,
                       [type, full, held, bin](Set& s) {
                         held(s);
                         // a bin of 4 has no pixels to spare in a disc of 6
                         box(
                             bin == 4 ? 12 : 38, 4, 0, 96, [full](double) { return full; },
                             type)(s);
                       },
                       [bin](ReconstructConfig& c) { c.data.bin = bin; }, held});
    }
  for (const double level : {0.8, 0.5})
    cases.push_back(
        {fmt::format("a disc cut off at {} of its brightest", level), 0.9, [level](Set& s) {
           const double top = *std::max_element(s.frames.begin(), s.frames.end());
           for (double& v : s.frames) v = std::min(v, std::floor(level * top));
         }});
  cases.push_back(
      {"a module dead along the edge, 40 of 96 rows", 0.95, box(0, 40, 0, 96, nothing)});
  cases.push_back({"a quarter of the rows dead", 0.95, box(10, 24, 0, 96, nothing)});
  cases.push_back({"a dead quadrant", 0.9, box(0, 48, 0, 48, nothing)});
  cases.push_back({"a dead block of 6 x 6 pixels", 0.95, box(44, 6, 46, 6, nothing)});
  cases.push_back({"a hot corner of 3 x 3 pixels", 0.95, box(0, 3, 93, 3, hot)});
  cases.push_back(
      {"a pixel stuck beside the beam", 0.95, box(49, 1, 46, 1, [](double) { return 9000.0; })});
  const auto coin = std::make_shared<std::mt19937>(8);
  cases.push_back({"three pixels that flicker", 0.95, [coin](Set& s) {
                     std::bernoulli_distribution on(0.3);
                     for (const auto& [y, x] : {std::pair{40, 50}, {52, 44}, {30, 60}})
                       for (i64 i = 0; i < s.count; ++i) s.at(i, y, x) += on(*coin) ? 3000 : 0;
                   }});
  cases.push_back({"a flash in one frame", 0.95, [](Set& s) { s.at(77, 30, 70) = 60000; }});
}

void add_positions(std::vector<Case>& cases) {
  const auto far = [](int percent) {
    return [percent](Set& s) {
      std::mt19937 random(7);
      std::uniform_real_distribution<double> anywhere(-3e5, 3e5);
      for (const i64 i : some(s.count, percent))
        s.positions[static_cast<std::size_t>(i)] = {anywhere(random), anywhere(random)};
    };
  };
  cases.push_back({"1 % of the positions far off", 0.95, far(1)});
  cases.push_back({"30 % of the positions far off", 0.9, far(30)});
  cases.push_back(
      {"a position that is NaN", 0.95, [](Set& s) { s.positions[100].row = std::nan(""); }});
  cases.push_back({"a position that was never filled in", 0.95, [](Set& s) {
                     s.moved = {5000, 5000};
                     for (Position& p : s.positions) p = {p.row + 5000, p.col + 5000};
                     s.positions[60] = {0, 0};
                   }});
}

std::vector<i64> range(i64 first, i64 last) {
  std::vector<i64> all;
  for (i64 i = first; i < last; ++i) all.push_back(i);
  return all;
}

void add_sequences(std::vector<Case>& cases) {
  const auto first = [](Set& s) {
    s.raster = true;
    auto numbers = range(0, s.count);
    numbers.insert(numbers.begin(), 100);
    s.reorder(numbers);
  };
  const auto flyback = [](Set& s) {
    s.raster = true;
    std::vector<i64> numbers;
    for (i64 i = 0; i < slow; ++i) {
      for (i64 j = 0; j < fast; ++j) numbers.push_back(i * fast + j);
      numbers.push_back(i * fast);
    }
    s.reorder(numbers);
  };
  const auto late = [](Set& s) {
    s.raster = true;
    std::vector<i64> numbers;
    for (i64 i = 0; i < s.count; ++i) numbers.push_back((i - 3 + s.count) % s.count);
    s.reorder(numbers);
  };
  const auto offset = [](int by) {
    return [by](ReconstructConfig& c) { c.data.frame_offset = by; };
  };
  cases.push_back({"a frame too many", 0, first});
  cases.push_back({"a frame too many, data.frame_offset=1", 0.95, first, offset(1)});
  cases.push_back({"a way back of one frame a line", 0, flyback});
  cases.push_back({"a way back of one frame a line, data.flyback=1", 0.95, flyback,
                   [](ReconstructConfig& c) { c.data.flyback = 1; }});
  cases.push_back({"frames three places late, data.frame_offset=3", 0.95, late, offset(3)});
  cases.push_back({"every second frame repeats the one before", 0, [](Set& s) {
                     auto numbers = range(0, s.count);
                     for (std::size_t i = 1; i < numbers.size(); i += 2) numbers[i] -= 1;
                     s.reorder(numbers);
                   }});
  cases.push_back({"frames that repeat the one before, 5 %", 0.95, [](Set& s) {
                     auto numbers = range(0, s.count);
                     for (std::size_t i = 7; i < numbers.size(); i += 20) numbers[i] -= 1;
                     s.reorder(numbers);
                   }});
}

/// Faults that are only told of, whatever the picture.
void add_told(std::vector<Case>& cases) {
  cases.push_back({"discs 3 px off in a third of the frames",
                   0.1,
                   [](Set& s) {
                     const std::vector<double> from = s.frames;
                     s.each([&](double& v, i64 i, i64 y, i64 x) {
                       if (i % 3 != 1) return;
                       v = y < 3
                               ? 0
                               : from[static_cast<std::size_t>((i * s.side + y - 3) * s.side + x)];
                     });
                   },
                   {},
                   {},
                   "bright-field disc of 64 of 192"});
  cases.push_back({"a detector that gets stuck after 70 frames",
                   0.1,
                   [](Set& s) {
                     auto numbers = range(0, s.count);
                     for (std::size_t i = 70; i < numbers.size(); ++i) numbers[i] = 70;
                     s.reorder(numbers);
                   },
                   {},
                   {},
                   "121 of 192 patterns"});
}

/// Patterns whose pixel (y, x) has moved.
std::function<void(Set&)> moved_pixels(std::function<std::array<i64, 2>(i64 y, i64 x)> to) {
  return [to](Set& s) {
    const std::vector<double> from = s.frames;
    s.each([&](double& v, i64 i, i64 y, i64 x) {
      const auto [row, col] = to(y, x);
      v = from[static_cast<std::size_t>((i * s.side + row) * s.side + col)];
    });
  };
}
const auto transposed = moved_pixels([](i64 y, i64 x) { return std::array{x, y}; });
/// About pixel [48, 48].
const auto upside_down = moved_pixels([](i64 y, i64 x) {
  return std::array{(96 - y) % 96, (96 - x) % 96};
});

/// The detector lies otherwise, or frames come in another order.
void add_orientations(std::vector<Case>& cases) {
  const auto told = [&cases](const char* name, std::function<void(Set&)> spoil, const char* part) {
    cases.push_back({name, -1, std::move(spoil), {}, {}, part});
  };
  told("patterns transposed", transposed, "data.transpose=true");
  told("patterns turned by 180 degrees", upside_down, "data.flip_rows=true data.flip_cols=true");
  told(
      "frames in the reverse order",
      [](Set& s) {
        auto numbers = range(0, s.count);
        std::reverse(numbers.begin(), numbers.end());
        s.reorder(numbers);
      },
      "data.flip_rows=true data.flip_cols=true");
  told(
      "descan of 4 px from the first to the last line",
      [](Set& s) {
        const std::vector<double> from = s.frames;
        s.each([&](double& v, i64 i, i64 y, i64 x) {
          const i64 row = y - std::llround(4 * double(i / fast) / double(slow - 1) - 2);
          v = row >= 0 && row < s.side
                  ? from[static_cast<std::size_t>((i * s.side + row) * s.side + x)]
                  : 0;
        });
      },
      "descan");
  told(
      "a scan of 12 x 16 taken for 16 x 12",
      [](Set& s) {
        for (i64 i = 0; i < s.count; ++i)
          s.positions[static_cast<std::size_t>(i)] = {double(i / slow), double(i % slow)};
      },
      "data.scan_shape");
  told(
      "slow and fast axis exchanged",
      [](Set& s) {
        std::vector<i64> numbers;
        for (i64 j = 0; j < fast; ++j)
          for (i64 i = 0; i < slow; ++i) numbers.push_back(i * fast + j);
        s.reorder(numbers);
      },
      "data.scan_shape");
}

std::string shortened(const Outcome& o) {
  std::string text = o.refused;
  for (const auto& w : o.warnings) text += (text.empty() ? "" : " | ") + w;
  return text;
}

int all_ways() {
  std::vector<Case> cases{{"nothing", 0.95, [](Set&) {}}};
  add_frames(cases);
  add_pixels(cases);
  add_positions(cases);
  add_sequences(cases);
  add_told(cases);
  add_orientations(cases);
  int short_of = 0;
  fmt::print("{:<52} {:>11}  {}\n", "", "correlation", "what is said");
  for (const Case& one : cases) {
    Set set = base();
    double wanted = one.wanted;
    if (one.whole) {
      one.whole(set);
      wanted = std::min(wanted, run(set, one.change).correlation - 0.02);
      set = base();
    }
    one.spoil(set);
    const Outcome o = run(set, one.change);
    const bool good = wanted == 0 ? !o.refused.empty()
                                  : o.refused.empty() && o.correlation >= wanted &&
                                        shortened(o).find(one.told) != std::string::npos;
    if (!good) ++short_of;
    fmt::print("{:<52} {:>11}{} {}\n", one.name,
               o.refused.empty() ? fmt::format("{:.4f}", o.correlation) : "refused",
               good ? " " : "!", shortened(o));
    std::fflush(stdout);
  }
  return short_of;
}

/// A warning, found by a part of its text, and what it advises.
struct Promise {
  std::string warning;  ///< a part of it
  std::function<Set()> set;
  Change as_told, followed;
};

Set changed(const std::function<void(Set&)>& spoil, const Recipe& recipe = base_recipe()) {
  Set set = simulated(recipe);
  spoil(set);
  return set;
}

std::vector<Promise> promises() {
  std::vector<Promise> all;
  const auto late = [] {
    return changed([](Set& s) {
      s.raster = true;
      std::vector<i64> numbers;
      for (i64 i = 0; i < s.count; ++i) numbers.push_back((i - 3 + s.count) % s.count);
      s.reorder(numbers);
    });
  };
  all.push_back(
      {"data.frame_offset=3", late, {}, [](ReconstructConfig& c) { c.data.frame_offset = 3; }});
  const auto swapped = [] {
    return changed([](Set& s) {
      auto numbers = range(0, s.count);
      for (std::size_t i = 5; i + 90 < numbers.size(); i += 16)
        std::swap(numbers[i], numbers[i + 90]);
      s.reorder(numbers);
    });
  };
  all.push_back({"data.outliers=fit", swapped, {}, [](ReconstructConfig& c) {
                   c.data.outliers = Outliers::fit;
                 }});
  const auto offset = [] {
    return changed([](Set& s) {
      std::mt19937 random(3);
      std::poisson_distribution<int> dark(4);
      for (double& v : s.frames) v += dark(random);
    });
  };
  all.push_back(
      {"data.background=", offset, {}, [](ReconstructConfig& c) { c.data.background = 4; }});
  const auto off_centre = [] {
    return changed([](Set& s) {
      const std::vector<double> from = s.frames;
      s.each([&](double& v, i64 i, i64 y, i64 x) {
        const i64 r = y - 3, q = x + 2;
        v = r >= 0 && q < s.side ? from[static_cast<std::size_t>((i * s.side + r) * s.side + q)]
                                 : 0;
      });
    });
  };
  all.push_back({"data.find_centre", off_centre, {}, [](ReconstructConfig& c) {
                   c.data.find_centre = true;
                 }});
  all.push_back({"data.transpose=true",
                 [] { return changed(transposed); },
                 {},
                 [](ReconstructConfig& c) { c.data.transpose = true; }});
  all.push_back({"data.flip_rows=true data.flip_cols=true",
                 [] { return changed(upside_down); },
                 {},
                 [](ReconstructConfig& c) { c.data.flip_rows = c.data.flip_cols = true; }});
  const auto in_focus = [] {
    Recipe r = base_recipe();
    r.optics.defocus = 0;
    r.scan.step = {0.3, 0.3};
    return changed(transposed, r);
  };
  all.push_back({"data.transpose=true lowers the curl", in_focus, {}, [](ReconstructConfig& c) {
                   c.data.transpose = true;
                 }});
  return all;
}

/// Sets without a fault; on none of them a warning may come.
std::vector<std::pair<std::string, Recipe>> clean_sets() {
  std::vector<std::pair<std::string, Recipe>> all;
  const auto add = [&](const char* name, auto&& change) {
    Recipe r = base_recipe();
    change(r);
    all.emplace_back(name, r);
  };
  add("MoS2, 2e5 electrons/Å²", [](Recipe&) {});
  add("1e6", [](Recipe& r) { r.dose.electrons_per_A2 = 1e6; });
  add("2e4", [](Recipe& r) { r.dose.electrons_per_A2 = 2e4; });
  add("without noise", [](Recipe& r) { r.dose.electrons_per_A2 = 0; });
  add("another orientation", [](Recipe& r) { r.specimen.rotation = 40; });
  add("a turned scan", [](Recipe& r) { r.scan.rotation = 30; });
  add("more defocus", [](Recipe& r) { r.optics.defocus = 180; });
  add("in focus", [](Recipe& r) { r.optics.defocus = 0, r.scan.step = {0.3, 0.3}; });
  add("SrTiO3, 20 Å", [](Recipe& r) {
    r.specimen.structure = BuiltIn::SrTiO3;
    r.specimen.thickness = 20;
    r.specimen.slice_thickness = 3.905;
    r.optics.energy = 200;
  });
  add("PbTiO3, 40 Å", [](Recipe& r) {
    r.specimen.structure = BuiltIn::PbTiO3;
    r.specimen.thickness = 40;
    r.specimen.slice_thickness = 4;
    r.optics.energy = 200;
  });
  return all;
}

int warnings() {
  int broken = 0;
  fmt::print("{:<24} {:>9} {:>9}  {}\n", "warning that names", "as it is", "followed",
             "the warning");
  for (const Promise& p : promises()) {
    const Set set = p.set();
    const Outcome before = run(set, p.as_told), after = run(set, p.followed);
    const auto told =
        std::find_if(before.warnings.begin(), before.warnings.end(),
                     [&](const std::string& w) { return w.find(p.warning) != std::string::npos; });
    // Registration to sub-pixels repeats to 1e-3.
    const bool good = told != before.warnings.end() && after.refused.empty() &&
                      after.correlation >= before.correlation - 1e-3;
    if (!good) ++broken;
    fmt::print("{:<24} {:>9.4f} {:>9.4f}{} {}\n", p.warning, before.correlation, after.correlation,
               good ? " " : "!", told == before.warnings.end() ? "(does not come)" : *told);
    std::fflush(stdout);
  }
  fmt::print("\n{:<24} {:>11}  warnings\n", "set without a fault", "correlation");
  for (const auto& [name, recipe] : clean_sets()) {
    const Outcome o = run(simulated(recipe));
    if (!o.warnings.empty() || !o.refused.empty()) ++broken;
    fmt::print("{:<24} {:>11.4f}  {}\n", name, o.correlation,
               o.warnings.empty() && o.refused.empty() ? "none" : shortened(o));
    std::fflush(stdout);
  }
  return broken;
}

}  // namespace

int main(int argc, char** argv) try {
  const bool promised = argc > 1 && std::string(argv[1]) == "warnings";
  const int short_of = promised ? warnings() : all_ways();
  fmt::print("\nspoilt = {} cases\n", short_of);
  return short_of == 0 ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "spoilt: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
