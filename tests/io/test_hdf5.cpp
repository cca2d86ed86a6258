#include <fcntl.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <complex>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "io/missing_filter.hpp"
#include "io/temporary_folder.hpp"

namespace ptyle {
namespace {

using ptyle::testing::FileSizeLimit;
using ptyle::testing::message_of;
using ptyle::testing::says;
using ptyle::testing::TemporaryFolder;

template <class T>
std::vector<T> counting(i64 n) {
  std::vector<T> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), T{0});
  return v;
}

template <class T>
class Hdf5Type : public ::testing::Test {};
using Types = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                               std::uint32_t, std::int64_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(Hdf5Type, Types);

TYPED_TEST(Hdf5Type, IsWrittenAndReadAsAnyOther) {
  const TemporaryFolder folder;
  const auto values = counting<TypeParam>(3 * 5 * 7);
  {
    h5::File file = h5::File::create(folder / "a.h5");
    file.write("/group/deep/values", {3, 5, 7}, values.data());
    file.commit();
  }
  const h5::File file = h5::File::open(folder / "a.h5");
  const h5::Dataset set = file.dataset("group/deep/values");
  EXPECT_EQ(set.info().type, h5::type_of<TypeParam>());
  EXPECT_EQ(set.shape(), (h5::Shape{3, 5, 7}));
  EXPECT_EQ(set.read<TypeParam>(), values);
  EXPECT_EQ(set.read<double>(), counting<double>(105));
  EXPECT_EQ(set.read<std::uint16_t>(), counting<std::uint16_t>(105));
  std::vector<float> box(2 * 3);
  set.read({1, 4, 2}, {2, 1, 3}, box.data());
  EXPECT_EQ(box, (std::vector<float>{65, 66, 67, 100, 101, 102}));
}

TEST(Hdf5, ComplexNumbersKeepTheirPartsInBothPrecisions) {
  const TemporaryFolder folder;
  const std::vector<std::complex<double>> wave{{1, 2}, {-3, 0.5}, {0, -7}};
  h5::File file = h5::File::create(folder / "a.h5");
  file.write("/wave", {3}, wave.data());
  file.write("/real", {3}, std::vector<double>{1, 2, 3}.data());
  const auto narrow = file.read<std::complex<float>>("/wave");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(std::complex<double>(narrow[i]), wave[i]);
  EXPECT_EQ(h5::to_string(file.info("/wave").type), "complex128");
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)file.read<double>("/wave"); }),
                   {"/wave", "real numbers are needed"}));
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)file.read<std::complex<double>>("/real"); }),
                   {"/real", "complex numbers are needed"}));
}

TEST(Hdf5, ComplexNumbersHaveTheNamesOfOtherPrograms) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const std::complex<float> values[] = {{1, 2}, {-3, 0.5}};
  const hsize_t size = 2;
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const auto write = [&](const char* name, const char* first, const char* second) {
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, first, 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type, second, 4, H5T_NATIVE_FLOAT);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(set);
    H5Tclose(type);
  };
  write("/matlab", "real", "imag");
  write("/other", "re", "im");
  write("/none", "x", "y");
  H5Sclose(space);
  H5Fclose(file);
  const h5::File read = h5::File::open(path);
  for (const char* name : {"/matlab", "/other"}) {
    EXPECT_EQ(read.read<std::complex<float>>(name),
              (std::vector<std::complex<float>>{values[0], values[1]}));
    EXPECT_EQ(read.read<std::complex<double>>(name)[1], (std::complex<double>{-3, 0.5}));
  }
  EXPECT_EQ(read.info("/none").type.kind, h5::Kind::other);
}

TEST(Hdf5, OtherFormatsAreToldWithTheLineThatConvertsThem) {
  const TemporaryFolder folder;
  const auto fault = [&](const char* name, const std::string& start) {
    return message_of<UserError>([&] { (void)h5::File::open(folder.write_text(name, start)); });
  };
  EXPECT_TRUE(says(fault("x.dm4", "....."), {"ptyle convert '", ".h5'"}));
  EXPECT_TRUE(says(fault("x.raw", "....."), {"raw numbers", "data.raw_shape=[ky, kx]"}));
  EXPECT_TRUE(says(fault("scan_x3_y2.raw", std::string(3 * 2 * 4 * 25, '.')),
                   {"data.raw_shape=[5, 5]", "data.scan_shape=[2, 3]"}));
  const std::string text = fault("x.txt", "1 2 3");
  EXPECT_TRUE(text.ends_with("is not an HDF5 file")) << text;
}

