// Patterns in files and in memory: to look at, to inspect, to see at once.

#include "python/data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <limits>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/frames.hpp"
#include "python/arrays.hpp"
#include "python/ranks.hpp"
#include "session/file_facts.hpp"
#include "session/fitted_optics.hpp"
#include "session/found_config.hpp"
#include "session/inspect.hpp"
#include "session/open_experiment.hpp"
#include "session/quick_look.hpp"
#include "session/reconstruct_keys.hpp"

namespace nb = nanobind;

namespace ptyle::python {

std::vector<NamedValue> named(const Values& values) {
  std::vector<NamedValue> all;
  for (const auto& [name, yaml] : values) all.push_back({name, yaml});
  return all;
}

namespace {

/// The frames in the type that they have; false: it is none of PatternsInMemory's.
template <class Source, class... Value>
bool take(const Patterns::Frames& frames, std::variant<Source, View<const Value, 3>...>& to) {
  const std::array<i64, 3> shape{static_cast<i64>(frames.shape(0)),
                                 static_cast<i64>(frames.shape(1)),
                                 static_cast<i64>(frames.shape(2))};
  return ((frames.dtype() == nb::dtype<Value>() &&
           (to = View<const Value, 3>{static_cast<const Value*>(frames.data()), shape}, true)) ||
          ...);
}

/// Frames that a Python object reads: its `read(first, n)` gives (n, ky, kx), int64 or float32.
class FramesOfPython final : public FrameSource {
 public:
  explicit FramesOfPython(const nb::object& reader)
      : reader_(new nb::object(reader), [](const nb::object* object) {
          const nb::gil_scoped_acquire lock;
          delete object;
        }) {
    const auto shape = nb::cast<std::array<i64, 3>>(reader.attr("frames"));
    count = shape[0];
    rows = shape[1];
    cols = shape[2];
    scan_shape = nb::cast<std::array<i64, 2>>(reader.attr("scan_shape"));
    is_integer = nb::cast<bool>(reader.attr("is_integer"));
    largest = nb::cast<double>(reader.attr("largest"));
    bytes_a_value = nb::cast<int>(reader.attr("bytes_a_value"));
    name = nb::cast<std::string>(reader.attr("name"));
    preferred_ = nb::cast<i64>(reader.attr("frames_together"));
  }
  void read(i64 first, i64 n, std::int64_t* to) override { copy(first, n, to); }
  void read(i64 first, i64 n, float* to) override { copy(first, n, to); }
  [[nodiscard]] i64 preferred_run() const override { return preferred_; }

