#include <gtest/gtest.h>

#include <complex>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/frames.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

/// A file of tests/io/files, by other programs' packages: 4 frames of 5 x 6, numbered through.
std::string made(const std::string& name) {
  return std::string(PTYLE_SOURCE_DIR) + "/tests/io/files/" + name;
}

std::vector<std::int64_t> counting(i64 n) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

std::vector<std::int64_t> frames_in(const std::string& path, const std::string& dataset = "") {
  const h5::File file = open_data_file(path);
  const Frames frames(file, dataset);
  std::vector<std::int64_t> all(
      static_cast<std::size_t>(frames.count() * frames.rows() * frames.cols()));
  frames.read(0, frames.count(), all.data());
  return all;
}

std::string fault_of(const std::string& path) {
  return message_of<UserError>([&] { (void)frames_in(path); });
}

/// Numbers 0, 1, … of T, the most significant byte first where `big`.
template <class T>
std::string numbers(i64 n, bool big = false, i64 first = 0) {
  std::string bytes;
  for (i64 i = 0; i < n; ++i) {
    const T value = static_cast<T>(first + i);
    std::string one(sizeof value, '\0');
    std::memcpy(one.data(), &value, sizeof value);
    bytes += big ? std::string(one.rbegin(), one.rend()) : one;
  }
  return bytes;
}

std::string npy(const std::string& type, const std::string& shape, const std::string& bytes,
                bool fortran = false) {
  std::string header = "{'descr': " + type + ", 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }\n";
  std::string start("\x93NUMPY\x01\0", 8);
  start += static_cast<char>(header.size() % 256);
  start += static_cast<char>(header.size() / 256);
  return start + header + bytes;
}

/// A frame of a Merlin detector with its header.
std::string merlin(int number, const std::string& type, const std::string& bytes) {
  std::string header =
      "MQ1,00000" + std::to_string(number) + ",00384,01,0006,0005," + type + ",1x1";
  header.resize(384, ' ');
  return header + bytes;
}

TEST(DataFile, ArraysOfNumPyStayWhereTheyLie) {
  const TemporaryFolder folder;
  const auto path =
      folder.write_text("a.npy", npy("'>u2'", "(4, 5, 6)", numbers<std::uint16_t>(120, true)));
  EXPECT_EQ(frames_in(path), counting(120));
  const h5::File file = open_data_file(path);
  EXPECT_EQ(file.held(), 0);
  EXPECT_EQ(file.info("/data").type, (h5::Type{h5::Kind::natural, 2}));
  std::vector<int> box(4);
  file.dataset("/data").read({3, 4, 2}, {1, 1, 4}, box.data());
  EXPECT_EQ(box, (std::vector<int>{116, 117, 118, 119}));
}

TEST(DataFile, HalfFloatsAndTruthValuesAreRead) {
  const TemporaryFolder folder;
  // 1.5 and -2 as IEEE's binary16
  const std::string halves("\x00\x3e\x00\xc0", 4);
  const auto path = folder.write_text("a.npy", npy("'<f2'", "(2,)", halves));
  EXPECT_EQ(open_data_file(path).read<float>("/data"), (std::vector<float>{1.5F, -2.0F}));
  const auto truths = folder.write_text("b.npy", npy("'|b1'", "(3,)", std::string("\0\1\1", 3)));
  EXPECT_EQ(open_data_file(truths).read<int>("/data"), (std::vector<int>{0, 1, 1}));
}

TEST(DataFile, FortransOrderIsTurnedRound) {
  const TemporaryFolder folder;
  std::string turned;  // frame n, row y, column x at n + 2 (y + 3 x)
  for (int x = 0; x < 2; ++x)
    for (int y = 0; y < 3; ++y)
      for (int n = 0; n < 2; ++n) turned += static_cast<char>((n * 3 + y) * 2 + x);
  EXPECT_EQ(frames_in(folder.write_text("a.npy", npy("'|u1'", "(2, 3, 2)", turned, true))),
            counting(12));
}

