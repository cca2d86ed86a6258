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
#include "core/error.hpp"
#include "core/pulse.hpp"
#include "exchange/local/team.hpp"
#include "io/disk_space.hpp"
#include "io/pictures.hpp"
#include "io/reduced_image.hpp"
#include "io/rows_at_a_time.hpp"
#include "io/tiff.hpp"
#include "operator/probe.hpp"
#include "session/agreement.hpp"
#include "session/copy_object.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

double bytes_of(const std::array<i64, 3>& shape) {
  return static_cast<double>(View<const float, 3>{nullptr, shape}.size()) * sizeof(float);
}

constexpr int sum_px = ObjectImages::sum_px, slice_px = ObjectImages::slice_px;

int probe_px(i64 modes) { return modes == 1 ? 560 : modes == 2 ? 600 : 440; }
constexpr i64 modes_drawn = 12;

using Image = ObjectImages::Image;

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

void draw_slices(const std::map<i64, Image>& slices, i64 n, const ResultFacts& result,
                 const std::string& path) {
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

/// phase.tif and pictures, made of result.h5, on the process that leads:
///   1. begin(): the file of the TIFF stack is laid out
///   2. meanwhile ranks go through the object together (session/copy_object)
///   3. finish(): the stack gets its name
///   4. the pictures are drawn, one after the other
/// One that fails is missed and does not keep the others from being made.
class Copies {
 public:
  Copies(const fs::path& folder, const OutputChoice& choice, Ledger* ledger,
         std::vector<std::string>& missing)
      : folder_(folder), choice_(choice), ledger_(ledger), missing_(missing) {
    ResultReader result(name("result.h5"));
    shape_ = result.shape();
    absorption_ = result.has_absorption();
    facts_ = result.take_facts();
    memory_ = writing_memory(shape_, absorption_, facts_.probe.shape()[0], facts_.probe.shape()[1],
                             static_cast<i64>(facts_.positions.size()), choice);
    if (ledger) booking_ = ledger->book("result", static_cast<std::size_t>(memory_.facts));
  }

  CopyTask begin() {
    CopyTask task;
    if (choice_.tiff && !attempt("phase.tif", [&] { task.strips = begin_tiff(); })) tiff_.reset();
    if (tiff_) task.tiff = name("phase.tif");
    task.images = choice_.pictures;
    if (tiff_ || task.images) task.result = name("result.h5");
    return task;
  }

  void finish(Copied copied) {
    const auto refuse = [](const std::string& why) {
      if (!why.empty()) throw UserError(why);
    };
    if (tiff_)
      attempt("phase.tif", [&] {
        refuse(copied.tiff_failure);
        tiff_->set_range(copied.low, copied.high);
        tiff_->finish();
      });
    tiff_.reset();
    if (!choice_.pictures) return;
    if (attempt("the pictures of the object", [&] { refuse(copied.images_failure); }))
      images_ = std::move(copied.images);
    attempt("pictures", [&] { draw(); });
  }

 private:
  [[nodiscard]] std::string name(const char* file) const { return (folder_ / file).string(); }
  [[nodiscard]] const ResultFacts& facts() const { return facts_; }
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

  std::vector<i64> begin_tiff() {
    check_disk_space(folder_.string(), bytes_of(shape_), "phase.tif");
    tiff_.emplace(name("phase.tif"), shape_,
                  VoxelSize{facts().pixel_size, facts().slice_thickness, facts().units},
                  rows_at_a_time(shape_[1], shape_[2]));
    return tiff_->hand_out();
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
    sum("phase-sum.png", images_.phase_sum, "phase", "phase (rad)");
    one("slices.png", !images_.slices.empty(),
        [&](const auto& path) { draw_slices(images_.slices, n, facts(), path); });
    sum("absorption-sum.png", images_.absorption_sum, "absorption", "absorption");
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
  std::array<i64, 3> shape_{};
  bool absorption_ = false;
  ResultFacts facts_;
  WritingMemory memory_;
  Ledger::Booking booking_;
  std::optional<TiffStack> tiff_;
  ObjectImages images_;
};

}  // namespace

double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff) {
  return bytes_of(shape) * (1 + (absorption ? 1 : 0) + (tiff ? 1 : 0));
}

WritingMemory writing_memory(const std::array<i64, 3>& shape, bool absorption, i64 modes,
                             i64 window, i64 positions, const OutputChoice& choice) {
  const double slab = double(rows_at_a_time(shape[1], shape[2]) * shape[2]) * sizeof(float),
               probe = double(modes * window * window) * sizeof(Complex<float>);
  WritingMemory bytes;
  bytes.facts = probe + double(positions) * (2 * sizeof(Position) + 2 * sizeof(i64));
  bytes.result = bytes.facts + 2 * probe;  // which is made orthogonal in double
  if (!choice.tiff && !choice.pictures) return bytes;
  const double images = choice.pictures ? ObjectImages::bytes(shape, absorption) : 0;
  bytes.copies = bytes.share = slab + images + bytes.facts;
  if (!choice.pictures) return bytes;
  const std::array<i64, 2> mode{window, window};
  const auto pixels = [](const std::array<i64, 2>& image, int px) {
    const auto [rows, cols] = reduced_shape(image, px);
    return double(rows * cols);
  };
  // One picture after the other. Its pixels are the panel's numbers, those that are shown, colours,
  // and twice 4 bytes of the canvas; a probe's numbers are those of all modes.
  const double shown = double(sum_px) * sum_px * (2 * sizeof(double) + sizeof(Colour) + 8),
               panels = double(std::min(modes, modes_drawn)) * pixels(mode, probe_px(modes)) *
                        sizeof(Complex<double>);
  constexpr double fonts = 8e6;  // and what else cairo keeps
  bytes.drawing = std::max(shown, panels) + fonts;
  bytes.copies += bytes.drawing;
  return bytes;
}

std::vector<std::string> write_copies(const std::string& folder, const OutputChoice& choice,
                                      Team& team, Ledger* ledger) {
  std::vector<std::string> missing;
  if (!choice.tiff && !choice.pictures) return missing;
  std::optional<Copies> copies;
  CopyTask task;
  const auto lead = [&](auto&& work) {
    if (!team.leads()) return;
    const std::string failure = failure_of(work);
    if (failure.empty()) return;
    missing.push_back("phase.tif or pictures are missing: " + failure);
    copies.reset();
  };
  lead([&] {
    copies.emplace(folder.empty() ? "." : folder, choice, ledger, missing);
    task = copies->begin();
  });
  Copied copied = copy_object(team, task, ledger);
  lead([&] {
    if (copies) copies->finish(std::move(copied));
  });
  return missing;
}

std::vector<std::string> write_copies(const std::string& folder, const OutputChoice& choice,
                                      Ledger* ledger) {
  return write_copies(folder, choice, *make_local_team(1), ledger);
}

}  // namespace ptyle
