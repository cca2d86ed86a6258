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

class Writer {
 public:
  Writer(std::string path, bool big) : path_(std::move(path)) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &message_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), keep_message, &message_);
    tiff_.reset(TIFFOpenExt(path_.c_str(), big ? "w8" : "w", options.get()));
    check(tiff_ != nullptr);
  }

  template <class... Value>
  void set(ttag_t tag, Value... value) {
    check(TIFFSetField(tiff_.get(), tag, value...) == 1);
  }

  void page(View<const float, 2> image) {
    const auto [rows, cols] = image.shape;
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
  }

  void close() {
    check(TIFFFlush(tiff_.get()) == 1);
    tiff_.reset();
  }

 private:
  void check(bool good) const {
    if (!good)
      throw UserError(
          fmt::format("cannot write the TIFF file {} ({}); choose a folder with room "
                      "that can be written",
                      path_, message_.empty() ? "no reason given" : message_));
  }
  std::string path_, message_;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_{nullptr, TIFFClose};
};

// What ImageJ reads: io/TiffDecoder.java and io/FileOpener.java of ImageJ 1.53.
std::string imagej_description(View<const float, 3> stack, const VoxelSize& voxel) {
  const auto [low, high] = std::minmax_element(stack.begin(), stack.end());
  std::string text = fmt::format("ImageJ=1.53t\nimages={0}\nslices={0}\nunit={1}\n", stack.shape[0],
                                 voxel.unit == "A" ? "angstrom" : "pixel");
  if (voxel.slice > 0) text += fmt::format("spacing={:.9g}\n", voxel.slice);
  return text + fmt::format("loop=false\nmin={:.9g}\nmax={:.9g}\n", *low, *high);
}

}  // namespace

void write_tiff(const std::string& path, View<const float, 3> stack, const VoxelSize& voxel) {
  if (stack.empty()) throw std::invalid_argument("write_tiff: an empty stack");
  constexpr double largest_classic = 4.0e9;  // offsets have 32 bits; the rest is for the headers
  PartFile file(path);
  Writer tiff(file.name(), static_cast<double>(stack.size()) * sizeof(float) > largest_classic);
  for (i64 z = 0; z < stack.shape[0]; ++z) {
    if (z == 0) tiff.set(TIFFTAG_IMAGEDESCRIPTION, imagej_description(stack, voxel).c_str());
    tiff.set(TIFFTAG_XRESOLUTION, 1 / voxel.pixel);
    tiff.set(TIFFTAG_YRESOLUTION, 1 / voxel.pixel);
    tiff.set(TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
    tiff.page(stack[z]);
  }
  tiff.close();
  if (const auto error = file.commit())
    throw UserError(
        fmt::format("cannot write the TIFF file {}: {}; choose a name that can be written", path,
                    error.message()));
}

}  // namespace ptyle
