#include "simulate/abtem_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "io/hdf5.hpp"
#include "physics/electron.hpp"
#include "simulate/periodic.hpp"
#include "simulate/potential.hpp"

namespace ptyle {
namespace {

// abTEM's aperture falls over 0.01 / (coarser pixel) below 2/3 of the Nyquist frequency (its
// configuration antialias.cutoff and antialias.taper): 0.02 of the Nyquist frequency.
constexpr double abtem_cut = 2.0 / 3, abtem_taper = 0.02;

struct AbtemFile {
  PeriodicCell cell;
  Parametrization parametrization = Parametrization::lobato;
  std::vector<SpecimenAtom> atoms;
  std::vector<Position> positions;
  Array<float, 3> potential, patterns;
  Array<Complex<float>, 3> probe, exit_wave;
};

[[noreturn]] void wrong(const std::string& file, const std::string& what) {
  throw UserError(fmt::format("{}: {}", file, what));
}

double number(const h5::File& f, const char* name) {
  const auto value = f.number("/", name);
  if (!value || !std::isfinite(*value))
    wrong(f.path(), fmt::format("attribute {} is missing or no number", name));
  return *value;
}

void expect_text(const h5::File& f, const char* name, const std::string& expected) {
  const std::string found = f.text("/", name).value_or(expected);
  if (found != expected)
    wrong(f.path(), fmt::format("attribute {} is \"{}\", but only \"{}\" is compared here", name,
                                found, expected));
}

template <class T>
Array<T, 3> read_stack(const h5::File& f, const char* name, i64 count, i64 ny, i64 nx) {
  const h5::Dataset set = f.dataset(name);
  if (set.shape() != h5::Shape{count, ny, nx})
    wrong(f.path(), fmt::format("{} has the shape {}, but {} x {} x {} is expected", name,
                                h5::to_string(set.shape()), count, ny, nx));
  Array<T, 3> stack({count, ny, nx});
  set.read(stack.data());
  return stack;
}

std::vector<double> read_table(const h5::File& f, const char* name, i64 columns) {
  const h5::Dataset set = f.dataset(name);
  if (set.shape().size() != 2 || set.shape()[1] != columns || set.shape()[0] < 1)
    wrong(f.path(), fmt::format("{} has the shape {}, but (n, {}) is expected", name,
                                h5::to_string(set.shape()), columns));
  return set.read<double>();
}

void read_optics(const h5::File& f, AbtemFile& file) {
  const std::string parametrization = f.text("/", "parametrization").value_or("");
  if (parametrization != "lobato" && parametrization != "kirkland")
    wrong(f.path(), fmt::format("attribute parametrization is \"{}\", but lobato or kirkland is "
                                "expected",
                                parametrization));
  if (parametrization == "kirkland") file.parametrization = Parametrization::kirkland;
  expect_text(f, "projection", "infinite");
  expect_text(f, "thermal", "none");
  expect_text(f, "aperture", "hard edge");
  const double energy = number(f, "energy_kV"), angle = number(f, "convergence_semiangle_mrad");
  if (!(energy > 0) || !(angle > 0))
    wrong(f.path(), "energy_kV and convergence_semiangle_mrad should be above 0");
  file.cell.optics = {electron_wavelength(energy),
                      angle * mrad,
                      {.C10 = -number(f, "defocus_A"), .C30 = number(f, "C30_A")}};
  file.cell.interaction = interaction_constant(energy);
}

void read_geometry(const h5::File& f, AbtemFile& file) {
  const h5::Shape shape = f.info("potential").shape;
  if (shape.size() != 3)
    wrong(f.path(), fmt::format("potential has the shape {}, but (z, row, col) is expected",
                                h5::to_string(shape)));
  PeriodicCell& cell = file.cell;
  cell.ny = shape[1], cell.nx = shape[2];
  cell.slice_thickness = number(f, "slice_thickness_A");
  cell.cut = abtem_cut, cell.taper = abtem_taper;
  const auto size = f.read<double>("cell");
  if (size.size() != 3 || !(size[0] > 0 && size[1] > 0) || !(cell.slice_thickness > 0))
    wrong(f.path(), "cell should be three lengths and slice_thickness_A one, above 0");
  cell.pixel = {size[0] / double(cell.ny), size[1] / double(cell.nx)};
  const auto sampling = f.numbers("/", "sampling_A");
  if (sampling && sampling->size() == 2)
    for (std::size_t d = 0; d < 2; ++d)
      if (std::abs((*sampling)[d] / cell.pixel[d] - 1) > 1e-4)
        wrong(f.path(), fmt::format("sampling_A {} is not the cell of {} Å over its {} pixels",
                                    (*sampling)[d], size[d], shape[d + 1]));
  file.potential = read_stack<float>(f, "potential", shape[0], cell.ny, cell.nx);
}

AbtemFile read(const std::string& path) {
  const h5::File f = h5::File::open(path);
  AbtemFile file;
  read_optics(f, file);
  read_geometry(f, file);
  const auto Z = f.read<int>("atomic_numbers");
  const auto at = read_table(f, "atoms", 3), positions = read_table(f, "positions", 2);
  if (at.size() != 3 * Z.size())
    wrong(path, fmt::format("{} atoms but {} atomic_numbers", at.size() / 3, Z.size()));
  for (std::size_t i = 0; i < Z.size(); ++i) {
    if (Z[i] < 1 || Z[i] > heaviest_element)
      wrong(path, fmt::format("atomic number {} is unknown; 1 to 103 are tabulated", Z[i]));
    file.atoms.push_back({Z[i], at[3 * i], at[3 * i + 1], at[3 * i + 2], 1});
  }
  for (std::size_t i = 0; i < positions.size(); i += 2)
    file.positions.push_back({positions[i], positions[i + 1]});
  const auto n = static_cast<i64>(file.positions.size());
  file.patterns = read_stack<float>(f, "patterns", n, file.cell.ny, file.cell.nx);
  file.probe = read_stack<Complex<float>>(f, "probe", n, file.cell.ny, file.cell.nx);
  file.exit_wave = read_stack<Complex<float>>(f, "exit_wave", n, file.cell.ny, file.cell.nx);
  return file;
}

// ‖ours − theirs‖ / ‖theirs‖
template <class A, class B>
double relative(const A& ours, const B& theirs) {
  double difference = 0, power = 0;
  for (i64 i = 0; i < ours.size(); ++i) {
    using Value = std::decay_t<decltype(ours.begin()[i])>;
    difference += std::norm(ours.begin()[i] - Value(theirs.begin()[i]));
    power += std::norm(theirs.begin()[i]);
  }
  return std::sqrt(difference / power);
}

// The same below the band limit.
double relative_in_band(const PeriodicCell& cell, View<const double, 2> ours,
                        View<const float, 2> theirs) {
  Array<Complex<double>, 2> a({cell.ny, cell.nx}), b({cell.ny, cell.nx});
  for (i64 i = 0; i < a.size(); ++i) a.data()[i] = ours.data[i], b.data()[i] = theirs.data[i];
  const Fft2<double> fft(cell.ny, cell.nx, FftRigor::estimate);
  fft.forward(a.data()), fft.forward(b.data());
  const double cut = cell.cut * 0.5 / std::max(cell.pixel[0], cell.pixel[1]);
  double difference = 0, power = 0;
  for (i64 y = 0; y < cell.ny; ++y)
    for (i64 x = 0; x < cell.nx; ++x) {
      const double ky = double(frequency_index(y, cell.ny)) / (double(cell.ny) * cell.pixel[0]);
      const double kx = double(frequency_index(x, cell.nx)) / (double(cell.nx) * cell.pixel[1]);
      if (std::hypot(ky, kx) > cut) continue;
      difference += std::norm(a(y, x) - b(y, x));
      power += std::norm(b(y, x));
    }
  return std::sqrt(difference / power);
}

Array<double, 3> make_potential(const AbtemFile& file, int threads) {
  const i64 slices = file.potential.shape()[0];
  std::set<int> elements;
  for (const SpecimenAtom& a : file.atoms) elements.insert(a.Z);
  const SliceGrid grid{file.cell.ny, file.cell.nx, file.cell.pixel, 0};
  const Projector projector(grid, file.parametrization, {elements.begin(), elements.end()});
  const auto layers = sliced(file.atoms, file.cell.slice_thickness, slices);
  Array<double, 3> potential(file.potential.shape());
  parallel_for((slices + 1) / 2, threads, [&](i64 pair, int) {
    Projector::Scratch scratch(projector);
    const i64 z = 2 * pair;
    const bool both = z + 1 < slices;
    projector.project(layers[static_cast<std::size_t>(z)],
                      both ? std::span<const SpecimenAtom>(layers[static_cast<std::size_t>(z + 1)])
                           : std::span<const SpecimenAtom>(),
                      potential.view()[z], both ? potential.view()[z + 1] : View<double, 2>(),
                      scratch);
  });
  return potential;
}

}  // namespace

double AbtemComparison::worst_r_factor() const {
  double worst = 0;
  for (const Wave& w : positions) worst = std::max(worst, w.r_factor);
  return worst;
}

AbtemComparison compare_with_abtem(const std::string& path, int threads) {
  const AbtemFile file = read(path);
  const Array<double, 3> potential = make_potential(file, threads);
  AbtemComparison result{file.cell.ny,
                         file.cell.nx,
                         file.parametrization == Parametrization::lobato ? "lobato" : "kirkland",
                         {},
                         {}};
  for (i64 z = 0; z < potential.shape()[0]; ++z) {
    const auto ours = potential.view()[z];
    const auto theirs = file.potential.view()[z];
    result.slices.push_back({relative(ours, theirs), relative_in_band(file.cell, ours, theirs)});
  }
  const PeriodicMultislice multislice(file.cell, potential.view());
  result.positions.resize(file.positions.size());
  parallel_for(static_cast<i64>(file.positions.size()), threads, [&](i64 i, int) {
    const auto probe = multislice.probe(file.positions[static_cast<std::size_t>(i)]);
    const auto exit = multislice.exit_wave(probe);
    const auto pattern = multislice.pattern(exit);
    const auto theirs = file.patterns.view()[i];
    double difference = 0, total = 0;
    for (i64 k = 0; k < pattern.size(); ++k) {
      const double I = std::max(0.0, double(theirs.data[k]));
      difference += std::pow(std::sqrt(pattern.data()[k]) - std::sqrt(I), 2);
      total += I;
    }
    result.positions[static_cast<std::size_t>(i)] = {relative(probe, file.probe.view()[i]),
                                                     relative(exit, file.exit_wave.view()[i]),
                                                     relative(pattern, theirs), difference / total};
  });
  return result;
}

}  // namespace ptyle
