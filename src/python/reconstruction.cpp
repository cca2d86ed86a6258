// A reconstruction: opened, iterated, looked at, written.

#include "session/reconstruction.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "io/result.hpp"
#include "python/arrays.hpp"
#include "python/data.hpp"
#include "python/errors.hpp"
#include "python/ranks.hpp"
#include "python/regularisers.hpp"
#include "python/variables.hpp"
#include "session/agreement.hpp"
#include "session/fft_memory.hpp"
#include "session/reconstruct_keys.hpp"

namespace nb = nanobind;

namespace ptyle::python {
namespace {

/// A reconstruction, with what it says kept until Python asks for it.
class Run {
 public:
  Run(const std::string& file, const Values& values, const Patterns* patterns,
      std::shared_ptr<Ranks> ranks, const std::string& resume, const nb::list& regularisers,
      const nb::list& variables)
      : ranks_(std::move(ranks)) {
    PartOptions parts = known_parts();
    parts.add<PythonRegularisers>(regularisers_of(regularisers));
    parts.add<PythonVariables>(variables_of(variables));
    const auto opening = [&] { open(file, values, patterns, resume, parts); };
    if (ranks_->several())
      ranks_->together(opening);
    else
      interruptible(opening);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    // Messages may be on their way to its arrays.
    if (ranks_->broken()) static_cast<void>(run_.release());
  }

  /// Ctrl-C on this rank of several: the next step ends early, and raises KeyboardInterrupt on all.
  void stop() { stop_ = true; }
  /// That was asked for; it is no longer.
  bool take_stop() { return std::exchange(stop_, false); }
  /// Work on the fit that all processes do together.
  template <class Work>
  auto together(Work&& work) {
    if (ranks_->broken())
      throw UserError("a rank of this reconstruction has failed: begin a new one");
    return ranks_->together([&] { return work(*run_); });
  }
  Progress step() {
    Progress progress;
    bool stopped = false;
    together([&](Reconstruction& run) {
      progress = run.step([this] { return asked_to_stop(); });
      const std::vector<Position> now = run.positions();  // the views of them stay where they are
      std::copy(now.begin(), now.end(), positions_.begin());
      stopped = ranks_->several() && ranks_->any(asked_to_stop());
    });
    stop_ = false;
    interrupt_.raise();
    if (stopped) {  // on some rank
      PyErr_SetNone(PyExc_KeyboardInterrupt);
      nb::raise_python_error();
    }
    return progress;
  }
  [[nodiscard]] Ranks& ranks() { return *ranks_; }
  void set_iterations(int iterations) {
    run_->set_iterations(iterations);
    iterations_ = iterations;
  }
  [[nodiscard]] int iterations() const { return iterations_; }
  [[nodiscard]] Reconstruction& run() { return *run_; }
  [[nodiscard]] int iteration() const { return static_cast<int>(run_->history().cost.size()); }
  [[nodiscard]] std::vector<Position>& positions() { return positions_; }
  [[nodiscard]] const std::string& config() const { return config_; }
  /// The lines since the last time: notes, and warnings.
  std::pair<std::vector<std::string>, std::vector<std::string>> take_lines() {
    return {std::exchange(said_, {}), std::exchange(warnings_, {})};
  }

 private:
  bool asked_to_stop() { return interrupt_.asked() || stop_; }
  void open(const std::string& file, const Values& values, const Patterns* patterns,
            const std::string& resume, const PartOptions& parts) {
    fft_memory_.emplace(ranks_->team().leads());
    ReconstructInput input = read_reconstruct_values(file, named(values), view_of(patterns), parts);
    if (!resume.empty()) {
      input.config.output.folder = resume;
      input.config.output.resume = true;
    }
    config_ = input.resolved;
    ReconstructCallbacks callbacks;
    callbacks.log = [this](const std::string& line) { said_.push_back(line); };
    callbacks.warn = [this](const std::string& line) { warnings_.push_back(line); };
    Team& team = ranks_->team();
    if (patterns)
      run_ = std::make_unique<Reconstruction>(input.config, patterns->view(), team, callbacks,
                                              input.resolved);
    else
      run_ = std::make_unique<Reconstruction>(CheckedConfig{input.config}, team, callbacks,
                                              input.resolved);
    iterations_ = input.config.solver.iterations;
    positions_ = run_->positions();
  }

