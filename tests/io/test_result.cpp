#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/raw_file.hpp"
#include "io/result.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;

class ResultFiles : public ::testing::Test {
 protected:
  ~ResultFiles() override { fs::remove(path_); }
  std::string path_ = (fs::temp_directory_path() /
                       (std::string("ptyle-result-") +
                        ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".h5"))
                          .string();
};

template <class T, int N>
Array<T, N> counting(std::array<i64, N> shape) {
  Array<T, N> out(shape);
  for (i64 i = 0; i < out.size(); ++i) out.data()[i] = T(0.5F * static_cast<float>(i) + 1);
  return out;
}

Result full_result() {
  Result r;
  r.phase = counting<float, 3>({2, 5, 7});
  r.absorption = counting<float, 3>({2, 5, 7});
  r.probe = counting<Complex<float>, 3>({3, 4, 4});
  r.probe(1, 2, 3) = {-1.5F, 2.25F};
  r.variable_modes = counting<Complex<float>, 3>({3, 4, 4});
  r.mixtures = {0.1, -0.2, 0.3, 0.4, 0.5, -0.6};
  r.intensities = {0.9, 1.1};
  r.positions = {{1.5, 2.5}, {-3, 4}};
  r.positions_start = {{1.25, 2.5}, {-3, 4.125}};
  r.position_numbers = {3, 5};
  r.frame_numbers = {4, 6};
  r.left_out = {1};
  r.left_out_positions = {0, 1, 2, 4};
  r.held_out = {0};
  r.history = {{0.3, 0.2}, {30, 20}, {1, 2}, {0.35, 0.25}, {0.36, 0.26}, {1, 2.5}};
  r.ranks = {{"computing", "s", {2.5, 3}}, {"memory/patterns", "byte", {1e6, 2e6}}};
  r.atoms = {{82, 1, 2, 3}, {22, 4, 5, 6}};
  r.pixel_size = 0.1;
  r.slice_thickness = 1.25;
  r.energy_kV = 200;
  r.version = "0.1.0";
  r.date = "2026-12-01T05:16:28Z";
  r.host = "node7";
  r.command = "ptyle reconstruct run.yaml";
  r.optics = {{"semi_angle_mrad", 21.4}, {"dk_inv_A", 0.04}};
  r.ended = "ended after 2 iterations";
  r.config = "solver:\n  iterations: 20  # ångström\n";
  r.origin = Position{-12.8, 3.1};
  return r;
}

