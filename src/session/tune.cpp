#include "session/tune.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"
#include "session/agreement.hpp"
#include "session/keys.hpp"
#include "session/reconstruct_keys.hpp"
#include "session/settings.hpp"
#include "session/tune_table.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

constexpr double held_out_pixels = 0.05;  ///< where the configuration holds nothing out
/// A relative difference of R below which values are not told apart.
constexpr double resolvable = 0.01;

std::vector<std::string> parts_of(const std::string& text, char between) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(between, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}

/// Values judged by other patterns, or by other parts of these, do not compare.
void check_judged(const TuneAxis& axis) {
  for (const char* key : {"solver.hold_out", "solver.hold_out_pixels", "solver.seed", "data.file",
                          "data.patterns", "data.positions", "data.skip", "data.bin", "data.crop",
                          "data.background", "data.readout_noise", "data.mask", "data.saturation"})
    if (axis.key == key)
      throw UserError(fmt::format(
          "--over {}: R of what is held out judges the values, so that the patterns and what is "
          "held out of them have to be the same with all of them; give one value with --set",
          key));
}

/// A,B,C where the commas of lists, which stand in brackets, belong to these.
std::vector<std::string> values_of(const std::string& text, const std::string& over) {
  std::vector<std::string> values(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (depth < 0) break;
    if (c == ',' && depth == 0)
      values.emplace_back();
    else
      values.back() += c;
  }
  if (depth != 0)
    throw UserError(fmt::format("--over {}: '{}' has a bracket without the other one", over, text));
  return values;
}

/// Lists stand in brackets, and there are no ranges of them.
void check_lists(const TuneAxis& axis, const Key& key) {
  if (key.limits.or_one || !key.takes_list()) return;
  const bool listed =
      !axis.is_searched() && std::all_of(axis.values.begin(), axis.values.end(),
                                         [](const auto& value) { return value.starts_with("["); });
  if (!listed)
    throw UserError(
        fmt::format("--over {0}: its value is {1}, of which there are no ranges; give each in "
                    "brackets, as in --over {0}=[…],[…]",
                    axis.key, expected(key)));
}

/// A grid in place of a search, as --over has it.
std::string grid_of(const TuneAxis& axis, const Key& key) {
  if (key.takes_whole_numbers())
    return fmt::format("{}={:.0f}:{:.0f}:1", axis.key, std::ceil(axis.from), std::floor(axis.to));
  const auto& words = key.choices();
  return fmt::format("{}={}", axis.key,
                     words.empty() ? "true,false" : fmt::format("{}", fmt::join(words, ",")));
}

/// A search takes any number between its ends.
void check_search(const TuneAxis& axis, const Key& key) {
  if (axis.is_searched() && !key.takes_reals())
    throw UserError(
        fmt::format("--over {}={:g}:{:g} is searched, but between values of {} there "
                    "is nothing to search; give all of them, as in --over {}",
                    axis.key, axis.from, axis.to, expected(key), grid_of(axis, key)));
}

void check_kind(const TuneAxis& axis) {
  with_keys(ReconstructConfig{}, [&](const Keys& keys, const Keys&) {
    for (const Key& key : keys.all()) {
      if (key.path != axis.key && key.formerly != axis.key) continue;
      check_lists(axis, key);
      check_search(axis, key);
    }
  });
}

std::string text_of(double value) { return fmt::format("{:.6g}", value == 0 ? 0.0 : value); }

/// FROM, FROM + STEP, … up to TO and the rounding of a step.
std::vector<std::string> grid(double from, double to, double step, const std::string& text) {
  constexpr double most = 1000;
  if (step == 0 || (to - from) / step < 0)
    throw UserError(
        fmt::format("--over {}: no step of {:g} leads from {:g} to {:g}", text, step, from, to));
  const double steps = std::floor((to - from) / step + 1e-6);
  if (steps >= most)
    throw UserError(fmt::format("--over {}: {:.0f} values are too many; at most {:.0f} are tried",
                                text, steps + 1, most));
  std::vector<std::string> values;
  for (int i = 0; i <= static_cast<int>(steps); ++i) values.push_back(text_of(from + i * step));
  return values;
}