TEST(Hdf5, HyperslabsOfACompressedChunkedSetAreWrittenOneByOne) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  {
    auto set = file.create_dataset<std::uint16_t>("/patterns", {4, 3, 5}, {1, 3, 5}, 4);
    EXPECT_EQ(set.info().chunk, (h5::Shape{1, 3, 5}));
    for (i64 i : {2, 0, 3}) {
      std::vector<std::uint16_t> frame(15, static_cast<std::uint16_t>(i + 1));
      set.write({i, 0, 0}, {1, 3, 5}, frame.data());
    }
  }
  const auto all = file.read<int>("patterns");
  const int expected[] = {1, 0, 3, 4};
  for (int i = 0; i < 60; ++i) EXPECT_EQ(all[i], expected[i / 15]);
}

TEST(Hdf5, AttributesOfEveryKind) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.write("/of/group/data", {1}, counting<float>(1).data());
  file.set("/", "energy_kV", 300.0);
  file.set("/", "energy_kV", 200.0);  // replaced
  file.set("/of/group", "count", 7);
  file.set("/of/group", "shape", std::vector<i64>{46, 45});
  file.set("/", "note", "two words – and more");
  EXPECT_EQ(file.number("/", "energy_kV"), 200.0);
  EXPECT_EQ(file.number("of/group", "count"), 7.0);
  EXPECT_EQ(file.numbers("/of/group", "shape"), (std::vector<double>{46, 45}));
  EXPECT_EQ(file.number("/of/group", "shape"), std::nullopt);
  EXPECT_EQ(file.text("/", "note"), "two words – and more");
  EXPECT_EQ(file.text("/", "energy_kV"), std::nullopt);
  EXPECT_EQ(file.number("/", "nothing"), std::nullopt);
  EXPECT_EQ(file.attributes("/"), (std::vector<std::string>{"energy_kV", "note"}));
}

TEST(Hdf5, AnAttributeIsReadAsItIs) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  file.set("/", "text", "0.2");
  file.set("/", "pair", std::vector<double>{0.2, 0.3});
  EXPECT_EQ(file.attribute("/", "text")->texts, (std::vector<std::string>{"0.2"}));
  EXPECT_TRUE(file.attribute("/", "text")->numbers.empty());
  EXPECT_EQ(file.attribute("/", "pair")->numbers, (std::vector{0.2, 0.3}));
  EXPECT_FALSE(file.attribute("/", "nothing"));
  file.commit();

  // Lists of texts, of fixed and of variable length, and a compound.
  const hid_t raw = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hsize_t two = 2;
  const hid_t space = H5Screate_simple(1, &two, nullptr), fixed = H5Tcopy(H5T_C_S1),
              variable = H5Tcopy(H5T_C_S1), pair = H5Tcreate(H5T_COMPOUND, 8);
  H5Tset_size(fixed, 3);
  H5Tset_size(variable, H5T_VARIABLE);
  H5Tinsert(pair, "first", 0, H5T_NATIVE_FLOAT);
  const auto add = [&](const char* name, hid_t type, const void* from) {
    const hid_t attribute = H5Acreate2(raw, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, from);
    H5Aclose(attribute);
  };
  const char* const words[] = {"one", "three"};
  const float numbers[4] = {};
  add("fixed", fixed, "abcde");  // the second is shorter
  add("variable", variable, words);
  add("compound", pair, numbers);
  const hid_t nothing = H5Screate(H5S_NULL);
  H5Aclose(H5Acreate2(raw, "empty", H5T_NATIVE_DOUBLE, nothing, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(nothing);
  for (const hid_t type : {fixed, variable, pair}) H5Tclose(type);
  H5Sclose(space);
  H5Fclose(raw);
  const h5::File read = h5::File::open(folder / "a.h5");
  EXPECT_EQ(read.attribute("/", "fixed")->texts, (std::vector<std::string>{"abc", "de"}));
  EXPECT_EQ(read.attribute("/", "variable")->texts, (std::vector<std::string>{"one", "three"}));
  EXPECT_EQ(read.text("/", "variable"), std::nullopt);
  EXPECT_TRUE(read.attribute("/", "empty")->type.is_real());
  EXPECT_TRUE(read.attribute("/", "empty")->numbers.empty());
  const auto compound = read.attribute("/", "compound");
  ASSERT_TRUE(compound);
  EXPECT_EQ(compound->type.kind, h5::Kind::other);
  EXPECT_TRUE(compound->numbers.empty() && compound->texts.empty());
}

/// A file with one dataset.
std::string small_file(const std::string& path) {
  h5::File file = h5::File::create(path);
  file.write("/data", {10}, counting<double>(10).data());
  file.commit();
  return path;
}

TEST(Hdf5, ALockIsToldWithItsRemedy) {
  if (const char* how = std::getenv("HDF5_USE_FILE_LOCKING"); how && std::string(how) != "TRUE")
    GTEST_SKIP() << "HDF5_USE_FILE_LOCKING=" << how;
  const TemporaryFolder folder;
  const std::string path = small_file(folder / "a.h5");
  const int other = ::open(path.c_str(), O_RDWR);  // whose lock is none of HDF5's own
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  for (const auto& open : {h5::File::open, h5::File::update})
    EXPECT_TRUE(says(message_of<UserError>([&] { (void)open(path); }),
                     {"a.h5' cannot be locked", "temporarily unavailable", "another program",
                      "HDF5_USE_FILE_LOCKING=FALSE"}));
  ASSERT_EQ(::flock(other, LOCK_UN), 0);
  EXPECT_EQ(h5::File::open(path).read<double>("/data"), counting<double>(10));
  // A file that is to be made anew, while somebody holds what is left of an earlier one.
  folder.write_text("b.h5.part", "theirs");
  const int part = ::open((folder / "b.h5.part").c_str(), O_RDWR);
  ASSERT_EQ(::flock(part, LOCK_EX), 0);
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)h5::File::create(folder / "b.h5"); }),
                   {"b.h5.part' cannot be locked", "HDF5_USE_FILE_LOCKING=FALSE"}));
  EXPECT_TRUE(std::filesystem::exists(folder / "b.h5.part"));
  ::close(part);
  ::close(other);
}

