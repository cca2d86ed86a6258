// A reconstruction:
//   1. check the output folder; open the data, calibrate (open_experiment)
//   2. the object's frame from the positions; probe and object to start with
//   3. the fit, an iteration at a time, until done or stopped
//   4. the result, the TIFF stack and the pictures

#include "session/reconstruct.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "operator/operator.hpp"
#include "physics/propagator.hpp"
#include "session/open_experiment.hpp"
#include "session/start.hpp"
#include "session/write_result.hpp"
#include "solver/fit.hpp"

namespace ptyle {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Mini-batches an iteration where the user gave none: 20, but no group of fewer than 10 positions,
/// whose illumination would leave gaps.
i64 default_groups(i64 positions) { return std::clamp<i64>(positions / 10, 1, 20); }

template <class T>
class Run {
 public:
  Run(const ReconstructConfig& config, const ReconstructCallbacks& callbacks)
      : config_(config),
        callbacks_(callbacks),
        threads_(config.solver.threads > 0 ? config.solver.threads : available_threads()) {}

  bool operator()(const std::string& resolved_yaml) {
    experiment_ =
        open_experiment(config_.data, config_.calibration, config_.scan, config_.optics, &ledger_);
    for (const auto& note : experiment_.notes) log(note);
    for (const auto& warning : experiment_.warnings) warn(warning);
    warn_of_wide_probe();
    frame_ = frame_object(experiment_.positions, window(), experiment_.calibration.pixel);
    log(fmt::format("object: {} slice{} of {} x {} pixels; {} positions, {} thread{}",
                    config_.object.slices, config_.object.slices == 1 ? "" : "s", frame_.rows,
                    frame_.cols, frame_.positions.size(), threads_, threads_ == 1 ? "" : "s"));
    auto fit = make_fit();
    const bool finished = iterate(fit);
    write(fit, resolved_yaml);
    return finished;
  }

 private:
  i64 window() const { return experiment_.patterns->window(); }
  double aperture_k() const {
    const double wavelength = experiment_.calibration.wavelength;
    return wavelength > 0 ? experiment_.optics.semi_angle * mrad / wavelength : 0;
  }
  std::vector<Position> positions_on_object() const {  // Å (px in pixel units)
    std::vector<Position> positions;
    const double pixel = experiment_.calibration.pixel;
    for (const auto& at : frame_.positions) positions.push_back({at.row * pixel, at.col * pixel});
    return positions;
  }
  /// The defocused cone's disc: in a window that it does not fit, the probe is folded onto itself.
  void warn_of_wide_probe() const {
    const double defocus = experiment_.optics.defocus.value_or(0);
    const double diameter = 2 * std::abs(defocus) * experiment_.optics.semi_angle * mrad;
    const double field = double(window()) * experiment_.calibration.pixel;
    if (config_.probe.start == "optics" && diameter > field)
      warn(fmt::format(
          "a defocus of {:.4g} Å makes a probe {:.4g} Å wide, but its window has {:.4g} Å: is "
          "optics.defocus right, in Å?",
          defocus, diameter, field));
  }
  void log(const std::string& line) const {
    if (callbacks_.log) callbacks_.log(line);
  }
  void warn(const std::string& line) const {
    if (callbacks_.warn) callbacks_.warn(line);
  }

  OperatorSetup operator_setup() const {
    OperatorSetup setup;
    setup.window = window();
    setup.slices = config_.object.slices;
    setup.modes = config_.probe.modes;
    setup.absorption = config_.object.type == "complex";
    setup.loss = config_.solver.loss == "poisson" ? Loss::poisson : Loss::amplitude;
    // ε against division by zero, small beside a pixel's mean counts. The Poisson residual 1 − y/I
    // is steeper: there a pixel without model counts must not outweigh the rest.
    const double mean = experiment_.mean_counts / double(setup.window * setup.window);
    setup.epsilon = mean * (setup.loss == Loss::poisson ? 1e-2 : 1e-5);
    if (setup.slices > 1) {
      if (experiment_.calibration.wavelength <= 0)
        throw UserError("object.slices: more than one slice needs optics.energy (kV)");
      setup.propagator =
          propagator(window(), experiment_.calibration.pixel, experiment_.calibration.wavelength,
                     config_.object.slice_thickness,
                     {config_.object.tilt_row * mrad, config_.object.tilt_col * mrad},
                     config_.object.band_limit);
    }
    return setup;
  }

  double depths_of_focus() const {
    return Continuation::depths_of_focus(config_.object.slices * config_.object.slice_thickness,
                                         experiment_.optics.semi_angle * mrad,
                                         experiment_.calibration.wavelength);
  }

  bool continues() const {
    const auto& choice = config_.solver.continuation;
    if (choice == "off" || aperture_k() <= 0 || config_.object.slices < 2) return false;
    return choice == "on" ||
           (config_.object.start.empty() && Continuation::thick(depths_of_focus()));
  }

