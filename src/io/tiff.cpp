#include "io/tiff.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/error.hpp"
#include "core/pulse.hpp"
#include "io/part_file.hpp"

namespace ptyle {
namespace {

// libtiff's message goes to the caller's string instead of stderr.
int keep_message(TIFF*, void* to, const char*, const char* format, va_list arguments) {
  std::array<char, 400> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  *static_cast<std::string*>(to) = text.data();
  return 1;
}

/// The unit, spelt so that ImageJ and pint (hyperspy) know it.
const char* unit_of(const VoxelSize& voxel) { return voxel.unit == "A" ? "angstrom" : "pixel"; }

// Format by ImageJ: io/TiffDecoder.java and io/FileOpener.java of ImageJ 1.53.
std::string imagej_description(i64 pages, const VoxelSize& voxel, float low, float high) {
  std::string text =
      fmt::format("ImageJ=1.53t\nimages={0}\nslices={0}\nunit={1}\n", pages, unit_of(voxel));
  if (voxel.slice > 0) text += fmt::format("spacing={:.9g}\n", voxel.slice);
  return text + fmt::format("loop=false\nmin={:.9g}\nmax={:.9g}\n", low, high);
}

// DigitalMicrograph's tags, by which RosettaSciIO (hyperspy) finds the unit: it knows of ImageJ's
// only "micron". Numbers by rsciio/tiff/_api.py of RosettaSciIO 0.15: x, y, z from each first one.
constexpr std::uint32_t dm_unit = 65003, dm_scale = 65009;

/// Makes them known to libtiff for the directory at hand.
void know_dm_tags(TIFF* tiff) {
  static std::array<char, 10> name{"DM's own"};
  static const auto fields = [] {
    std::array<TIFFFieldInfo, 6> all{};
    for (std::uint32_t axis = 0; axis < 3; ++axis) {
      all[2 * axis] = {dm_unit + axis, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, name.data()};
      all[2 * axis + 1] = {dm_scale + axis, 1, 1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 0, name.data()};
    }
    return all;
  }();
  TIFFMergeFieldInfo(tiff, fields.data(), static_cast<std::uint32_t>(fields.size()));
}

/// A file for libtiff, which may leave places free for others to write to.
class TiffFile {
 public:
  explicit TiffFile(const std::string& path)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;
  ~TiffFile() {
    if (file_ >= 0) ::close(file_);
  }
  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  /// Until the next call nothing is written; its place stays free.
  void leave_free(bool free) { free_ = free; }
  [[nodiscard]] i64 end() const { return end_; }
  /// These bytes behind what there is are for data; all else comes after them.
  void reserve(i64 bytes) { end_ += bytes; }
  /// Until the next call, what is appended lies from this byte on; 0: behind all.
  void append_at(i64 place) { append_at_ = place; }
  /// Why the last call failed; empty: none did.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool close() { return ::close(std::exchange(file_, -1)) == 0; }

  [[nodiscard]] TIFF* stream(const std::string& name, const char* mode, TIFFOpenOptions* options) {
    return TIFFClientOpenExt(name.c_str(), mode, this, read, write, seek, closed, size, map, unmap,
                             options);
  }