/// A copy of a file as it was while it was being written.
std::string unclosed(const TemporaryFolder& folder, unsigned how) {
  const std::string path = folder / "open.h5", copy = folder / "copy.h5";
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC | how, H5P_DEFAULT, access);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
  H5Fclose(file);
  H5Pclose(access);
  return copy;
}

TEST(Hdf5, AFileThatWasNotClosedIsToldWithItsRemedy) {
  const TemporaryFolder folder;
  for (const unsigned how : {0U, H5F_ACC_SWMR_WRITE}) {
    const std::string path = unclosed(folder, how);
    for (const auto& open : {h5::File::open, h5::File::update})
      EXPECT_TRUE(says(message_of<UserError>([&] { (void)open(path); }),
                       {"copy.h5' is marked as being written", "h5clear -s"}));
  }
}

TEST(Hdf5, AFilterThatIsMissingIsToldWithItsRemedy) {
  const TestFilter lz4(32004, "HDF5 lz4 filter"), lzf(32000, "lzf"), unknown(510, "\x1b[31mours");
  if (!lz4.is_missing() || !lzf.is_missing()) GTEST_SKIP() << "these filters are here";
  const TemporaryFolder folder;
  const auto fault = [&](const char* file) {
    const h5::File open = h5::File::open(folder / file);
    const h5::Dataset set = open.dataset("/dp");
    const std::string checked = message_of<UserError>([&] { set.check_filters(); });
    EXPECT_EQ(checked, message_of<UserError>([&] { (void)set.read<float>(); }));
    return checked;
  };
  lz4.write(folder / "lz4.h5", "/dp", {3, 4, 5});
  lzf.write(folder / "lzf.h5", "/dp", {3, 4, 5});
  unknown.write(folder / "unknown.h5", "/dp", {3, 4, 5});
  lz4.write(folder / "skipped.h5", "/dp", {3, 4, 5}, true);
  EXPECT_TRUE(says(fault("lz4.h5"), {"dataset '/dp' in", "compressed by lz4 (filter 32004)",
                                     "not installed here", "pip install hdf5plugin",
                                     "HDF5_PLUGIN_PATH=$(python3 -c \"import hdf5plugin;"}));
  EXPECT_TRUE(says(fault("lzf.h5"), {"compressed by lzf (filter 32000)", "h5py"}));
  EXPECT_TRUE(says(fault("unknown.h5"),
                   {"compressed by the filter '\\x1b[31mours' (filter 510)", "h5repack"}));
  EXPECT_EQ(fault("skipped.h5"), "") << "an optional filter that no chunk has passed";
  EXPECT_EQ(h5::File::open(folder / "skipped.h5").read<float>("/dp"), std::vector<float>(60));
}

