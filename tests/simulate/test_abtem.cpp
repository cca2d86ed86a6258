#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "real_data.hpp"
#include "simulate/abtem_file.hpp"
#include "simulate/exact_potential.hpp"
#include "simulate/periodic.hpp"

namespace ptyle {
namespace {

using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

TEST(Abtem, PatternsAgree) {
  const auto file = testing::real_data("abtem_pbtio3.h5");
  if (!file) GTEST_SKIP() << "needs data: abtem_pbtio3.h5 in $PTYLE_DATA";
  const AbtemComparison c = compare_with_abtem(*file, 2);
  // 1.5e-4 is asked for. With the band limit cut where abTEM cuts it, what remains is abTEM's
  // placing of atoms (bench/abtem.cpp): 5e-6.
  EXPECT_LT(c.worst_r_factor(), 1e-5);
  for (const auto& w : c.positions) {
    EXPECT_LT(w.probe, 1e-5);
    EXPECT_LT(w.exit_wave, 5e-3);
  }
}

// A file of that layout, not square, Kirkland's potentials, C30; what is in it was made by the
// exact sum of structure factors.
std::string make_file(const std::string& path) {
  const i64 ny = 30, nx = 44, slices = 3;
  PeriodicCell cell{ny, nx, {0.2, 0.18}, 1.5, {}, interaction_constant(100), 2.0 / 3, 0.02};
  cell.optics = {electron_wavelength(100), 0.025, {.C10 = -40, .C30 = 5e5}};
  const std::vector<SpecimenAtom> atoms{
      {82, 1.0, 2.0, 0.2}, {22, 4.4, 5.1, 1.5}, {8, 3.3, 7.9, 1.9}, {8, 0.1, 0.1, 4.4}};
  Array<double, 3> potential({slices, ny, nx});
  for (i64 z = 0; z < slices; ++z) {
    const auto layer = sliced(atoms, 1.5, slices)[static_cast<std::size_t>(z)];
    const auto slice = exact_potential({ny, nx, cell.pixel, 0}, Parametrization::kirkland, layer);
    std::copy(slice.begin(), slice.end(), potential.view()[z].begin());
  }
  const PeriodicMultislice multislice(cell, potential.view());
  const std::vector<double> positions{3.0, 4.0, 1.1, 6.6};
  Array<double, 3> patterns({2, ny, nx});
  Array<Complex<double>, 3> probes({2, ny, nx}), exits({2, ny, nx});
  for (std::size_t i = 0; i < 2; ++i) {
    const auto probe = multislice.probe({positions[2 * i], positions[2 * i + 1]});
    const auto exit = multislice.exit_wave(probe);
    const auto pattern = multislice.pattern(exit);
    const auto k = static_cast<i64>(i);
    std::copy(probe.begin(), probe.end(), probes.view()[k].begin());
    std::copy(exit.begin(), exit.end(), exits.view()[k].begin());
    std::copy(pattern.begin(), pattern.end(), patterns.view()[k].begin());
  }
  auto f = h5::File::create(path);
  f.write("potential", potential.view());
  f.write("patterns", patterns.view());
  f.write("probe", probes.view());
  f.write("exit_wave", exits.view());
  f.write("positions", {2, 2}, positions.data());
  const std::vector<double> size{double(ny) * 0.2, double(nx) * 0.18, 4.5};
  f.write("cell", {3}, size.data());
  std::vector<double> at;
  std::vector<int> Z;
  for (const auto& a : atoms) at.insert(at.end(), {a.row, a.col, a.z}), Z.push_back(a.Z);
  f.write("atoms", {4, 3}, at.data());
  f.write("atomic_numbers", {4}, Z.data());
  f.set("/", "energy_kV", 100.0);
  f.set("/", "convergence_semiangle_mrad", 25.0);
  f.set("/", "defocus_A", 40.0);
  f.set("/", "C30_A", 5e5);
  f.set("/", "slice_thickness_A", 1.5);
  f.set("/", "parametrization", "kirkland");
  f.commit();
  return path;
}

TEST(Abtem, AnotherFileOfTheLayout) {
  const TemporaryFolder folder;
  const AbtemComparison c = compare_with_abtem(make_file(folder / "file.h5"), 1);
  EXPECT_EQ(c.parametrization, "kirkland");
  EXPECT_EQ(c.ny, 30);
  EXPECT_EQ(c.nx, 44);
  EXPECT_EQ(c.positions.size(), 2u);
  // Both are exact to the gridding's 1e-8; potentials and waves are read as single precision.
  EXPECT_LT(c.worst_r_factor(), 1e-12);
  for (const auto& s : c.slices) EXPECT_LT(s.error, 1e-6);
}

TEST(Abtem, OtherFilesAreRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const char* attribute, const char* value) {
    const std::string path = make_file(folder / (std::string(attribute) + ".h5"));
    h5::File::update(path).set("/", attribute, value);
    return message_of<UserError>([&] { (void)compare_with_abtem(path, 1); });
  };
  EXPECT_TRUE(says(refusal("projection", "finite"), {"projection", "finite", "infinite"}));
  EXPECT_TRUE(says(refusal("thermal", "frozen phonons"), {"thermal"}));
  EXPECT_TRUE(says(refusal("parametrization", "peng"), {"peng", "lobato"}));
  EXPECT_TRUE(says(refusal("energy_kV", "high"), {"energy_kV"}));
  const std::string path = make_file(folder / "sampling.h5");
  h5::File::update(path).set("/", "sampling_A", std::vector<double>{0.2, 0.2});
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)compare_with_abtem(path, 1); }),
                   {"sampling_A", "0.2"}));
}

}  // namespace
}  // namespace ptyle
