// Written on one mesh and read on others, exactly; at any moment a whole one is there.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include "core/error.hpp"
#include "io/checkpoint.hpp"
#include "io/hdf5.hpp"
#include "io/temporary_folder.hpp"
#include "tiles/mesh.hpp"

namespace ptyle {
namespace {

namespace fs = std::filesystem;
using testing::FileSizeLimit;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

constexpr Box object{{-3, 41}, {2, 55}};  // need not begin at 0
constexpr i64 slices = 5, positions = 30;

/// A mesh with uneven cuts.
Mesh mesh(int rows, int cols, i64 halo) {
  std::vector<i64> row_cuts, col_cuts;
  for (int r = 1; r < rows; ++r) row_cuts.push_back(-3 + 44 * r / rows + r % 2);
  for (int c = 1; c < cols; ++c) col_cuts.push_back(2 + 53 * c / cols - c % 2);
  return Mesh(object, row_cuts, col_cuts, Halo::of(halo));
}

/// The value of a voxel: of no other one, and no float.
double value(double which, i64 z, i64 y, i64 x) {
  return which + static_cast<double>((z * 1000 + y) * 1000 + x) / 3;
}

/// An array over a box with these values.
template <class T>
Array<T, 3> filled(double which, i64 planes, const Box& box) {
  Array<T, 3> a({planes, box.rows.size(), box.cols.size()});
  for (i64 z = 0; z < planes; ++z)
    for (i64 y = 0; y < box.rows.size(); ++y)
      for (i64 x = 0; x < box.cols.size(); ++x)
        a(z, y, x) = static_cast<T>(value(which, z, y + box.rows.begin, x + box.cols.begin));
  return a;
}

const Fingerprint run{
    {"data.file", "scan.h5"}, {"solver.precision", "double"}, {"a.set", "[b, a]"}};

/// All ranks of a mesh write, but do not commit.
void write_parts(const std::string& folder, const Mesh& m, i64 step = 7, double offset = 0) {
  for (int rank = 0; rank < m.ranks(); ++rank) {
    const Box tile = m.extended(rank), core = m.core(rank);
    // beyond the core an array holds what must not be written
    auto phase = filled<double>(offset + 0.25, slices, tile);
    for (i64 z = 0; z < slices; ++z)
      for (i64 y = 0; y < tile.rows.size(); ++y)
        for (i64 x = 0; x < tile.cols.size(); ++x)
          if (!core.contains(Pixel{y + tile.rows.begin, x + tile.cols.begin}))
            phase(z, y, x) = -1e9;
    const auto weights = filled<float>(offset + 5, 1, core);
    CheckpointPart part{rank, m.ranks(), step, object, core, {}, {}, {}, {}, {}};
    part.object_state = {{"phase", tile, View<const double, 3>(phase)},
                         {"weights", core, View<const float, 3>(weights)}};
    PositionState shift{"shift", 2, {}};
    for (i64 i = rank; i < positions; i += m.ranks()) {
      part.positions.push_back(i);
      shift.values.insert(shift.values.end(), {offset + 0.1 * double(i), -double(i)});
    }
    part.position_state = {shift};
    Array<Complex<double>, 3> probe({2, 3, 3});
    for (i64 i = 0; i < probe.size(); ++i) probe.data()[i] = {double(i) / 7, offset};
    part.fingerprint = run;
    part.global_state = {{"steps", std::vector{0.1, 1e-300}},
                         {"iteration", std::vector<i64>{1LL << 60}},
                         {"stage", std::string("k < 0.6 1/Å")},
                         {"probe", View<const Complex<double>, 3>(probe)}};
    write_checkpoint_part(folder, part);
  }
}

void write(const std::string& folder, const Mesh& m, i64 step = 7, double offset = 0) {
  write_parts(folder, m, step, offset);
  commit_checkpoint(folder, m.ranks());
}

template <class T>
void expect_read(const Checkpoint& c, const std::string& name, double which, i64 planes,
                 const Box& box) {
  Array<T, 3> got({planes, box.rows.size(), box.cols.size()});
  c.read(name, box, got.view());
  const auto wanted = filled<T>(which, planes, box);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), wanted.begin())) << name;
}