TEST(Hdf5, AFilterOfAVirtualDatasetsSourceIsToldToo) {
  const TestFilter bitshuffle(32008, "bitshuffle; see https://github.com");
  if (!bitshuffle.is_missing()) GTEST_SKIP() << "this filter is here";
  const TemporaryFolder folder;
  const std::string source = folder / "source.h5", master = folder / "master.h5";
  bitshuffle.write(source, "/dp", {3, 4, 5});
  const hsize_t shape[] = {3, 4, 5};
  const hid_t file = H5Fcreate(master.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
              space = H5Screate_simple(3, shape, nullptr), layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(layout, space, source.c_str(), "/dp", space);
  const hid_t set =
      H5Dcreate2(file, "/all", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  H5Dclose(set);
  H5Pclose(layout);
  H5Sclose(space);
  H5Fclose(file);
  const h5::File open = h5::File::open(master);
  EXPECT_TRUE(says(message_of<UserError>([&] { open.dataset("/all").check_filters(); }),
                   {"dataset '/all' in", "compressed by bitshuffle (filter 32008)", "hdf5plugin"}));
}

TEST(Hdf5, AFileGetsItsNameOnlyWhenItIsWhole) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  { h5::File file = h5::File::create(path); }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
  {
    h5::File file = h5::File::create(path);
    file.set("/", "version", 1);
    EXPECT_FALSE(std::filesystem::exists(path));
    file.commit();
  }
  EXPECT_TRUE(says(message_of<UserError>([&] { (void)h5::File::create(path); }),
                   {path, "not overwritten"}));
  {
    h5::File file = h5::File::create(path, true);
    EXPECT_EQ(h5::File::open(path).number("/", "version"), 1.0);
    file.set("/", "version", 2);
    file.commit();
  }
  {
    h5::File file = h5::File::update(path);
    file.set("/", "version", 3);
  }
  EXPECT_EQ(h5::File::open(path).number("/", "version"), 3.0);
}

TEST(Hdf5, FaultsOfAFileAreSaidInOneSentence) {
  const TemporaryFolder folder;
  const auto fault = [](const std::string& path) {
    return message_of<UserError>([&] { (void)h5::File::open(path); });
  };
  EXPECT_TRUE(says(fault(folder / "none.h5"), {"none.h5' does not exist"}));
  EXPECT_TRUE(says(fault(folder / ""), {"is a folder"}));
  EXPECT_TRUE(says(fault("/dev/null"), {"is a pipe or a device"}));
  EXPECT_TRUE(says(fault(folder.write_text("empty.h5", "")), {"is empty"}));
  EXPECT_TRUE(says(fault(folder.write_text("text.h5", "patterns: 1 2 3\n")), {"not an HDF5"}));

  const std::string whole = folder / "whole.h5", half = folder / "half.h5";
  {
    h5::File file = h5::File::create(whole);
    file.write("/data", {1000}, counting<double>(1000).data());
    file.commit();
  }
  std::filesystem::copy_file(whole, half);
  std::filesystem::resize_file(half, 4000);
  EXPECT_TRUE(says(fault(half), {"half.h5", "truncated"}));
}

TEST(Hdf5, AFullDiskIsToldInOneLine) {
  const TemporaryFolder folder;
  const auto write = [&] {
    h5::File file = h5::File::create(folder / "a.h5");
    const FileSizeLimit full(100'000);
    file.write("/data", {100'000}, counting<double>(100'000).data());
  };
  const std::string said = message_of<UserError>(write);
  EXPECT_TRUE(says(said, {"/data", "a.h5", "disk full", "File too large"})) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  EXPECT_EQ(said.find("descriptor"), std::string::npos) << said;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "")) << "what was begun is left";
}

TEST(Hdf5, AMissingDatasetIsAnsweredWithTheNearest) {
  const TemporaryFolder folder;
  h5::File file = h5::File::create(folder / "a.h5");
  for (const char* name : {"/patterns", "/positions", "/probe", "/mask", "/entry/data/values"})
    file.write(name, {2}, counting<float>(2).data());
  const auto asked_for = [&](const char* name) {
    return message_of<UserError>([&] { (void)file.dataset(name); });
  };
  EXPECT_TRUE(says(asked_for("/pattern"), {"has no dataset '/pattern'", "nearest: /patterns (2)"}));
  EXPECT_TRUE(says(asked_for("/entry"), {"no dataset"}));
  EXPECT_TRUE(says(asked_for("/a/b/c"), {"no dataset"}));
  EXPECT_EQ(file.datasets().size(), 5u);
  EXPECT_EQ(file.datasets().front().path, "/entry/data/values");
  const auto outside = [&] {
    float v[2];
    file.dataset("mask").read({1}, {2}, v);
  };
  EXPECT_TRUE(says(message_of<UserError>(outside), {"/mask", "has no box of 2 from 1"}));
}

}  // namespace
}  // namespace ptyle
