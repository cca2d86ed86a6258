// The files for the eye, made of result.h5: phase.tif and the pictures.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "analysis/scan_extent.hpp"
#include "core/bounds.hpp"
#include "core/pulse.hpp"
#include "io/disk_space.hpp"
#include "io/pictures.hpp"
#include "io/reduced_image.hpp"
#include "io/tiff.hpp"
#include "operator/probe.hpp"
#include "session/agreement.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

double bytes_of(const std::array<i64, 3>& shape) {
  return static_cast<double>(View<const float, 3>{nullptr, shape}.size()) * sizeof(float);
}

constexpr int sum_px = 800, slice_px = 500;  // the longer side of a picture of the object

int probe_px(i64 modes) { return modes == 1 ? 560 : modes == 2 ? 600 : 440; }
constexpr i64 modes_drawn = 12;

using Image = ReducedImage<double>;

/// The contrast is taken from the scanned area: outside it the object is hardly lit.
Range range_in_scan(const Image& image, const ResultFacts& result) {
  std::vector<double> inside;
  const auto [low, high] = bounds_of(result.positions);
  const auto scale = image.scale();
  const auto within = [&](i64 i, double pixels, double from, double to) {
    const double at = (static_cast<double>(i) + 0.5) * pixels - 0.5;
    return at >= from / result.pixel_size && at <= to / result.pixel_size;
  };
  const View<const double, 2> values = image.values();
  for (i64 y = 0; y < values.shape[0]; ++y)
    for (i64 x = 0; x < values.shape[1]; ++x)
      if (within(y, scale[0], low.row, high.row) && within(x, scale[1], low.col, high.col))
        inside.push_back(values(y, x));
  if (inside.size() < 16) return robust_range(values);
  return robust_range({inside.data(), {1, static_cast<i64>(inside.size())}});
}

ImagePanel object_panel(const Image& image, const ResultFacts& result, const std::string& title,
                        const std::string& quantity) {
  ImagePanel panel =
      image_panel(image.values(), title, quantity, result.pixel_size * image.scale()[1],
                  result.units, ColourMap::gray);
  panel.range = range_in_scan(image, result);
  return panel;
}

using Slices = std::map<i64, Image>;

void draw_slices(const Slices& slices, i64 n, const ResultFacts& result, const std::string& path) {
  std::vector<Panel> panels;
  for (const auto& [z, slice] : slices) {
    std::string title = fmt::format("slice {} of {}", z + 1, n);
    if (result.slice_thickness > 0)
      title +=
          fmt::format(", {:.4g} to {:.4g} Å deep", static_cast<double>(z) * result.slice_thickness,
                      static_cast<double>(z + 1) * result.slice_thickness);
    panels.emplace_back(object_panel(slice, result, title, "phase (rad)"));
  }
  write_picture(path, panels, {.columns = 3, .panel_px = slice_px});
}

void draw_probe(const ResultFacts& result, const std::string& path) {
  const i64 modes = result.probe.shape()[0];
  const std::vector<double> shares = shares_of_power<float>(result.probe);
  std::vector<Panel> panels;
  const int px = probe_px(modes);
  for (i64 m = 0; m < std::min(modes, modes_drawn); ++m) {
    const double percent = 100 * shares[static_cast<std::size_t>(m)];
    const std::string title =
        modes == 1 ? "probe" : fmt::format("probe mode {}, {:.3g} % of the power", m + 1, percent);
    const View<const Complex<float>, 2> mode = result.probe.view()[m];
    ReducedImage<Complex<double>> image(mode.shape, reduced_shape(mode.shape, px));
    image.add(0, mode);
    panels.emplace_back(
        image_panel(image.values(), title, result.pixel_size * image.scale()[1], result.units));
  }
  write_picture(path, panels, {.panel_px = px});
}

void draw_history(const History& history, const std::string& path) {
  ChartPanel chart{.title = "R-factor",
                   .x_label = "iteration",
                   .y_label = "R = Σ(√I − √y)² / Σy  (I: model, y: counts)",
                   .log_y = true};
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    Curve curve{.name = name, .points = values.size() <= 60};
    for (std::size_t i = 0; i < values.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
      curve.y.push_back(values[i]);
    }
    if (!values.empty()) chart.curves.push_back(std::move(curve));
  };
  const bool alone = history.r_held_out.empty() && history.r_held_out_pixels.empty();
  add(alone ? "" : "fitted", history.r_factor);
  add("held-out patterns", history.r_held_out);
  add("held-out detector pixels", history.r_held_out_pixels);
  write_picture(path, {chart});
}

/// The paper's Fig. 7b: what each rank spent its time on.
void draw_ranks(const std::vector<RankFigure>& ranks, const std::string& path) {
  BarPanel bars{.title = "time of each rank", .x_label = "rank", .y_label = "time (s)"};
  for (const char* name : {"computing", "waiting", "communicating", "reading", "other"})
    for (const RankFigure& figure : ranks)
      if (figure.name == name && figure.values.size() > 1)
        bars.parts.push_back({figure.name, figure.values});
  if (!bars.parts.empty()) write_picture(path, {bars});
}