/// As on a rank to which another one has told the files that all need: it opens none of them.
TEST(Checkpoint, WhatAllRanksNeedComesFromOne) {
  const TemporaryFolder folder;
  write(folder / "out", mesh(2, 2, 3));
  std::vector<std::string> told;
  const Checkpoint::Shared shared = [&](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    told.push_back(fs::path(path).filename().string());
    fs::remove(path);
    return bytes;
  };
  fs::remove(folder / "out/checkpoint/rank-0003.h5");  // which the one that leads looks for
  const Checkpoint c(folder / "out", shared, false);
  EXPECT_EQ(told, (std::vector<std::string>{"index.h5", "global.h5"}));
  EXPECT_EQ(c.step(), 7);
  EXPECT_EQ(c.numbers("steps"), (std::vector{0.1, 1e-300}));
  EXPECT_EQ(c.text("stage"), "k < 0.6 1/Å");
  EXPECT_EQ(c.waves<double>("probe")(1, 2, 2), std::complex<double>(17.0 / 7, 0));
  EXPECT_TRUE(c.check(run).empty());
  expect_read<double>(c, "phase", 0.25, slices, mesh(2, 2, 3).core(0));
  EXPECT_THROW(c.numbers("none"), UserError);
  write(folder / "out", mesh(2, 2, 3));
  fs::remove(folder / "out/checkpoint/rank-0003.h5");
  EXPECT_TRUE(says(message_of<UserError>([&] { Checkpoint(folder / "out", shared, true); }),
                   {"rank-0003.h5 is missing"}));
}

TEST(Checkpoint, WrittenOnAnyMeshIsReadOnAnyOtherBitForBit) {
  const TemporaryFolder folder;
  for (const Mesh& from : {mesh(1, 1, 0), mesh(3, 4, 6), mesh(1, 5, 20), mesh(11, 13, 30)}) {
    write(folder / "out", from);
    const Checkpoint c(folder / "out");
    EXPECT_EQ(c.step(), 7);
    EXPECT_EQ(c.ranks(), from.ranks());
    EXPECT_EQ(c.object(), object);
    for (const Mesh& to : {mesh(1, 1, 0), mesh(2, 3, 5), mesh(4, 1, 100)})
      for (int rank = 0; rank < to.ranks(); ++rank) {
        expect_read<double>(c, "phase", 0.25, slices, to.extended(rank));
        expect_read<float>(c, "weights", 5, 1, to.extended(rank));
      }
    const std::vector<i64> some{0, 7, 29, 3};
    const auto shifts = c.position_state("shift", some, 2);
    for (std::size_t k = 0; k < some.size(); ++k) {
      EXPECT_EQ(shifts[2 * k], 0.1 * double(some[k]));
      EXPECT_EQ(shifts[2 * k + 1], -double(some[k]));
    }
    EXPECT_EQ(c.numbers("steps"), (std::vector{0.1, 1e-300}));
    EXPECT_EQ(c.integers("iteration"), (std::vector<i64>{1LL << 60}));
    EXPECT_EQ(c.text("stage"), "k < 0.6 1/Å");
    const auto probe = c.waves<double>("probe");
    EXPECT_EQ(probe.shape(), (std::array<i64, 3>{2, 3, 3}));
    EXPECT_EQ(probe(1, 2, 2), (Complex<double>{17.0 / 7, 0}));
    EXPECT_TRUE(c.check(run).empty());
  }
  // nothing is left of the larger mesh, nor anything that was to become another
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out"), {}), 1);
  write(folder / "out", mesh(1, 2, 0));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out/checkpoint"), {}), 4);
}

