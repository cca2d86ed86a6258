#include "session/write_result.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "analysis/scan_extent.hpp"
#include "core/bounds.hpp"
#include "core/error.hpp"
#include "io/disk_space.hpp"
#include "io/pictures.hpp"
#include "io/tiff.hpp"
#include "operator/probe.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

// The program itself writes config.yaml.
constexpr std::array file_names{
    "result.h5",          "phase.tif",    "phase-sum.png", "slices.png",    "probe.png",
    "absorption-sum.png", "r-factor.png", "ranks.png",     "positions.png", "config.yaml"};

void add(View<const float, 2> slice, Array<double, 2>& sum) {
  std::transform(sum.begin(), sum.end(), slice.begin(), sum.begin(), std::plus<>());
}

/// The contrast is taken from the scanned area: outside it the object is hardly lit.
Range range_in_scan(View<const double, 2> image, const ResultFacts& result) {
  std::vector<double> inside;
  const auto [low, high] = bounds_of(result.positions);
  const double top = low.row / result.pixel_size, bottom = high.row / result.pixel_size,
               left = low.col / result.pixel_size, right = high.col / result.pixel_size;
  const i64 step = 1 + static_cast<i64>(std::sqrt(static_cast<double>(image.size()) / 1e6));
  for (i64 y = 0; y < image.shape[0]; y += step)
    for (i64 x = 0; x < image.shape[1]; x += step)
      if (static_cast<double>(y) >= top && static_cast<double>(y) <= bottom &&
          static_cast<double>(x) >= left && static_cast<double>(x) <= right)
        inside.push_back(image(y, x));
  if (inside.size() < 16) return robust_range(image);
  return robust_range({inside.data(), {1, static_cast<i64>(inside.size())}});
}

ImagePanel object_panel(View<const double, 2> image, const ResultFacts& result,
                        const std::string& title, const std::string& quantity) {
  ImagePanel panel =
      image_panel(image, title, quantity, result.pixel_size, result.units, ColourMap::gray);
  panel.range = range_in_scan(image, result);
  return panel;
}

using Slices = std::map<i64, Array<float, 2>>;

double bytes_of(const std::array<i64, 3>& shape) {
  return static_cast<double>(View<const float, 3>{nullptr, shape}.size()) * sizeof(float);
}

void draw_slices(const Slices& slices, i64 n, const ResultFacts& result, const std::string& path) {
  std::vector<Panel> panels;
  for (const auto& [z, slice] : slices) {
    std::string title = fmt::format("slice {} of {}", z + 1, n);
    if (result.slice_thickness > 0)
      title +=
          fmt::format(", {:.4g} to {:.4g} Å deep", static_cast<double>(z) * result.slice_thickness,
                      static_cast<double>(z + 1) * result.slice_thickness);
    const auto image = converted<double>(slice.view());
    panels.emplace_back(object_panel(image, result, title, "phase (rad)"));
  }
  write_picture(path, panels, {.columns = 3, .panel_px = 500});
}

void draw_probe(const ResultFacts& result, const std::string& path) {
  const i64 modes = result.probe.shape()[0];
  const std::vector<double> shares = shares_of_power<float>(result.probe);
  std::vector<Panel> panels;
  for (i64 m = 0; m < std::min<i64>(modes, 12); ++m) {
    const double percent = 100 * shares[static_cast<std::size_t>(m)];
    const std::string title =
        modes == 1 ? "probe" : fmt::format("probe mode {}, {:.3g} % of the power", m + 1, percent);
    const View<const Complex<float>, 2> mode = result.probe.view()[m];
    panels.emplace_back(image_panel(mode, title, result.pixel_size, result.units));
  }
  write_picture(path, panels, {.panel_px = modes == 1 ? 560 : 0});
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

}  // namespace

void check_output(const std::string& folder, bool overwrite, std::span<const std::string> inputs) {
  const fs::path path = folder.empty() ? "." : folder;
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path))
    throw UserError(fmt::format(
        "cannot make the output folder {}{}; choose another with output.folder", path.string(),
        error ? " (" + error.message() + ")" : std::string(": a file has that name")));
  if (!overwrite)
    for (const char* name : file_names)
      if (fs::exists(path / name))
        throw UserError(
            fmt::format("{} exists already; choose another output.folder, or use --overwrite "
                        "(output.overwrite: true) to replace it",
                        (path / name).string()));
  for (const char* name : file_names)
    for (const std::string& input : inputs)
      if (fs::equivalent(path / name, input, error))
        throw UserError(
            fmt::format("{} is what is read, and would be replaced; choose another "
                        "output.folder",
                        (path / name).string()));
  const fs::path trial = path / ".ptyle-trial.part";
  const bool writable = static_cast<bool>(std::ofstream(trial) << "trial" << std::flush);
  fs::remove(trial, error);
  if (!writable)
    throw UserError(
        fmt::format("cannot write into the output folder {}; choose another with output.folder",
                    path.string()));
}

FolderLock::FolderLock(const std::string& folder)
    : folder_(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (folder_ >= 0 && ::flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder_);
    throw UserError(
        fmt::format("another run is writing into {}; choose another output.folder", folder));
  }
}
FolderLock::~FolderLock() {
  if (folder_ >= 0) ::close(folder_);
}