/// A line from where each position was to where it is, as long as shows: the longest of them twice
/// the step of the scan.
void draw_positions(const ResultFacts& result, const std::string& path) {
  const auto &from = result.positions_start, &to = result.positions;
  ScatterPanel panel{.points = from,
                     .quantity = fmt::format("moved by ({})", result.units == "A" ? "Å" : "px"),
                     .unit = result.units};
  double farthest = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    panel.moves.push_back({to[i].row - from[i].row, to[i].col - from[i].col});
    panel.values.push_back(std::hypot(panel.moves[i].row, panel.moves[i].col));
    farthest = std::max(farthest, panel.values[i]);
  }
  const double step = scan_extent(from).step;
  if (farthest > 0 && step > 0) panel.magnified = std::max(1.0, std::round(2 * step / farthest));
  panel.range = Range{0, farthest > 0 ? farthest : 1};
  panel.title = panel.magnified > 1
                    ? fmt::format("positions moved, drawn {:.0f} times as far", panel.magnified)
                    : "positions moved";
  write_picture(path, {panel});
}

/// phase.tif and pictures, made of result.h5, some rows at a time:
///   1. every slice goes into the TIFF stack, and into the reduced images of the pictures
///   2. the stack gets its name
///   3. the pictures are drawn, one after the other
/// One that fails is missed and does not keep the others from being made.
class Copies {
 public:
  Copies(const fs::path& folder, const OutputChoice& choice, Ledger* ledger,
         std::vector<std::string>& missing)
      : folder_(folder),
        choice_(choice),
        ledger_(ledger),
        missing_(missing),
        result_(name("result.h5")),
        shape_(result_.shape()),
        memory_(writing_memory(shape_, result_.has_absorption(), facts().probe.shape()[0],
                               facts().probe.shape()[1], static_cast<i64>(facts().positions.size()),
                               choice)) {
    if (ledger) facts_ = ledger->book("result", static_cast<std::size_t>(memory_.facts));
  }

  void make() {
    if (choice_.tiff) attempt("phase.tif", [&] { begin_tiff(); });
    if (choice_.pictures) attempt("the pictures of the object", [&] { begin_images(); });
    if (tiff_ || phase_sum_) read();
    if (tiff_) attempt("phase.tif", [&] { tiff_->finish(); });
    tiff_.reset();
    if (choice_.pictures) attempt("pictures", [&] { draw(); });
  }

 private:
  [[nodiscard]] std::string name(const char* file) const { return (folder_ / file).string(); }
  [[nodiscard]] const ResultFacts& facts() const { return result_.facts(); }
  [[nodiscard]] i64 slices() const { return shape_[0]; }

  template <class Work>
  bool attempt(const char* what, Work&& work) {
    beat();
    std::string reason;
    try {
      work();
      return true;
    } catch (const std::bad_alloc&) {
      reason = "the memory is not enough";
    } catch (const std::exception& e) {
      reason = e.what();
    }
    missing_.push_back(fmt::format("{} cannot be made: {}; result.h5 is complete", what, reason));
    return false;
  }

  void begin_tiff() {
    check_disk_space(folder_.string(), bytes_of(shape_), "phase.tif");
    tiff_.emplace(name("phase.tif"), shape_,
                  VoxelSize{facts().pixel_size, facts().slice_thickness, facts().units},
                  rows_at_a_time(shape_));
  }

  void begin_images() {
    const i64 n = slices();
    const std::array<i64, 2> slice{shape_[1], shape_[2]};
    const auto image = [&](int px) {
      return Image(slice, reduced_shape(slice, px), ledger_, "result");
    };
    if (result_.has_absorption()) absorption_sum_ = image(sum_px);
    if (n > 1)
      for (const i64 z : {i64{0}, n / 2, n - 1})
        if (!slices_.contains(z)) slices_.emplace(z, image(slice_px));
    phase_sum_ = image(sum_px);
  }

  void read() {
    const i64 most = rows_at_a_time(shape_);
    for (i64 z = 0; z < slices(); ++z)
      for (i64 first = 0; first < shape_[1]; first += most) {
        const Box box{{first, std::min(first + most, shape_[1])}, {0, shape_[2]}};
        Array<float, 2> rows({box.rows.size(), box.cols.size()}, ledger_, "result");
        result_.phase(z, box, rows);
        if (tiff_ && !attempt("phase.tif", [&] { tiff_->rows(rows); })) tiff_.reset();
        if (!phase_sum_) continue;
        phase_sum_->add<float>(first, rows);
        if (const auto kept = slices_.find(z); kept != slices_.end())
          kept->second.add<float>(first, rows);
        if (!absorption_sum_) continue;
        result_.absorption(z, box, rows);
        absorption_sum_->add<float>(first, rows);
      }
  }