/// All combinations; the last axis varies fastest.
std::vector<std::vector<std::string>> combinations(const std::vector<TuneAxis>& axes) {
  std::vector<std::vector<std::string>> all{{}};
  for (const TuneAxis& axis : axes) {
    std::vector<std::vector<std::string>> longer;
    for (const auto& before : all)
      for (const auto& value : axis.values) {
        longer.push_back(before);
        longer.back().push_back(value);
      }
    all = std::move(longer);
  }
  return all;
}

std::string named(const std::vector<TuneAxis>& axes, const std::vector<std::string>& values) {
  std::string all;
  for (std::size_t a = 0; a < axes.size(); ++a)
    all += fmt::format("{}{}={}", a > 0 ? ", " : "", axes[a].key, values[a]);
  return all;
}

class Tuning {
 public:
  Tuning(const TuneConfig& config, const ReconstructCallbacks& callbacks, Team& team)
      : config_(config), callbacks_(callbacks), team_(team) {
    report_.folder = config.folder.empty() ? tune_folder(config.file) : config.folder;
  }

  TuneReport run() {
    check();
    check_folder();
    TuneTable table(report_.folder, config_.over, base_text(), config_.overwrite, team_);
    table_ = &table;
    if (config_.over[0].is_searched())
      search(config_.over[0].from, config_.over[0].to);
    else
      for (const auto& values : combinations(config_.over))
        if (report_.whole) (void)error_with(values);
    find_best();
    if (team_.leads() && !report_.points.empty())
      draw_tuning(report_, config_.over, (fs::path(report_.folder) / "tune.png").string());
    if (report_.whole) conclude();
    return std::move(report_);
  }

 private:
  void check() {
    if (config_.over.empty())
      throw UserError("tune needs a key to vary: --over optics.defocus=-50:50:5");
    for (std::size_t a = 0; a < config_.over.size(); ++a) {
      const TuneAxis& axis = config_.over[a];
      check_kind(axis);
      check_judged(axis);
      if (axis.is_searched() && config_.over.size() > 1)
        throw UserError(fmt::format(
            "--over {0}={1:g}:{2:g} is searched, and a search goes over one key alone: give it a "
            "step ({0}={1:g}:{2:g}:STEP), or leave the others out",
            axis.key, axis.from, axis.to));
      for (std::size_t b = 0; b < a; ++b)
        if (config_.over[b].key == axis.key)
          throw UserError(fmt::format("--over {} is given twice", axis.key));
    }
    for (const auto& values : config_.over[0].is_searched() ? ends() : combinations(config_.over))
      (void)input_of(values);
  }
  void check_folder() const {
    if (const auto fault = fault_of_folder(report_.folder))
      throw UserError(fmt::format("--folder {}: {}", report_.folder, *fault));
  }
  /// The configuration with these values of the axes, read once.
  const ReconstructInput& input_of(const std::vector<std::string>& values) {
    if (const auto there = inputs_.find(values); there != inputs_.end()) return there->second;
    ReconstructInput input = read_with(values);
    const auto& solver = input.config.solver;
    if (inputs_.empty() && solver.hold_out == 0 && solver.hold_out_pixels.value_or(0) == 0) {
      hold_out_ = true;
      input = read_with(values);
    }
    return inputs_.emplace(values, std::move(input)).first->second;
  }
  [[nodiscard]] ReconstructInput read_with(const std::vector<std::string>& values) const {
    auto settings = config_.settings;  // later ones prevail
    if (hold_out_) settings.push_back(fmt::format("solver.hold_out_pixels={}", held_out_pixels));
    settings.push_back(fmt::format("solver.iterations={}", config_.iterations));
    for (std::size_t a = 0; a < values.size(); ++a)
      settings.push_back(config_.over[a].key + "=" + values[a]);
    return read_reconstruct(config_.file, settings, false, false, false);
  }
  [[nodiscard]] std::vector<std::vector<std::string>> ends() const {
    return {{text_of(config_.over[0].from)}, {text_of(config_.over[0].to)}};
  }
  /// The configuration around which is tuned: rows of another one do not belong to it.
  [[nodiscard]] std::string base_text() {
    std::vector<std::string> first;
    for (const TuneAxis& axis : config_.over)
      first.push_back(axis.is_searched() ? text_of(axis.from) : axis.values[0]);
    return input_of(first).resolved;
  }