  FitOptions fit_options() const {
    FitOptions o;
    const auto& s = config_.solver;
    o.groups = s.groups > 0 ? s.groups : default_groups(i64(frame_.positions.size()));
    o.step = s.step;
    o.damping = s.damping;
    o.hold_out = s.hold_out;
    o.seed = s.seed;
    o.threads = threads_;
    o.probe_from = config_.probe.refine_from;
    o.probe_step = config_.probe.step;
    o.blur = config_.object.blur;
    o.blur_z = config_.object.blur_z;
    o.pixel = experiment_.calibration.pixel;
    o.aperture_k = aperture_k();
    if (continues()) {
      o.continuation = Continuation({aperture_k(), 0.5 / experiment_.calibration.pixel,
                                     config_.object.slices, depths_of_focus()});
      log("the specimen is thick for its angle: coarse to fine, laterally and in depth");
    }
    const auto& object = config_.object;
    if (object.phase_max > object.phase_min) {
      o.phase_min = object.phase_min;
      o.phase_max = object.phase_max;
    }
    // Where only phases below 0 are asked for, auto keeps out of the way.
    if (object.positivity == "on" ||
        (object.positivity == "auto" && continues() && o.phase_max > 0))
      o.phase_min = std::max(o.phase_min, 0.0);
    return o;
  }

  Fit<T> make_fit() {
    const FitOptions options = fit_options();
    log(fmt::format("{} groups an iteration", options.groups));
    FitData<T> data;
    data.positions = frame_.positions;
    data.load = [this](i64 i, T* to) { experiment_.patterns->load(i, to); };
    valid_ = converted<T, float, 2>(experiment_.valid.view());
    data.valid = valid_;
    data.dk = experiment_.calibration.dk;
    const OperatorSetup setup = operator_setup();
    auto start = start_object(config_.object, frame_, experiment_.calibration.pixel,
                              setup.absorption, &ledger_);
    auto probe = start_probe(config_.probe, experiment_);
    auto op = make_cpu_operator<T>(setup, threads_, &ledger_);
    return Fit<T>(std::move(op), std::move(data), options,
                  converted<T, float, 3>(start.phase.view(), &ledger_, "object"),
                  converted<T, float, 3>(start.absorption.view(), &ledger_, "object"),
                  converted<Complex<T>, Complex<double>, 3>(probe.view(), &ledger_, "probe"),
                  &ledger_);
  }

  bool iterate(Fit<T>& fit) {
    const auto start = Clock::now();
    const int iterations = config_.solver.iterations;
    for (int i = 1; i <= iterations; ++i) {
      const IterationReport report = fit.iterate();
      if (!std::isfinite(report.fitted.cost))
        throw UserError(fmt::format(
            "the cost is no longer a finite number in iteration {}; try a smaller solver.step or "
            "probe.step",
            i));
      Progress p;
      p.iteration = i;
      p.iterations = iterations;
      p.cost = report.fitted.cost;
      p.r_factor = report.fitted.r_factor();
      if (!fit.held_out().empty()) p.r_held_out = report.held_out.r_factor();
      p.seconds = seconds_since(start);
      p.seconds_left = p.seconds / i * (iterations - i);
      p.stage = report.stage;
      history_.cost.push_back(p.cost);
      history_.r_factor.push_back(p.r_factor);
      history_.seconds.push_back(p.seconds);
      if (!fit.held_out().empty()) history_.r_held_out.push_back(p.r_held_out);
      if (callbacks_.progress) callbacks_.progress(p);
      if (callbacks_.look)
        callbacks_.look(p, converted<float, T, 3>(fit.phase()).view(), positions_on_object());
      if (report.diverging) warn("the cost rose: the steps are halved");
      if (i < iterations && callbacks_.stop && callbacks_.stop()) return false;
    }
    return true;
  }

  void write(const Fit<T>& fit, const std::string& resolved_yaml) {
    Result result;
    result.phase = converted<float, T, 3>(fit.phase());
    if (!fit.absorption().empty()) result.absorption = converted<float, T, 3>(fit.absorption());
    result.probe = converted<Complex<float>, Complex<T>, 3>(fit.probe());
    const double pixel = experiment_.calibration.pixel;
    result.positions = positions_on_object();
    result.origin = frame_.origin;
    result.history = history_;
    result.pixel_size = pixel;
    result.slice_thickness = config_.object.slices > 1 ? config_.object.slice_thickness : 0;
    result.energy_kV = experiment_.optics.energy;
    result.units = experiment_.calibration.in_pixels() ? "px" : "A";
    result.version = PTYLE_VERSION;
    result.config = resolved_yaml;
    const auto& o = config_.output;
    write_outputs(result, o.folder, {o.overwrite, o.pictures, o.tiff});
    log_memory();
  }

  void log_memory() const {
    constexpr double mib = 1 << 20;
    log(fmt::format("memory: {:.0f} MiB booked at the peak, {:.0f} MiB of the process",
                    double(ledger_.peak()) / mib, double(peak_resident_bytes()) / mib));
    for (const auto& entry : ledger_.entries())
      if (entry.at_peak > 0)
        log(fmt::format("  {:<18} {:>9.1f} MiB", entry.name, double(entry.at_peak) / mib));
  }

  const ReconstructConfig& config_;
  const ReconstructCallbacks& callbacks_;
  int threads_;
  Ledger ledger_{machine_memory_bytes()};
  Experiment experiment_;
  ObjectFrame frame_;
  Array<T, 2> valid_;
  History history_;
};

}  // namespace

bool reconstruct(const ReconstructConfig& config, const std::string& resolved_yaml,
                 const ReconstructCallbacks& callbacks) {
  check_output(config.output.folder, config.output.overwrite);
  return config.solver.precision == "double" ? Run<double>(config, callbacks)(resolved_yaml)
                                             : Run<float>(config, callbacks)(resolved_yaml);
}

}  // namespace ptyle