 private:
  template <class T>
  void copy(i64 first, i64 n, T* to) const {
    const nb::gil_scoped_acquire lock;
    using Read = nb::ndarray<const T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
    const auto values = nb::cast<Read>(reader_->attr("read")(first, n));
    if (static_cast<i64>(values.size()) != n * rows * cols)
      throw UserError(name + " gives other patterns than it has said");
    std::copy_n(values.data(), values.size(), to);
  }
  std::shared_ptr<const nb::object> reader_;
  i64 preferred_ = 1;
};

/// The facts that a file states of its patterns.
FileFacts facts_in(const std::string& file) {
  DataConfig data;
  data.file = file;
  const FramesAsked asked = frames_asked(data);
  const h5::File opened = open_data_file(asked.files.front(), asked.raw);
  const Frames frames(opened, asked, 1 << 20);
  return read_file_facts(opened, &frames).facts;
}

}  // namespace

Patterns::Patterns(Frames frames, std::array<i64, 2> scan_shape,
                   const std::optional<Positions>& positions, std::optional<Bad> bad)
    : frames_(std::move(frames)), bad_(std::move(bad)) {
  if (!take(*frames_, view_.frames))
    throw UserError(
        "patterns are float32, float64 or integers of up to 64 bits (uint64 excepted); convert "
        "them by astype");
  place(static_cast<i64>(frames_->shape(0)), scan_shape, positions);
}

Patterns::Patterns(const nb::object& reader, const std::string& facts,
                   const std::optional<Positions>& positions, std::optional<Bad> bad)
    : bad_(std::move(bad)) {
  auto source = std::make_shared<FramesOfPython>(reader);
  view_.frames = source;
  view_.facts = facts_in(facts);
  place(source->count, source->scan_shape, positions);
}

void Patterns::place(i64 count, std::array<i64, 2> scan_shape,
                     const std::optional<Positions>& positions) {
  view_.scan_shape = scan_shape;
  if (positions)
    for (std::size_t i = 0; i < positions->shape(0); ++i)
      view_.positions.push_back({(*positions)(i, 0), (*positions)(i, 1)});
  if (positions && static_cast<i64>(positions->shape(0)) != count)
    throw UserError("there are " + std::to_string(positions->shape(0)) + " positions for " +
                    std::to_string(count) + " patterns; one for each is needed");
  if (bad_)
    view_.bad = {bad_->data(),
                 {static_cast<i64>(bad_->shape(0)), static_cast<i64>(bad_->shape(1))}};
}

namespace {

/// The frames of a file, open.
class FileOfFrames {
 public:
  explicit FileOfFrames(const Values& values)
      : data_(read_given("", named(values)).data),
        asked_(frames_asked(data_)),
        file_(open_data_file(asked_.files.front(), asked_.raw)),
        frames_(file_, asked_, 64 << 20) {}
  [[nodiscard]] const Frames& frames() const { return frames_; }
  [[nodiscard]] std::string type() const {
    const auto& type = frames_.info().type;
    const std::string kind = type.kind == h5::Kind::natural   ? "uint"
                             : type.kind == h5::Kind::integer ? "int"
                                                              : "float";
    return kind + std::to_string(8 * type.bytes);
  }
  template <class T>
  NumPy<T> read(i64 first, i64 n) {
    if (first < 0 || n < 0 || first + n > frames_.count())
      throw UserError("there are patterns 0 to " + std::to_string(frames_.count() - 1) +
                      "; asked for are " + std::to_string(n) + " from " + std::to_string(first));
    Array<T, 3> some({n, frames_.rows(), frames_.cols()});
    frames_.read(first, n, some.data());
    return given_away(std::move(some));
  }

