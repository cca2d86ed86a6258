// The files for the eye, made of result.h5: TIFF stacks and the pictures.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "exchange/local/team.hpp"
#include "io/colour.hpp"
#include "io/disk_space.hpp"
#include "io/reduced_image.hpp"
#include "io/rows_at_a_time.hpp"
#include "io/tiff.hpp"
#include "session/agreement.hpp"
#include "session/copy_object.hpp"
#include "session/draw_result.hpp"
#include "session/write_result.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

double bytes_of(const std::array<i64, 3>& shape) {
  return static_cast<double>(View<const float, 3>{nullptr, shape}.size()) * sizeof(float);
}

/// phase.tif and pictures, made of result.h5, on the process that leads:
///   1. begin(): the files of the object's TIFF stacks are laid out
///   2. meanwhile ranks go through the object together (session/copy_object)
///   3. finish(): the stacks get their names
///   4. probe.tif is written, and the pictures are drawn, one after the other
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
    if (choice_.tiff) begin_stack(phase_, "phase.tif", task.phase);
    if (choice_.tiff && absorption_) begin_stack(absorbed_, "absorption.tif", task.absorption);
    task.images = choice_.pictures;
    if (phase_ || absorbed_ || task.images) task.result = name("result.h5");
    return task;
  }

  void finish(Copied copied) {
    finish_stack(phase_, "phase.tif", copied.phase);
    finish_stack(absorbed_, "absorption.tif", copied.absorption);
    if (choice_.tiff && !facts().probe.empty()) attempt("probe.tif", [&] { write_probe(); });
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

  static void refuse(const std::string& why) {
    if (!why.empty()) throw UserError(why);
  }

  void begin_stack(std::optional<TiffStack>& stack, const char* file, StripTask& task) {
    const bool begun = attempt(file, [&] {
      check_disk_space(folder_.string(), bytes_of(shape_), file);
      stack.emplace(name(file), shape_,
                    VoxelSize{facts().pixel_size, facts().slice_thickness, facts().units},
                    rows_at_a_time(shape_[1], shape_[2]));
      task.strips = stack->hand_out();
      task.path = name(file);
    });
    if (!begun) stack.reset();
  }

  void finish_stack(std::optional<TiffStack>& stack, const char* file, const CopiedStack& copied) {
    if (!stack) return;
    attempt(file, [&] {
      refuse(copied.failure);
      stack->set_range(copied.low, copied.high);
      stack->finish();
    });
    stack.reset();
  }

  /// The amplitude of each mode.
  void write_probe() {
    const auto [modes, rows, cols] = facts().probe.shape();
    TiffStack stack(name("probe.tif"), {modes, rows, cols}, {facts().pixel_size, 0, facts().units});
    Array<float, 2> amplitude({rows, cols}, ledger_, "result");
    for (i64 m = 0; m < modes; ++m) {
      const View<const Complex<float>, 2> mode = facts().probe.view()[m];
      std::transform(mode.begin(), mode.end(), amplitude.begin(),
                     [](Complex<float> value) { return std::abs(value); });
      stack.rows(amplitude.view());
    }
    stack.finish();
  }

  void draw() {
    const i64 n = slices();
    Ledger::Booking drawing;
    if (ledger_) drawing = ledger_->book("result", static_cast<std::size_t>(memory_.drawing));
    const std::string of = n > 1 ? fmt::format(", sum of {} slices", n) : "";
    const auto one = [&](const char* file, bool asked, const auto& make) {
      if (asked) attempt(file, [&] { make(name(file)); });
    };
    one("phase-sum.png", images_.phase_sum.has_value(), [&](const auto& path) {
      draw_sum(*images_.phase_sum, facts(), "phase" + of, "phase (rad)", path);
    });
    one("slices.png", !images_.slices.empty(),
        [&](const auto& path) { draw_slices(images_.slices, n, facts(), path); });
    one("absorption-sum.png", images_.absorption_sum.has_value(), [&](const auto& path) {
      draw_sum(*images_.absorption_sum, facts(), "absorption" + of, "absorption", path);
    });
    const ResultReader result(name("result.h5"));
    one("spectrum.png", true, [&](const auto& path) { draw_spectrum(result, path); });
    one("depth.png", n > 1, [&](const auto& path) { draw_depth(result, path); });
    one("probe.png", !facts().probe.empty(), [&](const auto& path) { draw_probe(facts(), path); });
    one("aperture.png", !facts().probe.empty(),
        [&](const auto& path) { draw_aperture(facts(), path); });
    one("patterns.png", !facts().patterns.empty(),
        [&](const auto& path) { draw_patterns(facts(), path); });
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
  std::optional<TiffStack> phase_, absorbed_;
  ObjectImages images_;
};

}  // namespace

double output_bytes(const std::array<i64, 3>& shape, bool absorption, bool tiff, i64 states) {
  const i64 volumes = 1 + (states > 1 ? states : 0) + (tiff ? 1 : 0);
  return bytes_of(shape) * (absorption ? 2 : 1) * double(volumes);
}

double gathering_bytes(i64 positions) {
  constexpr double a_position = 128, others = 48 << 10;
  return a_position * double(positions) + others;
}

WritingMemory writing_memory(const std::array<i64, 3>& shape, bool absorption, i64 modes,
                             i64 window, i64 positions, const OutputChoice& choice) {
  const double slab = double(rows_at_a_time(shape[1], shape[2]) * shape[2]) * sizeof(float),
               probe = double(modes * window * window) * sizeof(Complex<float>);
  WritingMemory bytes;
  const double patterns =
      window > largest_shown ? 0 : 2 * double(patterns_shown * window * window) * sizeof(float);
  bytes.facts = probe + patterns + double(positions) * (2 * sizeof(Position) + 2 * sizeof(i64));
  bytes.result = bytes.facts + 2 * probe;  // which is made orthogonal in double
  if (!choice.tiff && !choice.pictures) return bytes;
  const double images = choice.pictures ? ObjectImages::bytes(shape, absorption) : 0;
  bytes.copies = bytes.share = slab + images + bytes.facts;
  const double amplitude = choice.tiff ? double(window * window) * sizeof(float) : 0;
  if (!choice.pictures) {
    bytes.copies += amplitude;
    return bytes;
  }
  const std::array<i64, 2> mode{window, window};
  const auto pixels = [](const std::array<i64, 2>& image, int px) {
    const auto [rows, cols] = reduced_shape(image, px);
    return double(rows * cols);
  };
  // One picture after the other. Its pixels are the panel's numbers, those that are shown, colours,
  // and twice 4 bytes of the canvas; a probe's numbers are those of all modes, of which the
  // aperture plane transforms one at a time, whole.
  const double side = ObjectImages::sum_px, wave = double(window * window);
  const double shown = side * side * (2 * sizeof(double) + sizeof(Colour) + 8);
  const double panels =
      sizeof(Complex<double>) *
      (double(std::min(modes, modes_drawn)) * pixels(mode, probe_px(modes)) + 3 * wave);
  const double field = double(std::min({shape[1], shape[2], spectrum_field}));
  const double spectrum = field * field * (4 * sizeof(double) + sizeof(float));
  constexpr double fonts = 8e6;  // and what else cairo keeps
  bytes.drawing = std::max({shown, panels, spectrum, amplitude}) + fonts;
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