TEST(DataFile, WhatNumPyCannotMeanIsTold) {
  const TemporaryFolder folder;
  const auto fault = [&](const std::string& text) {
    return fault_of(folder.write_text("a.npy", text));
  };
  EXPECT_TRUE(says(fault(npy("'<u2'", "(4, 5, 6)", numbers<std::uint16_t>(119))),
                   {"a.npy' is truncated", "4 x 5 x 6 of uint16", "and it has "}));
  EXPECT_TRUE(says(fault(npy("'<u2'", "(4, 9999999999, 9999999999, 6)", "")), {"damaged"}));
  EXPECT_TRUE(says(fault(npy("'<u2'", "(4, -5, 6)", "")), {"no whole numbers"}));
  EXPECT_TRUE(says(fault(npy("[('a', '<u2')]", "(4,)", "")), {"structures"}));
  EXPECT_TRUE(says(fault(npy("'|O'", "(4,)", "")), {"'|O'"}));
  EXPECT_TRUE(says(fault("\x93NUMPY\x09" + std::string(90, '\0')), {"versions 1 to 3"}));
  EXPECT_TRUE(says(fault("\x93NUMPY"), {"truncated"}));
  EXPECT_TRUE(says(fault("no array"), {"neither an array of NumPy", "nor HDF5"}));
  EXPECT_TRUE(says(fault(""), {"is empty"}));
  std::filesystem::create_directory(folder / "b.npy");
  EXPECT_TRUE(says(fault_of(folder / "b.npy"), {"is a folder"}));
  EXPECT_TRUE(says(fault_of(folder / "c.npy"), {"does not exist"}));
}

TEST(DataFile, ArchivesOfNumPyHoldWhatLiesBeside) {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    EXPECT_EQ(frames_in(made(name), "/dp"), counting(120)) << name;
    const h5::File file = open_data_file(made(name));
    EXPECT_EQ(file.read<int>("/positions"), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(file.number("/", "energy_kV"), 200.0);
    EXPECT_EQ(file.numbers("/", "scan_shape"), (std::vector<double>{2, 2}));
    EXPECT_FALSE(file.has("/note"));
  }
  EXPECT_EQ(frames_in(made("deflated.npz"), "/turned"), counting(120));
}

TEST(DataFile, OpenedTwiceItIsUnpackedOnce) {
  const h5::File one = open_data_file(made("deflated.npz")),
                 two = open_data_file(made("deflated.npz"));
  EXPECT_EQ(one.memory(), two.memory());
  EXPECT_GT(one.held(), 240);
}

