// ptyle, PtyRAD and phaser on the same film: SSIM of the summed phase over seconds
//
// The film of examples/film.yaml, 2 threads each, one after the other; each is told what
// examples/film-run.yaml says, that is nominal positions, energy, aperture, defocus, 8 slices, 4
// modes:
//
//   1. PtyRAD 1.0, its defaults, which refine positions; 80 iterations   (peers/ptyrad_film.py)
//   2. phaser 0.3.1 on JAX, 30 iterations with settings of its examples  (peers/phaser_film.py)
//   3. ptyle, its defaults, 40 iterations; before the two and after them, and the slower run counts
//
// Their objects on the way are compared with the truth by the same code (film.hpp). Seconds are
// those that a user waits, from the reading of the patterns on: until the first iteration, and what
// a peer compiles meanwhile, which are listed too. Not counted are the start of Python, and what
// is written and compared. Table and peers-film.png show all curves.
//
//   bench-peers-film                               half an hour
//   bench-peers-film phaser-without [ITERATIONS]   phaser, what it does taken away one by one, from
//                                                  nominal positions; default 5
//   bench-peers-film small ...                     either on 20 × 18 positions, to see that it runs
//   exit status 1: less than 10 times, or a peer ends better; 2: a peer is missing, and cannot be
//   installed
//   last line: the better peer's seconds to its best SSIM over ptyle's to that SSIM or more (0: not
//   reached)

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <sstream>

#include "exchange/local/team.hpp"
#include "film.hpp"
#include "folder.hpp"
#include "gradient.hpp"
#include "io/pictures.hpp"
#include "peers.hpp"
#include "session/reconstruction.hpp"