TEST(Checkpoint, OfManyRanksLeavesNothingBehind) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "out");
  for (const Mesh& m :
       {mesh(11, 13, 0), mesh(11, 12, 0)}) {  // removed by threads, the first as old
    write(folder / "out", m);
    EXPECT_EQ(Checkpoint(folder / "out").ranks(), m.ranks());
    const auto count = [](const fs::path& path) {
      return std::distance(fs::directory_iterator(path), fs::directory_iterator());
    };
    EXPECT_EQ(count(folder / "out"), 1);
    EXPECT_EQ(count(fs::path(folder / "out") / "checkpoint"), m.ranks() + 2);
  }
  write_parts(folder / "out", mesh(11, 13, 0));
  remove_checkpoint(folder / "out");
  EXPECT_TRUE(fs::is_empty(folder / "out"));
  remove_checkpoint(folder / "out");  // nothing there
}

TEST(Checkpoint, HoldsNoMoreThanTheCores) {
  const TemporaryFolder folder;
  write(folder / "", mesh(3, 4, 40));  // tiles are nearly the object each
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::directory_iterator(folder / "checkpoint")) bytes += file.file_size();
  const std::uintmax_t pixels = 44 * 53;
  EXPECT_LT(bytes, pixels * (slices * 8 + 4) + 14 * 16384);  // and what HDF5 keeps a file
}

TEST(Checkpoint, OfAnotherRunIsRefusedByTheKeyThatDiffers) {
  const TemporaryFolder folder;
  write(folder / "", mesh(2, 2, 3));
  const Checkpoint c(folder / "");
  const auto refused = [&](const Fingerprint& now) {
    return message_of<UserError>([&] { (void)c.check(now); });
  };
  EXPECT_TRUE(says(refused({{"data.file", "scan.h5"}, {"solver.precision", "float"}}),
                   {"checkpoint", "solver.precision was double", "now it is float"}));
  EXPECT_EQ(refused({{"of a later program", "30"}}), "");
  EXPECT_EQ(refused({{"solver.precision", "float64", "double"}}), "");
  EXPECT_TRUE(says(refused({{"solver.precision", "float64", "real", ", as bits tell"}}),
                   {"solver.precision was double, now it is float64, as bits tell; "}));
}

TEST(Checkpoint, WhatMayChangeIsReported) {
  const TemporaryFolder folder;
  write(folder / "", mesh(2, 2, 3));
  const Checkpoint c(folder / "");
  const auto may_change = [](const char* key, const char* value) {
    Agreed one;
    one.key = key;
    one.value = value;
    one.may_change = true;
    return one;
  };
  EXPECT_EQ(c.check({{"data.file", "scan.h5"}, may_change("solver.precision", "float")}),
            (std::vector<std::string>{"solver.precision was double, now it is float"}));
  EXPECT_TRUE(c.check({may_change("solver.precision", "double"), may_change("new", "1")}).empty());
}

TEST(Checkpoint, ASetHasNoOrder) {
  const TemporaryFolder folder;
  write(folder / "", mesh(1, 1, 0));
  const Checkpoint c(folder / "");
  const auto set = [](const char* value) {
    Agreed one{"a.set", value};
    one.any_order = true;
    return Fingerprint{one};
  };
  EXPECT_TRUE(c.check(set("[a, b]")).empty());
  for (const char* other : {"[a]", "[a, b, b]", "[ab]", "[]"})
    EXPECT_THROW((void)c.check(set(other)), UserError) << other;
  EXPECT_THROW((void)c.check({{"a.set", "[a, b]"}}), UserError);  // a list has one
}