  const std::shared_ptr<Ranks> ranks_;
  std::optional<FftMemory> fft_memory_;
  std::vector<std::string> said_, warnings_;
  Interrupt interrupt_;
  bool stop_ = false;
  std::string config_;
  int iterations_ = 0;
  std::unique_ptr<Reconstruction> run_;  // gone before what it calls
  std::vector<Position> positions_;
};

/// The array of the process that leads on all, which ask together; some millions at a time.
template <class T>
void spread(Team& team, Array<T, 3>& values) {
  std::vector<double> shape(3, 0);
  if (team.leads()) std::copy(values.shape().begin(), values.shape().end(), shape.begin());
  team.sum(shape);
  if (!team.leads())
    values = Array<T, 3>(
        {static_cast<i64>(shape[0]), static_cast<i64>(shape[1]), static_cast<i64>(shape[2])});
  constexpr std::size_t most = std::size_t{1} << 24;
  const std::span<float> all(reinterpret_cast<float*>(values.data()),
                             static_cast<std::size_t>(values.size()) * sizeof(T) / sizeof(float));
  for (std::size_t first = 0; first < all.size(); first += most)  // of zeros elsewhere
    team.start_sum(all.subspan(first, std::min(most, all.size() - first))).finish();
}

/// The object on all processes, which ask together.
ObjectValues whole_object(Run& r) {
  return r.together([&](const Reconstruction& run) {
    ObjectValues object = run.object();
    if (r.ranks().several()) {
      spread(r.ranks().team(), object.phase);
      spread(r.ranks().team(), object.absorption);
    }
    return object;
  });
}

/// The result, likewise.
std::unique_ptr<Result> whole_result(Run& r) {
  return r.together([&](const Reconstruction& run) {
    auto result = std::make_unique<Result>(run.result());
    if (r.ranks().several()) {
      spread(r.ranks().team(), result->phase);
      spread(r.ranks().team(), result->absorption);
      if (!result->occupancy.empty()) {
        spread(r.ranks().team(), result->states_phase);
        spread(r.ranks().team(), result->states_absorption);
      }
      spread(r.ranks().team(), result->probe);
    }
    return result;
  });
}

nb::dlpack::dtype type_of(const FieldHere& field) {
  if (field.is_complex)
    return field.is_double ? nb::dtype<Complex<double>>() : nb::dtype<Complex<float>>();
  return field.is_double ? nb::dtype<double>() : nb::dtype<float>();
}

using ReadOnly = nb::ndarray<nb::numpy, nb::ro>;

ReadOnly field_here(nb::handle self, const std::string& name) {
  const FieldHere field = nb::cast<Run&>(self).run().here(name);
  std::array<std::size_t, 3> shape;
  std::copy(field.shape.begin(), field.shape.end(), shape.begin());
  return ReadOnly(field.values, 3, shape.data(), self, field.strides.data(), type_of(field));
}

ReadOnly positions_here(nb::handle self) {
  const auto& positions = nb::cast<Run&>(self).positions();
  const std::array<std::size_t, 2> shape{positions.size(), 2};
  static_assert(sizeof(Position) == 2 * sizeof(double));
  return ReadOnly(positions.data(), 2, shape.data(), self, nullptr, nb::dtype<double>());
}

bool has_field(Run& run, const std::string& name) {
  const auto fields = run.run().fields();
  return std::any_of(fields.begin(), fields.end(),
                     [&](const FieldFacts& field) { return field.name == name; });
}

/// (rows, columns) of object pixels: [begin, end) each.
std::array<std::array<i64, 2>, 2> box_here(Run& run) {
  const Box box = run.run().here("phase").box;
  return {{{box.rows.begin, box.rows.end}, {box.cols.begin, box.cols.end}}};
}

nb::dict history_of(const History& history) {
  nb::dict all;
  const auto add = [&](const char* name, const std::vector<double>& values) {
    if (values.empty()) return;
    Array<double, 1> copy({static_cast<i64>(values.size())});
    std::copy(values.begin(), values.end(), copy.begin());
    all[name] = given_away(std::move(copy));
  };
  for (const auto& [name, values] : columns_of(history)) add(name, *values);
  for (const FittedSeries& series : history.geometry) add(series.name.c_str(), series.values);
  return all;
}

Array<double, 2> as_array(const std::vector<Position>& positions) {
  Array<double, 2> array({static_cast<i64>(positions.size()), 2});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    array(i, 0) = positions[i].row;
    array(i, 1) = positions[i].col;
  }
  return array;
}

/// (state, slice, row, col) of a result; None where there is one state.
nb::object states_of(nb::handle self, Array<float, 3> Result::*volumes) {
  auto& result = nb::cast<Result&>(self);
  const auto& all = result.*volumes;
  if (all.empty()) return nb::none();
  const auto [planes, rows, cols] = all.shape();
  const i64 states = std::ssize(result.occupancy);
  return nb::cast(
      seen(View<float, 4>{(result.*volumes).data(), {states, planes / states, rows, cols}}, self));
}

void bind_progress(nb::module_& m) {
  nb::class_<Progress>(m, "Progress", "An iteration that is done, or the part of one.")
      .def_ro("iteration", &Progress::iteration, "1, 2, …")
      .def_ro("iterations", &Progress::iterations, "all that are asked for")
      .def_ro("cost", &Progress::cost)
      .def_ro("r_factor", &Progress::r_factor, "R = Σ(√I − √y)² / Σy")
      .def_prop_ro(
          "r_held_out",
          [](const Progress& p) {
            return p.r_held_out < 0 ? nb::object(nb::none()) : nb::object(nb::float_(p.r_held_out));
          },
          nb::sig("def r_held_out(self) -> float | None"), "of patterns held out of the fit")
      .def_ro("seconds", &Progress::seconds, "since the first iteration began")
      .def_ro("seconds_left", &Progress::seconds_left)
      .def_ro("stage", &Progress::stage, "of the multi-resolution schedule; empty: none")
      .def_ro("whole", &Progress::whole, "False: stopped between two mini-batches");
}

void bind_run(nb::module_& m) {
  nb::class_<Run>(m, "Run")
      .def(nb::init<const std::string&, const Values&, const Patterns*, std::shared_ptr<Ranks>,
                    const std::string&, const nb::list&, const nb::list&>(),
           nb::arg("file"), nb::arg("values"), nb::arg("patterns").none(), nb::arg("ranks"),
           nb::arg("resume"), nb::arg("regularisers"), nb::arg("variables"))
      .def("step", &Run::step)
      .def("stop", &Run::stop)
      .def("take_stop", &Run::take_stop)
      .def_prop_rw("iterations", &Run::iterations, &Run::set_iterations)
      .def_prop_ro("iteration", &Run::iteration)
      .def_prop_ro("shares", [](Run& run) { return run.run().shares(); })
      .def_prop_ro(
          "r_factor",
          [](Run& r) {
            const auto& all = r.run().history().r_factor;
            return all.empty() ? nb::object(nb::none()) : nb::cast(all.back());
          },
          nb::sig("def r_factor(self) -> float | None"))
      .def_prop_ro("finished", [](Run& r) { return r.run().finished(); })
      .def("has_field", &has_field, nb::arg("name"))
      .def("field", &field_here, nb::arg("name"),
           nb::sig("def field(self, name: str) -> numpy.ndarray"))
      .def_prop_ro("box", &box_here)
      .def_prop_ro("positions", &positions_here, nb::sig("def positions(self) -> numpy.ndarray"))
      .def_prop_ro("history", [](Run& r) { return history_of(r.run().history()); })
      .def_prop_ro("config", &Run::config)
      .def("take_lines", &Run::take_lines)
      .def(
          "gather",
          [](Run& r) {
            ObjectValues object = whole_object(r);
            const bool both = !object.absorption.empty();
            return nb::make_tuple(
                given_away(std::move(object.phase)),
                both ? nb::cast(given_away(std::move(object.absorption))) : nb::object(nb::none()));
          },
          nb::sig("def gather(self) -> tuple[numpy.ndarray, numpy.ndarray | None]"))
      .def("result", [](Run& r) { return whole_result(r); })
      .def(
          "write",
          [](Run& r, const std::string& folder, bool overwrite, bool pictures, bool tiff) {
            r.together([&](const Reconstruction& run) {
              agree(r.ranks().team(), r.ranks().team().leads()
                                          ? failure_of([&] { check_output(folder, overwrite); })
                                          : std::string());
              run.write(folder, {overwrite, pictures, tiff});
            });
          },
          nb::arg("folder"), nb::arg("overwrite"), nb::arg("pictures"), nb::arg("tiff"))
      .def(
          "save_checkpoint",
          [](Run& r, const std::string& folder) {
            r.together([&](const Reconstruction& run) { run.save(folder); });
          },
          nb::arg("folder"));
}

void bind_result_files(nb::module_& m, nb::class_<Result>& result) {
  result
      .def(
          "save",
          [](const Result& result, const std::filesystem::path& path, bool overwrite) {
            const nb::gil_scoped_release unlocked;
            write_result(path.string(), result, overwrite);
          },
          nb::arg("path"), nb::arg("overwrite") = false,
          "Writes the result file (HDF5) alone, without pictures.")
      .def(
          "_repr_html_", [](nb::handle self) { return shown(self, "html_of_result"); },
          nb::sig("def _repr_html_(self) -> str"));
  m.def(
      "read_result",
      [](const std::string& path) {
        const nb::gil_scoped_release unlocked;
        return std::make_unique<Result>(read_result(path));
      },
      nb::arg("path"));
}

void bind_result(nb::module_& m) {
  nb::class_<Result> result(m, "Result",
                            "A reconstruction's result, or the truth of a simulated set.");
  result
      .def_prop_ro(
          "phase", [](nb::handle self) { return seen(nb::cast<Result&>(self).phase.view(), self); },
          nb::sig("def phase(self) -> numpy.typing.NDArray[numpy.float32]"),
          "(slice, row, col) float32, rad")
      .def_prop_ro(
          "absorption",
          [](nb::handle self) -> nb::object {
            auto& result = nb::cast<Result&>(self);
            if (result.absorption.empty()) return nb::none();
            return nb::cast(seen(result.absorption.view(), self));
          },
          nb::sig("def absorption(self) -> numpy.typing.NDArray[numpy.float32] | None"),
          "(slice, row, col) float32; None where it was not fitted")
      .def_prop_ro(
          "states", [](nb::handle self) { return states_of(self, &Result::states_phase); },
          nb::sig("def states(self) -> numpy.typing.NDArray[numpy.float32] | None"),
          "(state, slice, row, col) float32, rad, of which phase is the mean; None where there is "
          "one")
      .def_prop_ro(
          "states_absorption",
          [](nb::handle self) { return states_of(self, &Result::states_absorption); },
          nb::sig("def states_absorption(self) -> numpy.typing.NDArray[numpy.float32] | None"),
          "the same of the absorption, where it was fitted")
      .def_ro("occupancy", &Result::occupancy,
              "share of the dose of each state; empty: there is one")
      .def_prop_ro(
          "probe", [](nb::handle self) { return seen(nb::cast<Result&>(self).probe.view(), self); },
          nb::sig("def probe(self) -> numpy.typing.NDArray[numpy.complex64]"),
          "(mode, W, W) complex64, orthogonal modes, centred on [W/2, W/2]")
      .def_prop_ro(
          "positions",
          [](const Result& r) -> nb::object { return nb::cast(given_away(as_array(r.positions))); },
          nb::sig("def positions(self) -> numpy.typing.NDArray[numpy.float64]"),
          "(N, 2) float64, (row, col) from object pixel [0, 0], Å (px)")
      .def_prop_ro(
          "positions_start",
          [](const Result& r) -> nb::object {
            if (r.positions_start.empty()) return nb::none();
            return nb::cast(given_away(as_array(r.positions_start)));
          },
          nb::sig("def positions_start(self) -> numpy.typing.NDArray[numpy.float64] | None"),
          "the same before they were refined; None where they were not")
      .def_prop_ro(
          "history", [](const Result& r) { return history_of(r.history); },
          "cost, r_factor, seconds, …: float64, one an iteration")
      .def_ro("pixel_size", &Result::pixel_size, "Å, or 1 where units is \"px\"")
      .def_ro("slice_thickness", &Result::slice_thickness, "Å; 0: one slice without thickness")
      .def_ro("energy", &Result::energy_kV, "kV; 0: not known")
      .def_ro("units", &Result::units, "\"A\" or \"px\"")
      .def_ro("version", &Result::version, "of ptyle that made it")
      .def_ro("config", &Result::config, "the whole configuration, YAML")
      .def_ro("ended", &Result::ended, "why the run ended; empty: it had not");
  bind_result_files(m, result);
}

}  // namespace

void bind_reconstruction(nb::module_& m) {
  bind_progress(m);
  bind_run(m);
  bind_result(m);
}

}  // namespace ptyle::python