double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff) {
  return bytes_of(shape) * (1 + (absorption ? 1 : 0) + (tiff ? 1 : 0));
}

class ResultWriter::Files {
 public:
  Files(const ResultFacts& facts, const std::array<i64, 3>& shape, bool absorption,
        const std::string& folder, const OutputChoice& choice, Ledger* ledger)
      : facts_(facts),
        shape_(shape),
        folder_(folder.empty() ? "." : folder),
        choice_(choice),
        ledger_(ledger),
        result_(name("result.h5"), facts_, shape, absorption, choice.overwrite) {
    if (choice.tiff)
      attempt_tiff([&] {
        // or it would take the room of the result, and of the pictures
        check_disk_space(folder_.string(), output_bytes(shape, absorption, true) + 2e6,
                         "phase.tif is left out: the result with it");
        tiff_.emplace(name("phase.tif"), shape,
                      VoxelSize{facts_.pixel_size, facts_.slice_thickness, facts_.units});
      });
    if (!choice.pictures) return;
    phase_sum_ = Array<double, 2>({shape[1], shape[2]}, ledger, "result");
    if (absorption) absorption_sum_ = Array<double, 2>({shape[1], shape[2]}, ledger, "result");
  }

  void slice(i64 z, View<const float, 2> phase, View<const float, 2> absorption) {
    if (z != done_) throw std::logic_error("ResultWriter: slices out of order");
    result_.slice(phase, absorption);
    ++done_;
    if (tiff_) attempt_tiff([&] { tiff_->page(phase); });
    if (phase_sum_.empty()) return;
    add(phase, phase_sum_);
    if (!absorption_sum_.empty()) add(absorption, absorption_sum_);
    const i64 n = shape_[0];
    if (n > 1 && (z == 0 || z == n / 2 || z == n - 1)) {
      Array<float, 2> kept(phase.shape, ledger_, "result");
      std::copy(phase.begin(), phase.end(), kept.begin());
      slices_.emplace(z, std::move(kept));
    }
  }

  void finish() {
    result_.commit();
    if (tiff_) attempt_tiff([&] { tiff_->finish(); });
    if (choice_.pictures) draw();
    if (tiff_failure_) std::rethrow_exception(tiff_failure_);
  }

 private:
  [[nodiscard]] std::string name(const char* file) const { return (folder_ / file).string(); }

  /// The stack is a copy for the eye: without it, the result is still worth having.
  template <class Work>
  void attempt_tiff(Work&& work) {
    try {
      work();
    } catch (const UserError&) {
      tiff_failure_ = std::current_exception();
      tiff_.reset();
    }
  }

  void draw() const {
    const i64 n = shape_[0];
    const std::string of = n > 1 ? fmt::format(", sum of {} slices", n) : "";
    write_picture(name("phase-sum.png"),
                  {object_panel(phase_sum_, facts_, "phase" + of, "phase (rad)")});
    if (n > 1) draw_slices(slices_, n, facts_, name("slices.png"));
    if (!absorption_sum_.empty())
      write_picture(name("absorption-sum.png"),
                    {object_panel(absorption_sum_, facts_, "absorption" + of, "absorption")});
    if (!facts_.probe.empty()) draw_probe(facts_, name("probe.png"));
    if (!facts_.history.r_factor.empty()) draw_history(facts_.history, name("r-factor.png"));
    draw_ranks(facts_.ranks, name("ranks.png"));
    if (!facts_.positions_start.empty()) draw_positions(facts_, name("positions.png"));
  }

  const ResultFacts& facts_;
  std::array<i64, 3> shape_;
  fs::path folder_;
  OutputChoice choice_;
  Ledger* ledger_;
  ResultFile result_;
  std::optional<TiffStack> tiff_;
  std::exception_ptr tiff_failure_;
  Array<double, 2> phase_sum_, absorption_sum_;  // empty: no pictures
  Slices slices_;
  i64 done_ = 0;
};

ResultWriter::ResultWriter(const ResultFacts& facts, const std::array<i64, 3>& shape,
                           bool absorption, const std::string& folder, const OutputChoice& choice,
                           Ledger* ledger)
    : files_(std::make_unique<Files>(facts, shape, absorption, folder, choice, ledger)) {}
ResultWriter::~ResultWriter() = default;
void ResultWriter::slice(i64 z, View<const float, 2> phase, View<const float, 2> absorption) {
  files_->slice(z, phase, absorption);
}
void ResultWriter::finish() { files_->finish(); }

void write_outputs(const Result& result, const std::string& folder, const OutputChoice& choice) {
  check_output(folder, choice.overwrite);
  const bool absorption = !result.absorption.empty();
  ResultWriter writer(result, result.phase.shape(), absorption, folder, choice);
  for (i64 z = 0; z < result.phase.shape()[0]; ++z)
    writer.slice(z, result.phase.view()[z],
                 absorption ? result.absorption.view()[z] : View<const float, 2>{});
  writer.finish();
}

}  // namespace ptyle