TEST_F(ResultFiles, IsReadBackAsItWasWritten) {
  const Result r = full_result();
  write_result(path_, r, false);
  const Result back = read_result(path_);
  EXPECT_EQ(back.phase.shape(), r.phase.shape());
  EXPECT_TRUE(std::equal(r.phase.begin(), r.phase.end(), back.phase.begin()));
  EXPECT_TRUE(std::equal(r.absorption.begin(), r.absorption.end(), back.absorption.begin()));
  EXPECT_EQ(back.probe.shape(), r.probe.shape());
  EXPECT_TRUE(std::equal(r.probe.begin(), r.probe.end(), back.probe.begin()));
  EXPECT_EQ(back.variable_modes.shape(), r.variable_modes.shape());
  EXPECT_TRUE(
      std::equal(r.variable_modes.begin(), r.variable_modes.end(), back.variable_modes.begin()));
  EXPECT_EQ(back.mixtures, r.mixtures);
  EXPECT_EQ(back.intensities, r.intensities);
  ASSERT_EQ(back.positions.size(), 2U);
  EXPECT_EQ(back.positions[1].row, -3);
  EXPECT_EQ(back.positions[1].col, 4);
  ASSERT_EQ(back.positions_start.size(), 2U);
  EXPECT_EQ(back.positions_start[0].row, 1.25);
  EXPECT_EQ(back.positions_start[1].col, 4.125);
  EXPECT_EQ(back.position_numbers, r.position_numbers);
  EXPECT_EQ(back.frame_numbers, r.frame_numbers);
  EXPECT_EQ(back.left_out, r.left_out);
  EXPECT_EQ(back.left_out_positions, r.left_out_positions);
  EXPECT_EQ(back.held_out, r.held_out);
  EXPECT_EQ(back.history.r_factor, r.history.r_factor);
  EXPECT_EQ(back.history.cost, r.history.cost);
  EXPECT_EQ(back.history.seconds, r.history.seconds);
  EXPECT_EQ(back.history.r_held_out, r.history.r_held_out);
  EXPECT_EQ(back.history.r_held_out_pixels, r.history.r_held_out_pixels);
  EXPECT_EQ(back.history.passes, r.history.passes);
  ASSERT_EQ(back.ranks.size(), 2U);
  EXPECT_EQ(back.ranks[1].name, "memory/patterns");
  EXPECT_EQ(back.ranks[1].unit, "byte");
  EXPECT_EQ(back.ranks[1].values, r.ranks[1].values);
  ASSERT_EQ(back.atoms.size(), 2U);
  EXPECT_EQ(back.atoms[1].number, 22);
  EXPECT_EQ(back.atoms[1].z, 6);
  EXPECT_EQ(back.pixel_size, 0.1);
  EXPECT_EQ(back.slice_thickness, 1.25);
  EXPECT_EQ(back.energy_kV, 200);
  EXPECT_EQ(back.units, "A");
  EXPECT_EQ(back.version, "0.1.0");
  EXPECT_EQ(back.date, r.date);
  EXPECT_EQ(back.host, r.host);
  EXPECT_EQ(back.command, r.command);
  EXPECT_EQ(back.config, r.config);
  EXPECT_EQ(back.ended, r.ended);
  ASSERT_TRUE(back.origin);
  EXPECT_EQ(back.origin->row, -12.8);
}

TEST_F(ResultFiles, SaysItsUnitsAndOpticsToOtherPrograms) {
  write_result(path_, full_result(), false);
  const auto file = h5::File::open(path_);
  EXPECT_EQ(file.number("/", "semi_angle_mrad"), 21.4);
  EXPECT_EQ(file.number("/", "dk_inv_A"), 0.04);
  EXPECT_EQ(file.text("/object/phase", "units"), "rad");
  EXPECT_EQ(file.numbers("/object/phase", "pixel_size"), (std::vector<double>{1.25, 0.1, 0.1}));
  for (const char* probe : {"/probe", "/variable_probe/modes"})
    EXPECT_EQ(file.numbers(probe, "pixel_size"), (std::vector<double>{0.1, 0.1}));
  EXPECT_EQ(file.info("/variable_probe/coefficients").shape, (h5::Shape{2, 3}));
  for (const char* lengths : {"/positions", "/positions_start"})
    EXPECT_EQ(file.text(lengths, "units"), "A");
  EXPECT_EQ(file.text("/probe", "pixel_units"), "A");
  const auto fractions = file.numbers("/probe", "power_fractions").value();
  EXPECT_NEAR(std::accumulate(fractions.begin(), fractions.end(), 0.0), 1, 1e-12);  // rounding
}

TEST_F(ResultFiles, IsReadInParts) {
  const Result r = full_result();
  write_result(path_, r, false);
  const ResultReader reader(path_);
  EXPECT_EQ(reader.shape(), r.phase.shape());
  EXPECT_EQ(reader.facts().origin->row, -12.8);
  ASSERT_TRUE(reader.has_absorption());
  const Box box{{1, 4}, {2, 7}};
  Array<float, 2> phase({3, 5}), absorption({3, 5});
  reader.phase(1, box, phase);
  reader.absorption(0, box, absorption);
  for (i64 y = 0; y < 3; ++y)
    for (i64 x = 0; x < 5; ++x) {
      EXPECT_EQ(phase(y, x), r.phase(1, y + 1, x + 2));
      EXPECT_EQ(absorption(y, x), r.absorption(0, y + 1, x + 2));
    }
  EXPECT_THROW(reader.phase(2, box, phase), UserError);
  EXPECT_THROW(reader.phase(0, Box{{0, 3}, {3, 8}}, phase), UserError);
  EXPECT_THROW(reader.phase(0, Box{{0, 3}, {3, 7}}, phase), std::logic_error);
}