 private:
  static TiffFile& of(thandle_t file) { return *static_cast<TiffFile*>(file); }
  static tmsize_t read(thandle_t file, void* to, tmsize_t bytes) {
    TiffFile& f = of(file);
    const auto n = ::pread(f.file_, to, static_cast<std::size_t>(bytes), f.at_);
    if (n > 0) f.at_ += n;
    return n;
  }
  static tmsize_t write(thandle_t file, void* from, tmsize_t bytes) {
    TiffFile& f = of(file);
    tmsize_t done = f.free_ ? bytes : 0;
    while (done < bytes) {
      const auto n = ::pwrite(f.file_, static_cast<char*>(from) + done,
                              static_cast<std::size_t>(bytes - done), f.at_ + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) f.failure_ = std::strerror(n == 0 ? ENOSPC : errno);
      if (n <= 0) return -1;
      done += n;
    }
    f.at_ += bytes;
    f.end_ = std::max<i64>(f.end_, f.at_);
    return bytes;
  }
  static toff_t seek(thandle_t file, toff_t by, int from) {
    TiffFile& f = of(file);
    const i64 end = f.append_at_ > 0 ? f.append_at_ : f.end_;
    f.at_ = static_cast<off_t>(by) + (from == SEEK_CUR ? f.at_ : from == SEEK_END ? end : 0);
    return static_cast<toff_t>(f.at_);
  }
  static int closed(thandle_t) { return 0; }  // the file is closed by its owner
  static toff_t size(thandle_t file) { return static_cast<toff_t>(of(file).end_); }
  static int map(thandle_t, void**, toff_t*) { return 0; }  // it cannot be
  static void unmap(thandle_t, void*, toff_t) {}

  int file_;
  off_t at_ = 0;
  i64 end_ = 0, append_at_ = 0;
  bool free_ = false;
  std::string failure_;
};

}  // namespace

class TiffStack::Writer {
 public:
  Writer(const std::string& path, const std::array<i64, 3>& shape, const VoxelSize& voxel,
         i64 strip)
      : path_(path),
        file_(path),
        out_(file_.name()),
        shape_(shape),
        voxel_(voxel),
        strip_(strip > 0 ? std::min(strip, shape[1]) : shape[1]) {
    // offsets of the classic format have 32 bits; the rest of the 4.29e9 is for the headers
    const bool big = View<const float, 3>{nullptr, shape}.size() * sizeof(float) > 4'000'000'000;
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &message_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_message, &message_);
    if (!out_.is_open()) message_ = std::strerror(errno);
    check(out_.is_open());
    tiff_.reset(out_.stream(file_.name(), big ? "w8" : "w", options.get()));
    check(tiff_ != nullptr);
    // Pages lie one after the other, without their tags between: readers of ImageJ's stacks take
    // that for granted (tifffile where there are two).
    data_ = out_.end();
    out_.reserve(View<const float, 3>{nullptr, shape}.size() * i64{sizeof(float)});
  }

  std::vector<i64> hand_out() {
    std::vector<i64> places;
    while (pages_ < shape_[0]) {
      if (row_ == 0) begin_page();
      const i64 count = std::min(strip_, shape_[1] - row_);
      const auto bytes = static_cast<tmsize_t>(count * shape_[2]) * tmsize_t{sizeof(float)};
      places.push_back(place());
      out_.append_at(places.back());
      out_.leave_free(true);
      char nothing = 0;  // what is left free is not looked at
      const bool good = TIFFWriteRawStrip(tiff_.get(), static_cast<std::uint32_t>(row_ / strip_),
                                          &nothing, bytes) == bytes;
      out_.leave_free(false);
      out_.append_at(0);
      check(good);
      end_strip(count);
    }
    return places;
  }

  void set_range(float low, float high) {
    low_ = low;
    high_ = high;
  }

  void rows(View<const float, 2> strip) {
    if (pages_ == shape_[0] || strip.shape[0] != std::min(strip_, shape_[1] - row_) ||
        strip.shape[1] != shape_[2])
      throw std::logic_error("TiffStack: other rows than announced");
    if (row_ == 0) begin_page();
    // libtiff takes void* although it only reads
    auto* data = const_cast<float*>(strip.data);
    const auto bytes = static_cast<tmsize_t>(strip.size()) * tmsize_t{sizeof(float)};
    const auto number = static_cast<std::uint32_t>(row_ / strip_);
    out_.append_at(place());
    const bool good = TIFFWriteEncodedStrip(tiff_.get(), number, data, bytes) == bytes;
    out_.append_at(0);
    check(good);
    const auto [low, high] = std::minmax_element(strip.begin(), strip.end());
    const bool first = pages_ == 0 && row_ == 0;
    low_ = first ? *low : std::min(low_, *low);
    high_ = first ? *high : std::max(high_, *high);
    end_strip(strip.shape[0]);
  }

