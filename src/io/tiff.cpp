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
  Writer(const std::string& path, const std::array<i64, 3>& shape, const VoxelSize& voxel)
      : path_(path), file_(path), shape_(shape), voxel_(voxel) {
    // offsets of the classic format have 32 bits; the rest of the 4.29e9 is for the headers
    const bool big = View<const float, 3>{nullptr, shape}.size() * sizeof(float) > 4'000'000'000;
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &message_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_message, &message_);
    tiff_.reset(TIFFOpenExt(file_.name().c_str(), big ? "w8" : "w", options.get()));
    check(tiff_ != nullptr);
  }

  void page(View<const float, 2> image) {
    const auto [rows, cols] = image.shape;
    if (pages_ == shape_[0] || rows != shape_[1] || cols != shape_[2])
      throw std::logic_error("TiffStack: another page than announced");
    set(TIFFTAG_XRESOLUTION, 1 / voxel_.pixel);
    set(TIFFTAG_YRESOLUTION, 1 / voxel_.pixel);
    set(TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
    set(TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(rows));
    set(TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(cols));
    set(TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(rows));
    set(TIFFTAG_BITSPERSAMPLE, 32);
    set(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    set(TIFFTAG_SAMPLESPERPIXEL, 1);
    set(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    set(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    // libtiff takes void* although it only reads
    auto* data = const_cast<float*>(image.data);
    const auto bytes = static_cast<tmsize_t>(image.size()) * tmsize_t{sizeof(float)};
    check(TIFFWriteEncodedStrip(tiff_.get(), 0, data, bytes) == bytes);
    check(TIFFWriteDirectory(tiff_.get()) == 1);
    const auto [low, high] = std::minmax_element(image.begin(), image.end());
    low_ = pages_ == 0 ? *low : std::min(low_, *low);
    high_ = pages_ == 0 ? *high : std::max(high_, *high);
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
  i64 pages_ = 0;
  float low_ = 0, high_ = 0;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_{nullptr, TIFFClose};
};

TiffStack::TiffStack(const std::string& path, const std::array<i64, 3>& shape,
                     const VoxelSize& voxel)
    : writer_(std::make_unique<Writer>(path, shape, voxel)) {}
TiffStack::~TiffStack() = default;
void TiffStack::page(View<const float, 2> image) { writer_->page(image); }
void TiffStack::finish() { writer_->finish(); }

void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel) {
  if (stack.empty()) throw std::invalid_argument("write_tiff: an empty stack");
  TiffStack tiff(path, stack.shape, voxel);
  for (i64 z = 0; z < stack.shape[0]; ++z) tiff.page(stack[z]);
  tiff.finish();
}

}  // namespace ptyle