TEST_F(ResultFiles, WithoutWhatIsOptional) {
  Result r;
  r.phase = counting<float, 3>({1, 3, 3});
  r.units = "px";
  write_result(path_, r, false);
  const Result back = read_result(path_);
  EXPECT_TRUE(back.absorption.empty());
  EXPECT_TRUE(back.probe.empty());
  EXPECT_TRUE(back.history.r_factor.empty());
  EXPECT_TRUE(back.atoms.empty());
  EXPECT_TRUE(back.positions_start.empty());
  EXPECT_FALSE(back.origin);
  EXPECT_EQ(back.units, "px");
}

TEST_F(ResultFiles, IsMadeSliceBySlice) {
  const Result r = full_result();
  {
    ResultFile file(path_, r, {2, 5, 7}, true, false);
    file.rows(r.phase.view()[0], r.absorption.view()[0]);
    EXPECT_THROW(file.commit(), std::logic_error);                 // one is missing
    EXPECT_THROW(file.rows(r.phase.view()[1]), std::logic_error);  // absorption is
    EXPECT_TRUE(fs::exists(path_ + ".part"));
  }
  EXPECT_FALSE(fs::exists(path_ + ".part"));  // dropped
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ResultFiles, IsTheSameMadeOfSomeRowsAtATime) {
  const Result r = full_result();
  {
    ResultFile file(path_, r, {2, 5, 7}, true, false);
    for (i64 z = 0; z < 2; ++z)
      for (i64 first = 0; first < 5; first += 2) {
        const std::array<i64, 2> shape{std::min<i64>(2, 5 - first), 7};
        if (first == 4) {  // beyond the slice
          EXPECT_THROW(file.rows({&r.phase(z, 3, 0), {2, 7}}, {&r.absorption(z, 3, 0), {2, 7}}),
                       std::logic_error);
        }
        file.rows({&r.phase(z, first, 0), shape}, {&r.absorption(z, first, 0), shape});
      }
    file.commit();
  }
  const Result back = read_result(path_);
  EXPECT_TRUE(std::equal(back.phase.begin(), back.phase.end(), r.phase.begin()));
  EXPECT_TRUE(std::equal(back.absorption.begin(), back.absorption.end(), r.absorption.begin()));
}

/// As by several processes, in any order.
TEST_F(ResultFiles, IsTheSameWhereOthersWriteTheObject) {
  const Result r = full_result();
  {
    ResultFile file(path_, r, {2, 5, 7}, true, false);
    const ResultFile::Place place = file.hand_out();
    EXPECT_EQ(place.part, path_ + ".part");
    EXPECT_THROW(file.rows(r.phase.view()[0], r.absorption.view()[0]), std::logic_error);
    RawFile one(place.part, path_), other(place.part, path_);
    constexpr i64 slice = 5 * 7;
    for (const i64 z : {1, 0}) {
      RawFile& writes = z == 0 ? one : other;
      const auto at = [&](i64 first) { return first + z * slice * i64{sizeof(float)}; };
      writes.write(at(place.phase), {&r.phase(z, 0, 0), slice});
      writes.write(at(place.absorption), {&r.absorption(z, 0, 0), slice});
    }
    one.close();
    other.close();
    file.commit();
  }
  const Result back = read_result(path_);
  EXPECT_TRUE(std::equal(back.phase.begin(), back.phase.end(), r.phase.begin()));
  EXPECT_TRUE(std::equal(back.absorption.begin(), back.absorption.end(), r.absorption.begin()));
  EXPECT_EQ(back.positions.size(), r.positions.size());
}