/// The steps of a commit, to be cut short after any of them.
TEST(Checkpoint, KilledAtAnyPointLeavesAWholeOne) {
  const Mesh m = mesh(2, 2, 3);
  const auto step_after = [&](auto&& crash) {
    const TemporaryFolder folder;
    write(folder / "", m, 1);
    write_parts(folder / "", m, 2, 100);
    crash(fs::path(folder / ""));
    const Checkpoint c(folder / "");
    expect_read<double>(c, "phase", c.step() == 1 ? 0.25 : 100.25, slices, object);
    const i64 step = c.step();
    // and the run that goes on can write again
    write(folder / "", mesh(1, 3, 0), 3, 200);
    EXPECT_EQ(Checkpoint(folder / "").step(), 3);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / ""), {}), 1);
    return step;
  };
  EXPECT_EQ(step_after([](const fs::path&) {}), 1);  // before the commit
  EXPECT_EQ(step_after([](const fs::path& f) { fs::remove(f / "checkpoint.part/rank-0002.h5"); }),
            1);
  EXPECT_EQ(step_after([](const fs::path& f) {
              fs::copy_file(f / "checkpoint.part/rank-0002.h5",
                            f / "checkpoint.part/rank-0007.h5");  // of an earlier run
            }),
            1);
  // an earlier one, half removed, is still there
  EXPECT_EQ(step_after([](const fs::path& f) {
              fs::create_directory(f / "checkpoint.old");
              fs::copy_file(f / "checkpoint/rank-0000.h5", f / "checkpoint.old/rank-0000.h5");
            }),
            1);
  // the old one is aside, the new one not yet in its place
  EXPECT_EQ(
      step_after([](const fs::path& f) { fs::rename(f / "checkpoint", f / "checkpoint.old"); }), 1);
  // the new one is in its place, the old one not yet gone
  EXPECT_EQ(step_after([&](const fs::path& f) {
              fs::copy(f / "checkpoint", f / "kept");
              commit_checkpoint(f.string(), m.ranks());
              fs::rename(f / "kept", f / "checkpoint.old");
            }),
            2);
}

TEST(Checkpoint, PartsThatDoNotBelongTogetherAreNotCommitted) {
  const TemporaryFolder folder;
  const Mesh m = mesh(2, 2, 3);
  write(folder / "", m, 1);
  const auto stays = [&] { return Checkpoint(folder / "").step() == 1; };
  write_parts(folder / "", m, 2);
  EXPECT_THROW(commit_checkpoint(folder / "", 3), std::logic_error);
  EXPECT_THROW(commit_checkpoint(folder / "", 5), std::logic_error);
  EXPECT_TRUE(stays());
  fs::copy_file(folder / "checkpoint/rank-0001.h5", folder / "checkpoint.part/rank-0001.h5",
                fs::copy_options::overwrite_existing);
  EXPECT_TRUE(says(message_of<std::logic_error>([&] { commit_checkpoint(folder / "", 4); }),
                   {"rank 1", "step 1", "step 2"}));
  fs::remove(folder / "checkpoint.part/rank-0001.h5");
  EXPECT_TRUE(says(message_of<UserError>([&] { commit_checkpoint(folder / "", 4); }),
                   {"rank-0001.h5", "does not exist"}));
  EXPECT_TRUE(stays());
  // of a mesh of the same size with other cuts: gaps
  write_parts(folder / "", m, 2);
  write_parts(folder / "other", mesh(4, 1, 3), 2);
  fs::rename(folder / "other/checkpoint.part/rank-0001.h5",
             folder / "checkpoint.part/rank-0001.h5");
  EXPECT_TRUE(
      says(message_of<std::logic_error>([&] { commit_checkpoint(folder / "", 4); }), {"cores"}));
  EXPECT_TRUE(stays());
  discard_checkpoint_part(folder / "");
  EXPECT_FALSE(fs::exists(folder / "checkpoint.part"));
  EXPECT_TRUE(stays());
}