 private:
  DataConfig data_;
  FramesAsked asked_;
  h5::File file_;
  Frames frames_;
};

/// An inspection with its lines, and the configuration that it found; a result has none.
struct Inspected {
  Inspection found;
  std::vector<std::string> lines;
  FoundText text;
};

Inspected inspect_for_python(const Values& values, const Patterns* patterns, bool quick,
                             double memory_GB, const std::string& folder) {
  ReconstructConfig all;
  Schema schema = reconstruct_schema(all);
  Faults faults;
  for (const NamedValue& value : named(values)) schema.read_named(value, faults);
  faults.raise("the configuration");
  const InspectConfig config{all.data,         all.calibration, all.scan, all.optics,
                             folder,           memory_GB,       quick,    thickness_of(all.object),
                             view_of(patterns)};
  return interruptible([&] {
    Inspected it;
    it.found = inspect(config, [&](const std::string& line) { it.lines.push_back(line); });
    if (it.found.of_result) return it;
    it.text = found_text(it.found, schema, all, "", view_of(patterns));
    it.lines.insert(it.lines.end(), it.text.adopted.begin(), it.text.adopted.end());
    return it;
  });
}

QuickLook look_quickly(const Values& values, const Patterns* patterns) {
  const ReconstructConfig all = read_given("", named(values));
  return interruptible([&] {
    Ledger ledger = ledger_of_process();
    const Experiment experiment =
        look_at_experiment(all.data, all.calibration, all.scan, all.optics, &ledger,
                           most_kept(&ledger), nullptr, view_of(patterns));
    QuickLook look = quick_look(experiment, {.thickness = thickness_of(all.object)});
    if (!look.refusal.empty()) throw UserError("no quick look: " + look.refusal);
    return look;
  });
}

/// A picture (line, place) of the raster.
template <Array<double, 2> QuickPictures::*picture>
NumPy<double> picture_of(nb::handle self) {
  return seen((nb::cast<QuickLook&>(self).pictures.*picture).view(), self);
}

void bind_inspection(nb::module_& m) {
  nb::class_<Inspected>(m, "Inspection", "What was found in patterns; `print` shows its lines.")
      .def_ro("lines", &Inspected::lines, "what `ptyle inspect` prints")
      .def("__str__",
           [](const Inspected& i) { return fmt::format("{}", fmt::join(i.lines, "\n")); })
      .def(
          "_repr_html_", [](nb::handle self) { return shown(self, "html_of_inspection"); },
          nb::sig("def _repr_html_(self) -> str"))
      .def_prop_ro(
          "configuration", [](const Inspected& i) { return i.text.yaml; },
          "YAML with all that is known; its first lines say what is still to be given. Empty of a "
          "result")
      .def_prop_ro(
          "complete", [](const Inspected& i) { return i.text.complete; },
          "the configuration can run as it is")
      .def_prop_ro(
          "of_result", [](const Inspected& i) { return i.found.of_result; },
          "the file is a result, without patterns: its lines say what it holds, and nothing else "
          "was looked for")
      .def_prop_ro(
          "refusals", [](const Inspected& i) { return i.found.refusals; },
          "sentences for which a reconstruction is refused")
      .def_prop_ro(
          "mean_pattern",
          [](nb::handle self) {
            return seen(nb::cast<Inspected&>(self).found.mean_pattern.view(), self);
          },
          nb::sig("def mean_pattern(self) -> numpy.typing.NDArray[numpy.float64]"),
          "(W, W) float64, counts, zero frequency at [W/2, W/2]")
      .def_prop_ro(
          "dose", [](const Inspected& i) { return i.found.dose; }, "counts/Å²; 0: not known")
      .def_prop_ro(
          "step", [](const Inspected& i) { return i.found.step; },
          "to the nearest other position, Å (px)")
      .def_prop_ro(
          "overlap", [](const Inspected& i) { return i.found.overlap; },
          "of neighbouring probes, fraction of their area")
      .def_prop_ro(
          "probe_radius", [](const Inspected& i) { return i.found.probe_radius; },
          "at the specimen, Å; 0: not known")
      .def_prop_ro(
          "mean_counts", [](const Inspected& i) { return i.found.pattern_mean; },
          "counts of a pattern, mean")
      .def_prop_ro("dead_pixels", [](const Inspected& i) { return i.found.dead; })
      .def_prop_ro("hot_pixels", [](const Inspected& i) { return i.found.hot; });
  m.def("inspect", &inspect_for_python, nb::arg("values"), nb::arg("patterns").none(),
        nb::arg("quick"), nb::arg("memory_GB"), nb::arg("folder"));
}

void bind_quick_look(nb::module_& m) {
  nb::class_<QuickLook>(m, "QuickLook",
                        "The specimen without iterations, and what the patterns say of the beam.")
      .def_ro("lines", &QuickLook::lines, "what `ptyle inspect --quick` prints")
      .def("__str__",
           [](const QuickLook& q) { return fmt::format("{}", fmt::join(q.lines, "\n")); })
      .def(
          "_repr_html_", [](nb::handle self) { return shown(self, "html_of_quick_look"); },
          nb::sig("def _repr_html_(self) -> str"))
      .def_prop_ro("rotation_known", [](const QuickLook& q) { return q.found.rotation_known; })
      .def_prop_ro(
          "rotation", [](const QuickLook& q) { return q.found.rotation; },
          "degrees, on top of the scan's")
      .def_prop_ro(
          "flips", [](const QuickLook& q) { return q.found.flips.name(); },
          "of the patterns, after those that are given")
      .def_prop_ro(
          "defocus", [](const QuickLook& q) { return q.found.defocus; },
          "Å, positive is underfocus, in the middle of the specimen")
      .def_prop_ro(
          "defocus_error", [](const QuickLook& q) { return q.found.defocus_error; },
          "Å, one standard error")
      .def_prop_ro(
          "C12", [](const QuickLook& q) { return q.found.C12; }, "Å")
      .def_prop_ro(
          "phi12", [](const QuickLook& q) { return q.found.phi12; }, "degrees")
      .def_prop_ro(
          "known", [](const QuickLook& q) { return q.found.known; },
          "False: nothing was found, and the numbers mean nothing")
      .def_prop_ro("tilt_corrected", &picture_of<&QuickPictures::tilt_corrected>,
                   nb::sig("def tilt_corrected(self) -> numpy.typing.NDArray[numpy.float64]"),
                   "(line, place) float64: contrast of the tilt-corrected bright field")
      .def_prop_ro("side_bands", &picture_of<&QuickPictures::side_bands>,
                   nb::sig("def side_bands(self) -> numpy.typing.NDArray[numpy.float64]"),
                   "(line, place) float64: phase, rad, by side bands")
      .def_prop_ro(
          "centre_of_mass",
          [](nb::handle self) {
            return seen(nb::cast<QuickLook&>(self).centre_of_mass.view(), self);
          },
          nb::sig("def centre_of_mass(self) -> numpy.typing.NDArray[numpy.float64]"),
          "(line, place) float64: phase, rad, by integration of the centre of mass")
      .def(
          "save",
          [](const QuickLook& q, const std::filesystem::path& path) {
            const nb::gil_scoped_release unlocked;
            draw_quick_look(path.string(), q);
          },
          nb::arg("path"), "Writes the pictures side by side, PNG.");
  m.def("quick_look", &look_quickly, nb::arg("values"), nb::arg("patterns").none());
}

}  // namespace

void bind_data(nb::module_& m) {
  nb::class_<Patterns>(m, "Patterns")
      .def(nb::init<Patterns::Frames, std::array<i64, 2>, std::optional<Patterns::Positions>,
                    std::optional<Patterns::Bad>>(),
           nb::arg("frames").noconvert(), nb::arg("scan_shape"), nb::arg("positions").none(),
           nb::arg("bad").none())
      .def(nb::init<const nb::object&, const std::string&, std::optional<Patterns::Positions>,
                    std::optional<Patterns::Bad>>(),
           nb::arg("reader"), nb::arg("facts"), nb::arg("positions").none(), nb::arg("bad").none())
      .def_prop_ro("address", &Patterns::address, "of the first value");
  nb::class_<FileOfFrames>(m, "FileOfFrames")
      .def(nb::init<const Values&>(), nb::arg("values"))
      .def_prop_ro("count", [](const FileOfFrames& f) { return f.frames().count(); })
      .def_prop_ro("shape",
                   [](const FileOfFrames& f) {
                     return std::array{f.frames().rows(), f.frames().cols()};
                   })
      .def_prop_ro("scan_shape", [](const FileOfFrames& f) { return f.frames().scan_shape(); })
      .def_prop_ro("name", [](const FileOfFrames& f) { return f.frames().name(); })
      .def_prop_ro("type", &FileOfFrames::type)
      .def_prop_ro("is_integer", [](const FileOfFrames& f) { return f.frames().is_integer(); })
      .def("read_integers", &FileOfFrames::read<std::int64_t>,
           nb::sig(
               "def read_integers(self, first: int, n: int) -> numpy.typing.NDArray[numpy.int64]"))
      .def("read_floats", &FileOfFrames::read<float>,
           nb::sig(
               "def read_floats(self, first: int, n: int) -> numpy.typing.NDArray[numpy.float32]"));
  m.def("reads", &reads_data_file, nb::arg("path"));
  m.def(
      "check_values",
      [](const std::string& file, const Values& values) { read_given(file, named(values)); },
      nb::arg("file"), nb::arg("values"));
  bind_inspection(m);
  bind_quick_look(m);
}

}  // namespace ptyle::python