TEST(DataFile, DamagedArchivesAreTold) {
  const TemporaryFolder folder;
  std::ifstream from(made("deflated.npz"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(from), {}};
  for (const std::size_t bytes : {whole.size() - 30, whole.size() / 2, std::size_t{10}})
    EXPECT_TRUE(
        says(fault_of(folder.write_text("a.npz", whole.substr(0, bytes))), {"a.npz", "damaged"}));
  std::string flipped = whole;
  flipped[100] = static_cast<char>(flipped[100] ^ 0x55);
  EXPECT_TRUE(says(fault_of(folder.write_text("b.npz", flipped)), {"b.npz", "damaged"}));
}

TEST(DataFile, FilesOfMatlab5LieAsThoseOf7Do) {
  for (const char* name : {"plain.mat", "packed.mat"}) {
    const h5::File file = open_data_file(made(name));
    EXPECT_TRUE(file.by_matlab());
    EXPECT_EQ(file.info("/dp").shape, (h5::Shape{4, 6, 5}));  // (ky, kx, n) there
    const auto all = file.read<int>("/dp");
    for (int n = 0; n < 4; ++n)
      for (int y = 0; y < 5; ++y)
        for (int x = 0; x < 6; ++x) EXPECT_EQ(all[(n * 6 + x) * 5 + y], (n * 5 + y) * 6 + x);
    const auto wave = file.read<std::complex<double>>("/wave");
    EXPECT_EQ(wave[5], (std::complex<double>(1, 31)));
    EXPECT_EQ(file.read<double>("/s/gain"), (std::vector<double>{2.5}));
    EXPECT_EQ(file.number("/", "energy_kV"), 200.0);
    EXPECT_FALSE(file.has("/note"));
  }
  const TemporaryFolder folder;
  std::ifstream from(made("packed.mat"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(from), {}};
  EXPECT_TRUE(says(fault_of(folder.write_text("a.mat", whole.substr(0, whole.size() - 3))),
                   {"a.mat' is truncated"}));
}

TEST(DataFile, StacksOfTiffAreFrames) {
  for (const char* name : {"plain.tif", "imagej.tif", "packed.tif"})
    EXPECT_EQ(frames_in(made(name)), counting(120)) << name;
  EXPECT_EQ(open_data_file(made("plain.tif")).numbers("/", "scan_shape"),
            (std::vector<double>{2, 2}));
  EXPECT_EQ(open_data_file(made("plain.tif")).held(), 0);
  EXPECT_EQ(open_data_file(made("packed.tif")).held(), 240);
  const TemporaryFolder folder;
  for (const char* name : {"plain.tif", "packed.tif"}) {
    std::ifstream from(made(name), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(from), {}};
    EXPECT_TRUE(says(fault_of(folder.write_text(name, whole.substr(0, whole.size() / 2))),
                     {name, "truncated"}));
  }
}

TEST(DataFile, FramesOfAMerlinDetectorLieBetweenHeaders) {
  const TemporaryFolder folder;
  std::string text;
  for (int n = 0; n < 4; ++n)
    text += merlin(n + 1, "U16", numbers<std::uint16_t>(30, true, 30 * n));
  const auto path = folder.write_text("a.mib", text + merlin(5, "U16", "123"));
  (void)folder.write_text("a.hdr", "HDR,\t\nFrames per Trigger (Number):\t2\nEnd\t\n");
  EXPECT_EQ(frames_in(path), counting(120));
  const h5::File file = open_data_file(path);
  EXPECT_EQ(file.numbers("/", "scan_shape"), (std::vector<double>{2, 2}));
  ASSERT_GE(file.notes().size(), 1U);
  EXPECT_TRUE(says(file.notes()[0], {"last frame", "number 4", "incomplete"}));
  std::vector<int> box(8);
  file.dataset("/data").read({1, 2, 1}, {2, 2, 2}, box.data());
  EXPECT_EQ(box, (std::vector<int>{43, 44, 49, 50, 73, 74, 79, 80}));
  EXPECT_EQ(file.datasets().front().shape, (h5::Shape{4, 5, 6}));
}

TEST(DataFile, FramesThatAMerlinDetectorLostAreTold) {
  const TemporaryFolder folder;
  const auto notes = [&](const std::vector<int>& frames) {
    std::string text;
    for (const int n : frames) text += merlin(n, "U08", numbers<std::uint8_t>(30));
    return open_data_file(folder.write_text("a.mib", text)).notes();
  };
  EXPECT_EQ(notes({3, 4, 5, 6, 7}).size(), 1U);  // that of the rows alone
  const auto lost = notes({3, 4, 5, 8, 9});
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_TRUE(says(lost[1], {"frame 3 (from 0)", "number 8, where 6 is", "has 9, where 7 is"}));
  EXPECT_TRUE(says(notes({1, 2, 3, 1, 2}).at(1), {"frame 3 (from 0)", "number 1, where 4 is"}));
}

TEST(DataFile, WhatAMerlinDetectorDoesNotWriteIsTold) {
  const TemporaryFolder folder;
  const auto fault = [&](const std::string& text) {
    return fault_of(folder.write_text("a.mib", text));
  };
  const std::string frame = numbers<std::uint8_t>(30);
  EXPECT_TRUE(says(fault(merlin(1, "R64", frame)), {"R64", "raw"}));
  EXPECT_TRUE(says(fault(merlin(1, "U08", frame.substr(1))), {"truncated", "5 x 6 of U08"}));
  EXPECT_TRUE(says(fault(merlin(1, "U08", frame) + std::string(414, 'x')), {"damaged", "frame 1"}));
  EXPECT_TRUE(says(fault("MQ1,1,2"), {"a.mib"}));
}

TEST(DataFile, TheLastRowsOfAnEmpadAreNoCounts) {
  const TemporaryFolder folder;
  const i64 stored = 130 * 128, counts = 128 * 128;
  const auto path = folder.write_text("scan_x3_y2.raw", numbers<float>(6 * stored));
  const auto all = frames_in(path);
  ASSERT_EQ(i64(all.size()), 6 * counts);
  for (i64 n = 0; n < 6; ++n) {
    EXPECT_EQ(all[n * counts], n * stored);
    EXPECT_EQ(all[(n + 1) * counts - 1], n * stored + counts - 1);
  }
  EXPECT_EQ(open_data_file(path).numbers("/", "scan_shape"), (std::vector<double>{2, 3}));
  EXPECT_TRUE(says(fault_of(folder.write_text("scan_x3_y3.raw", numbers<float>(8 * stored))),
                   {"8 frames", "3 x 3"}));
  const auto series = folder.write_text("some.raw", numbers<float>(2 * stored));
  EXPECT_TRUE(says(fault_of(series), {"raw numbers"}));
  (void)folder.write_text(
      "b.xml", "<root><raw_file filename=\"some.raw\"/><series_count>2</series_count></root>");
  EXPECT_EQ(i64(frames_in(series).size()), 2 * counts);
}

TEST(DataFile, AnEmpadsXmlStatesItsCalibration) {
  const TemporaryFolder folder;
  const auto path = folder.write_text("some.raw", std::string(6 * 130 * 128 * 4, '\0'));
  const auto with = [&](const std::string& measurements) {
    (void)folder.write_text("a.xml",
                            "<root><raw_file filename=\"some.raw\"/><pix_x>3</pix_x>"
                            "<pix_y>2</pix_y><iom_measurements>" +
                                measurements + "</iom_measurements></root>");
    const h5::File file = open_data_file(path);
    return std::array{file.number("/", "dk_inv_A"), file.number("/", "mrad_per_pixel"),
                      file.number("/", "energy_kV")};
  };
  const auto steps = [&] { return open_data_file(path).numbers("/", "scan_step_A").value(); };
  auto said = with(
      "<high_voltage>300000</high_voltage><calibrated_pixelsize>1.5e-10</calibrated_pixelsize>"
      "<optics.get_full_scan_field_of_view>[2e-9, 6e-9]</optics.get_full_scan_field_of_view>");
  ASSERT_TRUE(said[0] && said[2]);
  EXPECT_NEAR(*said[0], 0.015, 1e-12);  // 1.5e-10 /pm = 0.15 /nm
  EXPECT_FALSE(said[1]);
  EXPECT_NEAR(*said[2], 300, 1e-9);
  EXPECT_NEAR(steps()[0], 10, 1e-9);
  EXPECT_NEAR(steps()[1], 20, 1e-9);
  said = with(
      "<calibrated_diffraction_angle>2e-4</calibrated_diffraction_angle>"
      "<full_scan_field_of_view><x>2.16e-9</x><y>2.16e-9</y><scale_factor>0.72"
      "</scale_factor></full_scan_field_of_view>");
  ASSERT_TRUE(said[1]);
  EXPECT_NEAR(*said[1], 0.2, 1e-12);
  EXPECT_NEAR(steps()[0], 10, 1e-9);  // 2.16 nm / 0.72 over the longer side's 3
  EXPECT_NEAR(steps()[1], 10, 1e-9);
  for (const auto& none : with("<calibrated_pixelsize>nan</calibrated_pixelsize>"
                               "<high_voltage>much</high_voltage>"))
    EXPECT_FALSE(none);
}

TEST(DataFile, RawNumbersLieAsTheKeysSay) {
  const TemporaryFolder folder;
  const auto opened = [&](const std::string& bytes, const RawLayout& raw) {
    const h5::File file = open_data_file(folder.write_text("a.dat", bytes), raw);
    return file.read<std::int64_t>("/data");
  };
  const RawLayout little{{h5::Kind::natural, 2}, false, {5, 6}};
  EXPECT_EQ(opened(numbers<std::uint16_t>(90), little), counting(90));
  RawLayout big = little;
  big.big_endian = true;
  EXPECT_EQ(opened(numbers<std::uint16_t>(90, true), big), counting(90));
  RawLayout apart = little;
  apart.offset = 7;
  apart.gap = 4;
  std::string bytes = "header.";
  for (int n = 0; n < 3; ++n) bytes += numbers<std::uint16_t>(30, false, 30 * n) + "gap.";
  EXPECT_EQ(opened(bytes, apart), counting(90));
  EXPECT_EQ(opened(bytes.substr(0, bytes.size() - 4), apart), counting(90));  // none after the last
}

TEST(DataFile, ARawFileOfAnotherSizeIsTold) {
  const TemporaryFolder folder;
  const auto fault = [&](i64 bytes, const RawLayout& raw) {
    const auto path = folder.write_text("a.raw", std::string(static_cast<std::size_t>(bytes), 'x'));
    return message_of<UserError>([&] { (void)open_data_file(path, raw); });
  };
  RawLayout raw{{h5::Kind::natural, 2}, false, {5, 6}};
  EXPECT_TRUE(
      says(fault(181, raw), {"a.raw' has 181 bytes; 3 frames of 5 x 6 of uint16 would be 180 "
                             "bytes and 4 would be 240 (60 each",
                             "data.raw_type"}));
  EXPECT_TRUE(says(fault(10, raw), {"has 10 bytes; 1 frame of", "60 bytes and 2 would be 120"}));
  raw.offset = 100;
  EXPECT_EQ(fault(220, raw), "");  // two frames
  EXPECT_TRUE(says(fault(221, raw), {"220 bytes and 3 would be 280", "100 before the first"}));
  raw.gap = 3;
  EXPECT_TRUE(says(fault(220, raw), {"data.raw_gap is 3 bytes", "whole numbers of 2 bytes"}));
  const auto hdf5 = folder / "a.h5";
  h5::File::create(hdf5).commit();
  EXPECT_TRUE(
      says(message_of<UserError>([&] { (void)open_data_file(hdf5, raw); }), {"is an HDF5 file"}));
}

TEST(DataFile, SeveralFilesOfAnyFormatAreOne) {
  const TemporaryFolder folder;
  FramesAsked asked;
  for (int n = 0; n < 3; ++n)
    asked.files.push_back(
        folder.write_text("a_" + std::to_string(n) + ".npy",
                          npy("'<u2'", "(2, 5, 4)", numbers<std::uint16_t>(40, false, 40 * n))));
  const Frames frames(open_data_file(asked.files[0]), asked);
  std::vector<std::int64_t> all(120);
  frames.read(0, 6, all.data());
  EXPECT_EQ(all, counting(120));
}

}  // namespace
}  // namespace ptyle