  void finish() {
    if (pages_ != shape_[0]) throw std::logic_error("TiffStack: pages are missing");
    // Smallest and largest value are known now; the first page's tags are written anew.
    check(TIFFSetDirectory(tiff_.get(), 0) == 1);
    const std::string text = imagej_description(pages_, voxel_, low_, high_);
    set(TIFFTAG_IMAGEDESCRIPTION, text.c_str());
    check(TIFFRewriteDirectory(tiff_.get()) == 1);
    check(TIFFFlush(tiff_.get()) == 1);
    tiff_.reset();
    check(out_.close());
    if (const auto error = file_.commit())
      throw UserError(
          fmt::format("cannot write the TIFF file {}: {}; choose a name that can be written", path_,
                      error.message()));
  }

 private:
  /// The byte of the next strip.
  [[nodiscard]] i64 place() const {
    return data_ + (pages_ * shape_[1] + row_) * shape_[2] * i64{sizeof(float)};
  }
  void end_strip(i64 rows) {
    beat();
    row_ += rows;
    if (row_ < shape_[1]) return;
    check(TIFFWriteDirectory(tiff_.get()) == 1);
    row_ = 0;
    ++pages_;
  }
  void begin_page() {
    set(TIFFTAG_XRESOLUTION, 1 / voxel_.pixel);
    set(TIFFTAG_YRESOLUTION, 1 / voxel_.pixel);
    set(TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
    set(TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(shape_[1]));
    set(TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(shape_[2]));
    set(TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(strip_));
    set(TIFFTAG_BITSPERSAMPLE, 32);
    set(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    set(TIFFTAG_SAMPLESPERPIXEL, 1);
    set(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    set(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    know_dm_tags(tiff_.get());
    const std::array scales{voxel_.pixel, voxel_.pixel, voxel_.slice};
    for (std::uint32_t axis = 0; axis < 3; ++axis) {
      if (scales[axis] <= 0) continue;
      set(dm_unit + axis, unit_of(voxel_));
      set(dm_scale + axis, scales[axis]);
    }
  }
  template <class... Value>
  void set(ttag_t tag, Value... value) {
    check(TIFFSetField(tiff_.get(), tag, value...) == 1);
  }
  void check(bool good) const {
    if (!good)
      throw UserError(
          fmt::format("cannot write the TIFF file {} ({}); choose a folder with space "
                      "that can be written",
                      path_,
                      !out_.failure().empty() ? out_.failure()
                      : message_.empty()      ? "no reason given"
                                              : message_));
  }
  std::string path_, message_;
  PartFile file_;
  TiffFile out_;
  std::array<i64, 3> shape_;
  VoxelSize voxel_;
  i64 data_ = 0;             // byte of the first number
  i64 strip_;                // rows
  i64 pages_ = 0, row_ = 0;  // that are there; the next of the page
  float low_ = 0, high_ = 0;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_{nullptr, TIFFClose};
};

TiffStack::TiffStack(const std::string& path, const std::array<i64, 3>& shape,
                     const VoxelSize& voxel, i64 strip)
    : writer_(std::make_unique<Writer>(path, shape, voxel, strip)) {}
TiffStack::~TiffStack() = default;
void TiffStack::rows(View<const float, 2> strip) { writer_->rows(strip); }
std::vector<i64> TiffStack::hand_out() { return writer_->hand_out(); }
void TiffStack::set_range(float low, float high) { writer_->set_range(low, high); }
void TiffStack::finish() { writer_->finish(); }

void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel) {
  if (stack.empty()) throw std::invalid_argument("write_tiff: an empty stack");
  TiffStack tiff(path, stack.shape, voxel);
  for (i64 z = 0; z < stack.shape[0]; ++z) tiff.rows(stack[z]);
  tiff.finish();
}

}  // namespace ptyle