namespace {

using namespace ptyle;
using namespace ptyle::bench;

constexpr double wanted = 10;  // times

struct Point {
  int iteration = 0;
  double seconds = 0;
  FilmAgreement truth;
};

struct Curve {
  std::string name;
  double preparing = 0, compiling = 0;  ///< s, both counted in the points' seconds
  std::vector<Point> points;
};

/// Iterations of a run, and how often it is looked at.
struct Length {
  int iterations = 0, every = 0;
};

struct Film {
  Film(const Recipe& recipe, const std::string& name)
      : file(kept_set(recipe, name)), truth(read_result(file)), scan(recipe.scan.shape) {}
  std::string file;
  Result truth;
  std::array<int, 2> scan;
};

Told told_of(const Film& film) {
  const ReconstructConfig c = film_run(film.file, 1);
  return {.scan = film.scan,
          .window = film.truth.probe.shape()[1],
          .slices = c.object.slices,
          .modes = static_cast<int>(c.probe.modes),
          .pixel = film.truth.pixel_size,
          .step = c.scan.step[0],
          .slice_thickness = c.object.slice_thickness,
          .energy = c.optics.energy,
          .semi_angle = c.optics.semi_angle,
          .defocus = c.optics.defocus.value(),
          .threads = film_threads};
}

void print(const Curve& curve) {
  fmt::print("\n{}: {:.1f} s until the first iteration, {:.1f} s compiling\n", curve.name,
             curve.preparing, curve.compiling);
  fmt::print("{:>9} {:>8} {:>8} {:>11} {:>8} {:>10}\n", "iteration", "seconds", "SSIM",
             "correlation", "depth", "pos., Å");
  for (const Point& p : curve.points)
    fmt::print("{:>9} {:8.1f} {:8.4f} {:11.4f} {:8.3f} {:10.4f}\n", p.iteration, p.seconds,
               p.truth.ssim, p.truth.correlation, p.truth.depth, p.truth.positions);
  std::fflush(stdout);
}

/// `program` says what it prints: seconds until the first iteration and compiling, then iteration,
/// seconds and file of each result.
Curve by_peer(const std::string& name, const std::string& python, const std::string& program,
              const Film& film, const Length& length, const std::string& without = "") {
  const Folder folder;
  const Output output =
      output_of_peer(python, program,
                     fmt::format("'{}' '{}' '{}' {} {} {}", film.file, json(told_of(film)),
                                 folder / "results", length.iterations, length.every, without));
  std::istringstream lines(output.text);
  Curve curve{name, 0, 0, {}};
  lines >> curve.preparing >> curve.compiling;
  Point p;
  for (std::string result; lines >> p.iteration >> p.seconds >> result;) {
    p.truth = agreement(read_result(result), film.truth);
    curve.points.push_back(p);
  }
  if (curve.points.empty())
    throw std::runtime_error(fmt::format("{} printed no results, but: {}", program, output.text));
  return curve;
}

/// Looked at often in the beginning, as much happens then.
Curve by_ptyle(const Film& film, int iterations) {
  const auto team = make_local_team(1);
  double seconds = -wall_seconds();
  Reconstruction fit(film_run(film.file, iterations), *team);
  seconds += wall_seconds();
  Curve curve{"ptyle", seconds, 0, {}};
  while (!fit.finished()) {
    seconds -= wall_seconds();
    const int i = fit.step().iteration;
    seconds += wall_seconds();
    if (i <= 8 ? i % 2 == 0 : i % 5 == 0)
      curve.points.push_back({i, seconds, agreement(fit.result(), film.truth)});
  }
  return curve;
}

Curve slower(Curve a, const Curve& b) {
  if (b.points.back().seconds > a.points.back().seconds) return b;
  return a;
}

const Point& best(const Curve& curve) {
  return *std::max_element(
      curve.points.begin(), curve.points.end(),
      [](const Point& a, const Point& b) { return a.truth.ssim < b.truth.ssim; });
}

/// Seconds until an SSIM was seen that is at least this one.
std::optional<double> seconds_to(const Curve& curve, double ssim) {
  for (const Point& p : curve.points)
    if (p.truth.ssim >= ssim) return p.seconds;
  return std::nullopt;
}

void draw(const std::vector<Curve>& curves) {
  ChartPanel chart;
  Range seconds{1e9, 0};
  for (const Curve& curve : curves) {
    chart.curves.push_back({.name = curve.name, .points = true});
    for (const Point& p : curve.points) {
      chart.curves.back().x.push_back(p.seconds);
      chart.curves.back().y.push_back(p.truth.ssim);
      seconds = {std::min(seconds.low, p.seconds), std::max(seconds.high, p.seconds)};
    }
  }
  chart.title = "A film, two threads";
  chart.x_label = "seconds";
  chart.y_label = "SSIM of the summed phase";
  chart.log_x = true;
  chart.x_range = Range{seconds.low / 1.5, 10 * seconds.high};  // the legend needs a decade
  chart.y_range = Range{0, 1};
  write_picture("peers-film.png", {chart}, {.panel_px = 640});
}

/// True if ptyle is as far ahead as wanted.
bool race(const std::string& python, const Film& film, bool small) {
  const int iterations = small ? 15 : 40;
  const Curve first = by_ptyle(film, iterations);
  const Curve ptyrad =
      by_peer("PtyRAD 1.0", python, "ptyrad_film.py", film, small ? Length{10, 2} : Length{80, 10});
  print(ptyrad);
  const Curve phaser =
      by_peer("phaser 0.3.1", python, "phaser_film.py", film, small ? Length{8, 2} : Length{30, 5});
  print(phaser);
  const Curve ptyle = slower(first, by_ptyle(film, iterations));
  print(ptyle);
  draw({ptyle, ptyrad, phaser});

  const Point p = best(ptyrad), q = best(phaser);
  const Point& peer = p.truth.ssim > q.truth.ssim ? p : q;
  const auto seconds = seconds_to(ptyle, peer.truth.ssim);
  const double times = seconds ? peer.seconds / *seconds : 0;
  fmt::print("\npeers-film = {:.1f} times\n", times);
  return times >= wanted && ptyle.points.back().truth.ssim > peer.truth.ssim;
}

void phaser_without(const std::string& python, const Film& film, int iterations) {
  fmt::print("phaser 0.3.1, {} iterations, nominal positions\n", iterations);
  fmt::print("{:<28} {:>8} {:>11} {:>8} {:>8}\n", "without", "SSIM", "correlation", "depth",
             "seconds");
  const std::pair<const char*, const char*> parts[] = {{"nothing", "nothing"},
                                                       {"penalties", "penalties in the cost"},
                                                       {"clamp", "amplitude of at most 1"},
                                                       {"poisson", "Poisson (but amplitudes)"},
                                                       {"adam", "Adam of the object (but SGD)"},
                                                       {"aperture", "limit of the probe"},
                                                       {"absorption", "absorption (phase alone)"}};
  double with_all = 0;
  for (const auto& [part, label] : parts) {
    const Point p =
        best(by_peer("phaser", python, "phaser_film.py", film, {iterations, iterations}, part));
    fmt::print("{:<28} {:8.4f} {:11.4f} {:8.3f} {:8.1f}\n", label, p.truth.ssim,
               p.truth.correlation, p.truth.depth, p.seconds);
    std::fflush(stdout);
    if (with_all == 0) with_all = p.truth.ssim;
  }
  fmt::print("\npeers-film = {:.4f} SSIM of phaser\n", with_all);
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool small = !arguments.empty() && arguments[0] == "small";
  if (small) arguments.erase(arguments.begin());
  const bool without = !arguments.empty() && arguments[0] == "phaser-without";
  const std::string python = python_with("phaser");
  Recipe recipe = film_recipe();
  if (small) recipe.scan.shape = {20, 18};
  const Film film(recipe, small ? "small" : "film");
  fmt::print("{}; {} threads each\n", processor(), film_threads);
  if (without) {
    phaser_without(python, film, arguments.size() > 1 ? std::stoi(arguments[1]) : 5);
    return 0;
  }
  return race(python, film, small) || small ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "peers-film: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}