  /// Golden section (J. Kiefer, Proc. Am. Math. Soc. 4, 502 (1953)): R of what was held out is
  /// taken to have one minimum between a and b.
  void search(double a, double b) {
    const double ratio = (std::sqrt(5.0) - 1) / 2;
    const auto error_at = [&](double x) { return error_with({text_of(x)}); };
    double left = b - ratio * (b - a), right = a + ratio * (b - a);
    double at_left = error_at(left), at_right = error_at(right);
    for (int done = 2; done < config_.evaluations && report_.whole; ++done) {
      if (at_left < at_right) {
        b = std::exchange(right, left), at_right = at_left;
        left = b - ratio * (b - a), at_left = error_at(left);
      } else {
        a = std::exchange(left, right), at_left = at_right;
        right = a + ratio * (b - a), at_right = error_at(right);
      }
    }
  }

  /// R of what is held out, infinite where the cost diverges; computed where there is no row yet.
  double error_with(const std::vector<std::string>& values) {
    if (!report_.whole) return INFINITY;
    if (const TunePoint* there = table_->find(values)) {
      report_.points.push_back(*there);
    } else {
      const auto point = computed(values);
      if (!point) return INFINITY;
      report_.points.push_back(*point);
      table_->add(*point);
    }
    const TunePoint& point = report_.points.back();
    if (callbacks_.log && team_.leads())
      callbacks_.log(
          std::isfinite(point.r_held_out)
              ? fmt::format("{}: R {:.5f}, of what is held out {:.5f} ({:.1f} s)",
                            named(config_.over, values), point.r_factor, point.r_held_out,
                            point.seconds)
              : fmt::format("{}: the cost is not a number", named(config_.over, values)));
    return std::isfinite(point.r_held_out) ? point.r_held_out : INFINITY;
  }

  std::optional<TunePoint> computed(const std::vector<std::string>& values) {
    const ReconstructInput& input = input_of(values);
    ReconstructCallbacks quiet;
    quiet.progress = callbacks_.progress;
    quiet.stop = callbacks_.stop;
    if (report_.points.empty()) quiet.warn = callbacks_.warn;
    const auto start = std::chrono::steady_clock::now();
    TunePoint point{.values = values};
    try {
      Reconstruction run(CheckedConfig{input.config}, team_, quiet, input.resolved);
      Progress last;
      while (!run.finished()) {
        last = run.step();
        std::vector<double> asked{callbacks_.stop && callbacks_.stop() ? 1.0 : 0.0};
        team_.sum(asked);
        if (asked[0] > 0) {
          report_.whole = false;
          return {};
        }
      }
      point.r_factor = last.r_factor;
      point.r_held_out = last.r_held_out_pixels >= 0 ? last.r_held_out_pixels : last.r_held_out;
      const Result result = run.result();
      if (team_.leads()) table_->draw(result, named(config_.over, values));
    } catch (const CostNotFinite&) {  // on all ranks
    }
    point.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return point;
  }

  void find_best() {
    for (std::size_t i = 0; i < report_.points.size(); ++i)
      if (std::isfinite(report_.points[i].r_held_out) &&
          (!report_.best ||
           report_.points[i].r_held_out < report_.points[*report_.best].r_held_out))
        report_.best = i;
  }