TEST_F(ResultFiles, IsNotOverwrittenUnasked) {
  const Result r = full_result();
  write_result(path_, r, false);
  EXPECT_THROW(write_result(path_, r, false), UserError);
  EXPECT_NO_THROW(write_result(path_, r, true));
}

TEST_F(ResultFiles, WrongFilesAreRefusedInOneSentence) {
  const auto refused = [&](auto&& fill, const std::string& for_what) {
    {
      h5::File file = h5::File::create(path_, true);
      fill(file);
      file.commit();
    }
    try {
      (void)read_result(path_);
      ADD_FAILURE() << "was read";
    } catch (const UserError& error) {
      EXPECT_TRUE(testing::says(error.what(), {path_, for_what}));
    }
  };
  const std::vector<float> zeros(64, 0.0F);
  const std::vector<int> one(4, 1);
  refused([](h5::File& f) { f.set("/", "pixel_size", 0.1); }, "neither /object/phase");
  refused(
      [&](h5::File& f) {
        f.write("/object/phase", {2, 2, 2}, zeros.data());
      },
      "the attribute pixel_size is not there");
  refused(
      [&](h5::File& f) {
        f.write("/object/phase", {4, 4}, zeros.data());
        f.set("/", "pixel_size", 0.1);
      },
      "/object/phase has the shape");
  const auto refused_beside_an_object = [&](auto&& fill, const std::string& for_what) {
    refused(
        [&](h5::File& f) {
          f.write("/object/phase", {1, 2, 2}, zeros.data());
          f.set("/", "pixel_size", 0.1);
          fill(f);
        },
        for_what);
  };
  refused_beside_an_object(
      [&](h5::File& f) {
        f.write("/object/absorption", {1, 2, 3}, zeros.data());
      },
      "differ in shape");
  refused_beside_an_object(
      [&](h5::File& f) {
        f.write("/positions", {2, 3}, zeros.data());
      },
      "positions should be (N, 2)");
  refused_beside_an_object(
      [&](h5::File& f) {
        f.write("/atoms/numbers", {4}, one.data());
        f.write("/atoms/positions", {3, 3}, zeros.data());
      },
      "should be (4, 3)");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refused_beside_an_object(
      [&](h5::File& f) {
        f.write("/positions", {2, 2}, std::vector<double>{0, 1, 2, nan}.data());
      },
      "/positions: row 1 (counted from 0) is not finite");
  refused_beside_an_object(
      [&](h5::File& f) {
        f.write("/states/phase", {2, 1, 2, 2}, zeros.data());
      },
      "/states/phase needs /states/occupancy");
  for (const auto& [first, second, sum] :
       {std::tuple{nan, 0.5, "nan"}, {0.5, 0.6, "1.1"}, {-0.5, 1.5, "1"}})
    refused_beside_an_object(
        [&, fractions = std::vector{first, second}](h5::File& f) {
          f.write("/states/phase", {2, 1, 2, 2}, zeros.data());
          f.write("/states/occupancy", {2}, fractions.data());
        },
        std::string("whose sum is ") + sum + "; it should hold fractions");
  EXPECT_THROW((void)read_result("/no/such/result.h5"), UserError);
}