TEST(Checkpoint, BrokenOnesAreRefusedInOneSentence) {
  const auto refused = [](auto&& spoil) {
    const TemporaryFolder folder;
    write(folder / "", mesh(2, 2, 3));
    spoil(fs::path(folder / "checkpoint"));
    return message_of<UserError>([&] {
      const Checkpoint c(folder / "");
      Array<double, 3> all({slices, 44, 53});
      c.read("phase", object, all.view());
    });
  };
  const auto cut = [](const fs::path& file, double share) {
    fs::resize_file(file, static_cast<std::uintmax_t>(share * double(fs::file_size(file))));
  };
  EXPECT_EQ(refused([](const fs::path&) {}), "");
  EXPECT_TRUE(says(refused([](const fs::path& f) { fs::remove_all(f); }), {"no checkpoint"}));
  for (const char* name : {"index.h5", "global.h5", "rank-0003.h5"}) {
    EXPECT_TRUE(says(refused([&](const fs::path& f) { fs::remove(f / name); }),
                     {"checkpoint", name, "--resume"}));
    for (const double share : {0.0, 0.5, 0.9})
      EXPECT_TRUE(says(refused([&](const fs::path& f) { cut(f / name, share); }),
                       {"checkpoint", name, "--resume"}))
          << name << share;
  }
  EXPECT_TRUE(says(refused([](const fs::path& f) {
                     h5::File file = h5::File::update((f / "index.h5").string());
                     file.set("/", "format", 2);
                     file.flush();
                   }),
                   {"format 2", "reads 1"}));
  EXPECT_TRUE(says(refused([](const fs::path& f) {
                     h5::File file = h5::File::update((f / "index.h5").string());
                     const std::vector<i64> larger{-3, 60, 2, 55};
                     file.dataset("/object_box").write(larger.data());
                     file.flush();
                   }),
                   {"incomplete", "whole object"}));
}

TEST(Checkpoint, WhatItLacksIsRefused) {
  const TemporaryFolder folder;
  write(folder / "", mesh(2, 2, 3));
  const Checkpoint c(folder / "");
  Array<double, 3> all({slices, 44, 53}), fewer({slices - 1, 44, 53});
  const auto said = [](auto&& work) { return message_of<UserError>(work); };
  EXPECT_TRUE(says(said([&] { c.read("momentum", object, all.view()); }), {"momentum"}));
  EXPECT_TRUE(says(said([&] { c.read("phase", object, fewer.view()); }), {"phase", "5 x", "4 x"}));
  EXPECT_TRUE(says(said([&] {
                     c.read("phase", Box{{-4, 40}, {2, 55}}, all.view());
                   }),
                   {"rows -3 to 41", "rows -4 to 40"}));
  const std::vector<i64> beyond{0, positions};
  EXPECT_TRUE(says(said([&] { (void)c.position_state("shift", beyond, 2); }), {"position 30"}));
  EXPECT_TRUE(says(said([&] {
                     (void)c.position_state("shift", {beyond.data(), 1}, 3);
                   }),
                   {"shift"}));
  EXPECT_TRUE(says(said([&] { (void)c.numbers("phase"); }), {"/global/phase"}));
  EXPECT_TRUE(says(said([&] { (void)c.text("steps"); }), {"'steps' is no text"}));
  EXPECT_TRUE(says(said([&] { (void)c.waves<double>("steps"); }), {"'steps' has the shape 2"}));
}

TEST(Checkpoint, AFullDiskLeavesTheOneBefore) {
  const TemporaryFolder folder;
  const Mesh m = mesh(2, 2, 3);
  write(folder / "", m, 1);
  for (const rlim_t bytes : {0, 1000, 10000, 20000}) {
    const auto fault = message_of<UserError>([&] {
      const FileSizeLimit full(bytes);
      write_parts(folder / "", m, 2, 100);
    });
    EXPECT_TRUE(says(fault, {"checkpoint.part", "rank-0000.h5"})) << bytes;
    const Checkpoint c(folder / "");
    EXPECT_EQ(c.step(), 1);
    expect_read<double>(c, "phase", 0.25, slices, object);
  }
  discard_checkpoint_part(folder / "");
  remove_checkpoint(folder / "");
  EXPECT_FALSE(has_checkpoint(folder / ""));
  EXPECT_TRUE(fs::is_empty(folder / ""));
}

}  // namespace
}  // namespace ptyle
