#include "session/tune_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "io/part_file.hpp"
#include "io/pictures.hpp"
#include "session/agreement.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

constexpr const char* figures = "R,R held out,seconds";
constexpr std::size_t curves_at_most = 8;

void write_file(const std::string& path, const std::string& text) {
  if (!write_whole(path, text)) throw UserError(fmt::format("{} cannot be written", path));
}

/// A field of a row, by RFC 4180: one with a comma or a quote, as of a list, stands in quotes, and
/// its own are doubled.
std::string field_of(const std::string& value) {
  if (value.find_first_of(",\"") == std::string::npos) return value;
  std::string field = "\"";
  for (const char c : value) field += c == '"' ? "\"\"" : std::string(1, c);
  return field + '"';
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  char before = ',';
  for (const char c : line) {
    // The second of two within quotes: the first has closed what it opens again.
    if (c == '"' && before == '"' && !quoted) fields.back() += c;
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else
      fields.back() += c;
    before = c;
  }
  return fields;
}

}  // namespace

TuneTable::TuneTable(const std::string& folder, const std::vector<TuneAxis>& axes,
                     const std::string& text, bool overwrite, Team& team)
    : folder_(folder), file_((fs::path(folder) / "tune.csv").string()), leads_(team.leads()) {
  for (const TuneAxis& axis : axes) keys_.push_back(axis.key);
  const std::string there = file_of_leader(team, file_),
                    configuration =
                        file_of_leader(team, (fs::path(folder) / "config.yaml").string());
  const std::string head = fmt::format("{},{}", fmt::join(keys_, ","), figures);
  if (there.empty() && !configuration.empty() && configuration != text && !overwrite)
    throw UserError(
        fmt::format("{} holds something else already, with a config.yaml of its own; --folder "
                    "takes another folder, --overwrite this one",
                    folder));
  if (!there.empty() && !overwrite) {
    if (!there.starts_with(head + "\n") || configuration != text)
      throw UserError(
          fmt::format("{} has rows of another configuration or of other keys; "
                      "--overwrite begins anew, --folder takes another folder",
                      file_));
    read(there);
  } else {
    agree(team, failure_of([&] {
            if (!leads_) return;
            fs::create_directories(folder);
            write_file((fs::path(folder) / "config.yaml").string(), text);
            write();
          }));
  }
}

void TuneTable::read(const std::string& text) {
  std::istringstream in(text);
  std::string line;
  std::getline(in, line);  // the head
  while (std::getline(in, line)) {
    const auto fields = fields_of(line);
    const std::size_t n = keys_.size();
    if (fields.size() != n + 3)
      throw UserError(fmt::format("{}: '{}' is no row of {} fields; --overwrite begins anew", file_,
                                  line, n + 3));
    TunePoint row{.values = {fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(n)}};
    const std::array numbers{&row.r_factor, &row.r_held_out, &row.seconds};
    for (std::size_t f = 0; f < numbers.size(); ++f) {
      const auto number = number_of(fields[n + f]);
      if (!number)
        throw UserError(
            fmt::format("{}: '{}' is no number; --overwrite begins anew", file_, fields[n + f]));
      *numbers[f] = *number;
    }
    rows_.push_back(std::move(row));
  }
}

void TuneTable::write() const {
  std::string text = fmt::format("{},{}\n", fmt::join(keys_, ","), figures);
  for (const TunePoint& row : rows_) {
    for (const auto& value : row.values) text += field_of(value) + ",";
    text += fmt::format("{:.17g},{:.17g},{:.1f}\n", row.r_factor, row.r_held_out, row.seconds);
  }
  write_file(file_, text);
}

const TunePoint* TuneTable::find(const std::vector<std::string>& values) const {
  const auto row = std::find_if(rows_.begin(), rows_.end(),
                                [&](const TunePoint& p) { return p.values == values; });
  return row == rows_.end() ? nullptr : &*row;
}

void TuneTable::add(const TunePoint& point) {
  rows_.push_back(point);
  if (leads_) write();
}

void TuneTable::draw(const Result& result, const std::string& title) const {
  const auto [slices, rows, cols] = result.phase.shape();
  Array<float, 2> sum({rows, cols});
  for (i64 i = 0; i < result.phase.size(); ++i)
    sum.data()[i % sum.size()] += result.phase.data()[i];
  write_picture((fs::path(folder_) / fmt::format("phase-{:03}.png", rows_.size() + 1)).string(),
                {image_panel(std::as_const(sum).view(), title, "phase (rad)", result.pixel_size,
                             result.units)});
}

void draw_tuning(const TuneReport& report, const std::vector<TuneAxis>& axes,
                 const std::string& path) {
  ChartPanel chart{.title = "R of what is held out", .x_label = axes[0].key, .y_label = "R"};
  std::map<std::string, std::vector<std::pair<double, double>>> curves;
  std::map<std::string, double> places;  // of words, in the order in which they came
  for (const TunePoint& point : report.points) {
    if (!std::isfinite(point.r_held_out)) continue;
    const std::string& x = point.values[0];
    const auto number = number_of(x);
    const double at =
        number ? *number : places.emplace(x, static_cast<double>(places.size() + 1)).first->second;
    std::string name;
    for (std::size_t a = 1; a < axes.size(); ++a)
      name += fmt::format("{}{}={}", a > 1 ? ", " : "", axes[a].key, point.values[a]);
    curves[name].emplace_back(at, point.r_held_out);
  }
  for (auto& [name, points] : curves) {
    std::sort(points.begin(), points.end());
    Curve curve{.name = curves.size() <= curves_at_most ? name : "", .points = true};
    for (const auto& [x, y] : points) curve.x.push_back(x), curve.y.push_back(y);
    chart.curves.push_back(std::move(curve));
  }
  if (!places.empty()) {
    chart.x_label += ":";
    for (const auto& [word, place] : places)
      chart.x_label += fmt::format(" {:.0f} {}", place, word);
  }
  write_picture(path, {chart});
}

}  // namespace ptyle
