#include "io/tiff.hpp"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>

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

// Format by ImageJ: io/TiffDecoder.java and io/FileOpener.java of ImageJ 1.53.
std::string imagej_description(i64 pages, const VoxelSize& voxel, float low, float high) {
  std::string text = fmt::format("ImageJ=1.53t\nimages={0}\nslices={0}\nunit={1}\n", pages,
                                 voxel.unit == "A" ? "angstrom" : "pixel");
  if (voxel.slice > 0) text += fmt::format("spacing={:.9g}\n", voxel.slice);
  return text + fmt::format("loop=false\nmin={:.9g}\nmax={:.9g}\n", low, high);
}

}  // namespace

class TiffStack::Writer {
 public:
  Writer(const std::string& path, const std::array<i64, 3>& shape, const VoxelSize& voxel,
         i64 strip)
      : path_(path),
        file_(path),
        shape_(shape),
        voxel_(voxel),
        strip_(strip > 0 ? std::min(strip, shape[1]) : shape[1]) {
    // offsets of the classic format have 32 bits; the rest of the 4.29e9 is for the headers
    const bool big = View<const float, 3>{nullptr, shape}.size() * sizeof(float) > 4'000'000'000;
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &message_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_message, &message_);
    tiff_.reset(TIFFOpenExt(file_.name().c_str(), big ? "w8" : "w", options.get()));
    check(tiff_ != nullptr);
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
    check(TIFFWriteEncodedStrip(tiff_.get(), number, data, bytes) == bytes);
    const auto [low, high] = std::minmax_element(strip.begin(), strip.end());
    const bool first = pages_ == 0 && row_ == 0;
    low_ = first ? *low : std::min(low_, *low);
    high_ = first ? *high : std::max(high_, *high);
    row_ += strip.shape[0];
    beat();
    if (row_ < shape_[1]) return;
    check(TIFFWriteDirectory(tiff_.get()) == 1);
    row_ = 0;
    ++pages_;
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
    if (const auto error = file_.commit())
      throw UserError(
          fmt::format("cannot write the TIFF file {}: {}; choose a name that can be written", path_,
                      error.message()));
  }

 private:
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
                      path_, message_.empty() ? "no reason given" : message_));
  }
  std::string path_, message_;
  PartFile file_;
  std::array<i64, 3> shape_;
  VoxelSize voxel_;
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
void TiffStack::finish() { writer_->finish(); }

void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel) {
  if (stack.empty()) throw std::invalid_argument("write_tiff: an empty stack");
  TiffStack tiff(path, stack.shape, voxel);
  for (i64 z = 0; z < stack.shape[0]; ++z) tiff.rows(stack[z]);
  tiff.finish();
}

}  // namespace ptyle