  void draw() {
    const i64 n = slices();
    Ledger::Booking drawing;
    if (ledger_) drawing = ledger_->book("result", static_cast<std::size_t>(memory_.drawing));
    const std::string of = n > 1 ? fmt::format(", sum of {} slices", n) : "";
    const auto sum = [&](const char* file, const std::optional<Image>& image, const char* quantity,
                         const char* unit) {
      if (image)
        attempt(file, [&] {
          write_picture(name(file), {object_panel(*image, facts(), quantity + of, unit)},
                        {.panel_px = sum_px});
        });
    };
    const auto one = [&](const char* file, bool asked, const auto& make) {
      if (asked) attempt(file, [&] { make(name(file)); });
    };
    sum("phase-sum.png", phase_sum_, "phase", "phase (rad)");
    one("slices.png", !slices_.empty(),
        [&](const auto& path) { draw_slices(slices_, n, facts(), path); });
    sum("absorption-sum.png", absorption_sum_, "absorption", "absorption");
    one("probe.png", !facts().probe.empty(), [&](const auto& path) { draw_probe(facts(), path); });
    one("r-factor.png", !facts().history.r_factor.empty(),
        [&](const auto& path) { draw_history(facts().history, path); });
    one("ranks.png", true, [&](const auto& path) { draw_ranks(facts().ranks, path); });
    one("positions.png", !facts().positions_start.empty(),
        [&](const auto& path) { draw_positions(facts(), path); });
  }

  fs::path folder_;
  OutputChoice choice_;
  Ledger* ledger_;
  std::vector<std::string>& missing_;
  ResultReader result_;
  std::array<i64, 3> shape_;
  WritingMemory memory_;
  Ledger::Booking facts_;
  std::optional<TiffStack> tiff_;
  std::optional<Image> phase_sum_, absorption_sum_;
  Slices slices_;
};

}  // namespace

double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff) {
  return bytes_of(shape) * (1 + (absorption ? 1 : 0) + (tiff ? 1 : 0));
}

i64 rows_at_a_time(const std::array<i64, 3>& shape) {
  constexpr i64 bytes = i64{4} << 20;
  const i64 of_a_row = shape[2] * static_cast<i64>(sizeof(float));
  return std::clamp<i64>(bytes / std::max<i64>(1, of_a_row), 1, shape[1]);
}

WritingMemory writing_memory(const std::array<i64, 3>& shape, bool absorption, i64 modes,
                             i64 window, i64 positions, const OutputChoice& choice) {
  const double slab = double(rows_at_a_time(shape) * shape[2]) * sizeof(float),
               probe = double(modes * window * window) * sizeof(Complex<float>);
  WritingMemory bytes;
  bytes.facts = probe + double(positions) * (2 * sizeof(Position) + 2 * sizeof(i64));
  // The rows of a rank, of all ranks, and in their places; the phase's beside the absorption's. The
  // probe is made orthogonal in double.
  bytes.result = slab * (absorption ? 4 : 3) + bytes.facts + 2 * probe;
  if (!choice.tiff && !choice.pictures) return bytes;
  bytes.copies = slab + bytes.facts;
  if (!choice.pictures) return bytes;
  const auto pixels = [](const std::array<i64, 2>& image, int px) {
    const auto [rows, cols] = reduced_shape(image, px);
    return double(rows * cols);
  };
  const std::array<i64, 2> slice{shape[1], shape[2]}, mode{window, window};
  const i64 sums = absorption ? 2 : 1, single = shape[0] > 1 ? std::min<i64>(shape[0], 3) : 0;
  const double images = sizeof(double) * (double(sums) * pixels(slice, sum_px) +
                                          double(single) * pixels(slice, slice_px));
  // One picture after the other. Its pixels are the panel's numbers, those that are shown, colours,
  // and twice 4 bytes of the canvas; a probe's numbers are those of all modes.
  const double shown = double(sum_px) * sum_px * (2 * sizeof(double) + sizeof(Colour) + 8),
               panels = double(std::min(modes, modes_drawn)) * pixels(mode, probe_px(modes)) *
                        sizeof(Complex<double>);
  constexpr double fonts = 8e6;  // and what else cairo keeps
  bytes.drawing = std::max(shown, panels) + fonts;
  bytes.copies += images + bytes.drawing;
  return bytes;
}

std::vector<std::string> write_copies(const std::string& folder, const OutputChoice& choice,
                                      Ledger* ledger) {
  std::vector<std::string> missing;
  if (!choice.tiff && !choice.pictures) return missing;
  const std::string failure =
      failure_of([&] { Copies(folder.empty() ? "." : folder, choice, ledger, missing).make(); });
  if (!failure.empty()) missing.push_back("phase.tif or pictures are missing: " + failure);
  return missing;
}

}  // namespace ptyle