  void conclude() const {
    if (!callbacks_.log || !team_.leads()) return;
    if (!report_.best) throw UserError("tune: the cost diverged with all of the values");
    const TunePoint& best = report_.points[*report_.best];
    double largest = best.r_held_out;
    for (const auto& point : report_.points)
      if (std::isfinite(point.r_held_out)) largest = std::max(largest, point.r_held_out);
    if (largest - best.r_held_out < resolvable * largest) {
      callbacks_.log(
          fmt::format("undetermined: R of what is held out differs by less than {:.0f} %"
                      " between all of them",
                      100 * resolvable));
      return;
    }
    std::string settings;
    for (std::size_t a = 0; a < config_.over.size(); ++a) {
      const bool list = best.values[a].starts_with("[");  // which a shell may take for a pattern
      settings +=
          fmt::format(" --set {0}{1}={2}{0}", list ? "'" : "", config_.over[a].key, best.values[a]);
    }
    callbacks_.log(
        fmt::format("best:{} (R of what is held out {:.5f})", settings, best.r_held_out));
    for (std::size_t a = 0; a < config_.over.size(); ++a) say_more_of(a, best);
  }

  /// The end of an axis may not be its minimum; between three numbers a parabola has one.
  void say_more_of(std::size_t a, const TunePoint& best) const {
    const TuneAxis& axis = config_.over[a];
    std::vector<std::pair<double, double>> line;  // along this axis, all others at the best
    for (const TunePoint& point : report_.points) {
      bool beside = std::isfinite(point.r_held_out);
      for (std::size_t b = 0; b < config_.over.size(); ++b)
        beside = beside && (b == a || point.values[b] == best.values[b]);
      const auto x = number_of(point.values[a]);
      if (beside && x && std::isfinite(*x)) line.emplace_back(*x, point.r_held_out);
    }
    std::sort(line.begin(), line.end());
    if (line.size() < 3) return;
    const auto least = std::min_element(
        line.begin(), line.end(), [](const auto& p, const auto& q) { return p.second < q.second; });
    if (least == line.begin() || least == line.end() - 1) {
      callbacks_.log(
          fmt::format("{}: the best value is at the end of the range; go on beyond it", axis.key));
    } else {
      const auto [x0, y0] = *(least - 1);
      const auto [x1, y1] = *least;
      const auto [x2, y2] = *(least + 1);
      const double down = (y1 - y0) / (x1 - x0), up = (y2 - y1) / (x2 - x1);
      if (up > down)
        callbacks_.log(
            fmt::format("{}: a parabola through the best and its neighbours is least "
                        "at {:.5g}",
                        axis.key, (x0 + x1) / 2 - down * (x2 - x0) / (2 * (up - down))));
    }
  }

  const TuneConfig& config_;
  const ReconstructCallbacks& callbacks_;
  Team& team_;
  TuneTable* table_ = nullptr;
  std::map<std::vector<std::string>, ReconstructInput> inputs_;  // by the values of the axes
  bool hold_out_ = false;                                        // by what is set here
  TuneReport report_;
};

}  // namespace

TuneAxis read_tune_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw UserError(fmt::format(
        "--over {}: a key and its values are KEY=FROM:TO:STEP, KEY=FROM:TO or KEY=A,B,C", text));
  TuneAxis axis;
  axis.key = text.substr(0, equals);
  const std::string values = text.substr(equals + 1);
  const auto ends = parts_of(values, ':');
  if (ends.size() == 1 || values.find_first_of("[]") != std::string::npos) {
    axis.values = values_of(values, text);
    return axis;
  }
  std::vector<double> numbers;
  for (const auto& end : ends)
    if (const auto number = number_of(end); number && std::isfinite(*number))
      numbers.push_back(*number);
  if (numbers.size() != ends.size() || numbers.size() > 3)
    throw UserError(fmt::format("--over {}: '{}' is no range of numbers, FROM:TO:STEP or FROM:TO",
                                text, values));
  if (numbers.size() == 3) {
    axis.values = grid(numbers[0], numbers[1], numbers[2], text);
  } else {
    axis.from = std::min(numbers[0], numbers[1]), axis.to = std::max(numbers[0], numbers[1]);
    if (axis.from == axis.to)
      throw UserError(fmt::format("--over {}: the interval is empty", text));
  }
  return axis;
}

std::string tune_folder(const std::string& file) {
  const auto path = fs::absolute(file).lexically_normal();
  return (path.parent_path() / (path.stem().string() + "-tune")).string();
}

TuneReport tune(const TuneConfig& config, const ReconstructCallbacks& callbacks, Team& team) {
  return Tuning(config, callbacks, team).run();
}

}  // namespace ptyle