TEST_F(ResultFiles, ReadsPtyradsOutput) {
  {
    h5::File file = h5::File::create(path_);
    std::vector<float> phase(2 * 3 * 6 * 8, 0.25F), amplitude(phase.size(), 0.5F);
    phase.back() = 9;  // second object mode: not read
    const std::vector<Complex<float>> probe(2 * 4 * 4, {1, -1});
    const std::vector<int> corners{0, 1, 2, 3};
    const std::vector<float> shifts{0.25F, -0.5F, 0, 0};
    const double dx = 0.2, thickness = 3;
    file.write("/optimizable_tensors/objp", {2, 3, 6, 8}, phase.data());
    file.write("/optimizable_tensors/obja", {2, 3, 6, 8}, amplitude.data());
    file.write("/optimizable_tensors/probe", {2, 4, 4}, probe.data());
    file.write("/optimizable_tensors/probe_pos_shifts", {2, 2}, shifts.data());
    file.write("/optimizable_tensors/slice_thickness", {1}, &thickness);
    file.write("/model_attributes/crop_pos", {2, 2}, corners.data());
    file.write("/model_attributes/dx", {1}, &dx);
    file.commit();
  }
  const Result r = read_result(path_);
  EXPECT_EQ(r.phase.shape(), (std::array<i64, 3>{3, 6, 8}));
  EXPECT_EQ(r.phase(2, 5, 7), 0.25F);
  EXPECT_NEAR(r.absorption(0, 0, 0), std::log(2.0), 1e-6);
  EXPECT_EQ(r.slice_thickness, 3);
  // upper left corner + shift + half the window of 4, in Å
  EXPECT_NEAR(r.positions[0].row, (0 + 0.25 + 2) * 0.2, 1e-12);
  EXPECT_NEAR(r.positions[0].col, (1 - 0.5 + 2) * 0.2, 1e-12);
}

/// As save() of py4DSTEM 0.14 lays it out; .ci/jobs/formats writes one by emdfile.
TEST_F(ResultFiles, ReadsPy4dstemsOutput) {
  const std::string group = "/ptycho_root/ptycho",
                    prepared = group + "/metadatabundle/preprocess_metadata/",
                    made = group + "/metadatabundle/instantiation_metadata/";
  const auto write = [&](bool potential, const h5::Shape& shape, std::array<double, 2> sampling) {
    h5::File file = h5::File::create(path_, true);
    i64 voxels = 1;
    for (const i64 n : shape) voxels *= n;
    if (potential)
      file.write(group + "/_object_emd/data", shape, std::vector<float>(voxels, 0.25F).data());
    else
      file.write(group + "/_object_emd/data", shape,
                 std::vector<Complex<float>>(voxels, std::polar(0.5F, -0.25F)).data());
    std::vector<Complex<float>> probe(4 * 5, {0, 0});
    probe[0] = {1, -1};  // the middle is at [0, 0]
    file.write(group + "/_probe_emd/data", {4, 5}, probe.data());
    const std::vector<double> positions{2, 3, 4, 5.5}, thickness{3, 3};
    const double energy = 300e3;
    file.write(prepared + "sampling", {2}, sampling.data());
    file.write(prepared + "positions_px", {2, 2}, positions.data());
    file.write(made + "energy", {1}, &energy);
    file.write(made + "slice_thicknesses", {2}, thickness.data());
    file.commit();
  };
  write(false, {3, 6, 8}, {0.2, 0.2});
  Result r = read_result(path_);
  EXPECT_EQ(r.phase.shape(), (std::array<i64, 3>{3, 6, 8}));
  EXPECT_NEAR(r.phase(2, 5, 7), -0.25, 1e-6);
  EXPECT_NEAR(r.absorption(0, 0, 0), std::log(2.0), 1e-6);
  EXPECT_EQ(r.probe.shape(), (std::array<i64, 3>{1, 4, 5}));
  EXPECT_EQ(r.probe(0, 2, 2), (Complex<float>{1, -1}));
  EXPECT_EQ(r.slice_thickness, 3);
  EXPECT_EQ(r.energy_kV, 300);
  EXPECT_EQ(r.pixel_size, 0.2);
  EXPECT_NEAR(r.positions[1].row, 0.8, 1e-12);
  EXPECT_NEAR(r.positions[1].col, 1.1, 1e-12);
  write(true, {6, 8}, {0.2, 0.2});
  r = read_result(path_);
  EXPECT_EQ(r.phase.shape(), (std::array<i64, 3>{1, 6, 8}));
  EXPECT_EQ(r.phase(0, 5, 7), 0.25F);
  EXPECT_TRUE(r.absorption.empty());
  write(true, {6, 8}, {0.2, 0.3});
  EXPECT_THROW((void)read_result(path_), UserError);
}

}  // namespace
}  // namespace ptyle
