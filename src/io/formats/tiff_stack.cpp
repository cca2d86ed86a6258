// A TIFF or BigTIFF of gray pages, each a frame; or ImageJ's, of one page with the others behind
// it, as its description says ("images=N").
//   1. What each page is, and where its numbers lie.
//   2. Uncompressed pages at a constant distance stay where they lie.
//   3. Others are unpacked by libtiff, into memory.

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "io/formats/formats.hpp"

namespace ptyle::formats {
namespace {

struct Page {
  i64 rows = 0, cols = 0;
  h5::Type type;
  std::optional<i64> at;  ///< byte at which its numbers lie in order; nothing: not so
  bool operator==(const Page& o) const {
    return rows == o.rows && cols == o.cols && type == o.type;
  }
};

class Pages {
 public:
  explicit Pages(const Source& source) : source_(source) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
        TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &message_);
    TIFFOpenOptionsSetWarningHandlerExtR(
        options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
    // c: no strips are put together from one; m: no map of the file, whose end is not ours
    tiff_.reset(TIFFOpenExt(source.path().c_str(), "rcm", options.get()));
    if (!tiff_) damaged(0);
  }
  [[nodiscard]] Page page(i64 number);
  /// The next page becomes the present one; false: there is none.
  bool next() {
    message_.clear();
    const bool there = TIFFReadDirectory(tiff_.get()) != 0;
    if (!there && !message_.empty()) damaged(-1);
    return there;
  }
  void first() { TIFFSetDirectory(tiff_.get(), 0); }
  /// Unpacks the present page.
  void read(const Page& page, char* to);
  [[nodiscard]] std::string description() {
    const char* text = nullptr;
    return TIFFGetField(tiff_.get(), TIFFTAG_IMAGEDESCRIPTION, &text) == 1 ? text : "";
  }
  [[nodiscard]] bool is_big_endian() { return TIFFIsBigEndian(tiff_.get()) != 0; }

 private:
  static int keep_message(TIFF*, void* to, const char*, const char* format, va_list arguments) {
    std::array<char, 400> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    if (auto& kept = *static_cast<std::string*>(to); kept.empty()) kept = text.data();
    return 1;
  }
  [[noreturn]] void damaged(i64 page) {
    throw UserError(fmt::format("file '{}' is a truncated or damaged TIFF{}: {}", source_.path(),
                                page < 0 ? "" : fmt::format(", page {}", page),
                                message_.empty() ? "no further message" : printable(message_)));
  }
  [[noreturn]] void refuse(i64 page, const std::string& what) {
    throw UserError(
        fmt::format("page {} of the TIFF '{}' is {}; frames are gray pages of 8, 16, 32 or 64 bits",
                    page, source_.path(), what));
  }
  [[nodiscard]] std::optional<i64> place(const Page& page);
  void read_tiles(const Page& page, char* to);

  const Source& source_;
  std::string message_;
  std::unique_ptr<TIFF, void (*)(TIFF*)> tiff_{nullptr, TIFFClose};
};

Page Pages::page(i64 number) {
  std::uint32_t rows = 0, cols = 0, depth = 1;
  std::uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT,
                photometric = PHOTOMETRIC_MINISBLACK;
  TIFF* t = tiff_.get();
  TIFFGetField(t, TIFFTAG_IMAGELENGTH, &rows);
  TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &cols);
  TIFFGetFieldDefaulted(t, TIFFTAG_IMAGEDEPTH, &depth);
  TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &photometric);
  if (depth != 1) refuse(number, fmt::format("a volume of {} planes", depth));
  if (photometric == PHOTOMETRIC_PALETTE) refuse(number, "a picture with a palette");
  if (samples != 1 || photometric > PHOTOMETRIC_MINISBLACK)
    refuse(number, fmt::format("a picture of {} colours", std::max<int>(samples, 3)));
  const bool real = format == SAMPLEFORMAT_IEEEFP;
  if ((bits != 8 && bits != 16 && bits != 32 && bits != 64) || (real && bits == 8) ||
      format > SAMPLEFORMAT_VOID || rows == 0 || cols == 0)
    refuse(number, fmt::format("{} x {} of {} bits, of TIFF's kind {}", rows, cols, bits, format));
  const h5::Kind kind = real                         ? h5::Kind::real
                        : format == SAMPLEFORMAT_INT ? h5::Kind::integer
                                                     : h5::Kind::natural;
  Page page{rows, cols, {kind, bits / 8}, {}};
  page.at = place(page);
  return page;
}

/// Strips have to follow each other.
std::optional<i64> Pages::place(const Page& page) {
  TIFF* t = tiff_.get();
  std::uint16_t compression = COMPRESSION_NONE, order = FILLORDER_MSB2LSB;
  TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(t, TIFFTAG_FILLORDER, &order);
  if (compression != COMPRESSION_NONE || order != FILLORDER_MSB2LSB || TIFFIsTiled(t) != 0)
    return {};
  const i64 first = static_cast<i64>(TIFFGetStrileOffset(t, 0));
  i64 end = first;
  for (std::uint32_t s = 0; s < TIFFNumberOfStrips(t); ++s) {
    if (static_cast<i64>(TIFFGetStrileOffset(t, s)) != end) return {};
    end += static_cast<i64>(TIFFGetStrileByteCount(t, s));
  }
  if (first == 0 || end - first < page.rows * page.cols * page.type.bytes) return {};
  return first;
}

void Pages::read(const Page& page, char* to) {
  message_.clear();
  TIFF* t = tiff_.get();
  if (TIFFIsTiled(t) != 0) return read_tiles(page, to);
  const i64 line = page.cols * page.type.bytes;
  for (i64 y = 0; y < page.rows; ++y)
    if (TIFFScanlineSize64(t) != static_cast<std::uint64_t>(line) ||
        TIFFReadScanline(t, to + y * line, static_cast<std::uint32_t>(y)) != 1)
      damaged(TIFFCurrentDirectory(t));
}

void Pages::read_tiles(const Page& page, char* to) {
  TIFF* t = tiff_.get();
  std::uint32_t width = 0, length = 0;
  TIFFGetField(t, TIFFTAG_TILEWIDTH, &width);
  TIFFGetField(t, TIFFTAG_TILELENGTH, &length);
  const i64 bytes = page.type.bytes;
  std::vector<char> tile(static_cast<std::size_t>(TIFFTileSize64(t)));
  if (width == 0 || length == 0 || static_cast<i64>(tile.size()) < i64{width} * length * bytes)
    damaged(TIFFCurrentDirectory(t));
  for (i64 y = 0; y < page.rows; y += length)
    for (i64 x = 0; x < page.cols; x += width) {
      if (TIFFReadTile(t, tile.data(), static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y),
                       0, 0) < 0)
        damaged(TIFFCurrentDirectory(t));
      const i64 n = std::min<i64>(width, page.cols - x) * bytes;
      for (i64 row = 0; row < std::min<i64>(length, page.rows - y); ++row)
        std::copy_n(tile.data() + row * width * bytes, n, to + ((y + row) * page.cols + x) * bytes);
    }
}

/// ImageJ's "images=N"; 1: it says nothing.
i64 images_of_imagej(const std::string& description) {
  const auto at = description.find("\nimages=");
  i64 images = 1;
  if (description.starts_with("ImageJ=") && at != std::string::npos)
    std::from_chars(description.data() + at + 8, description.data() + description.size(), images);
  return std::max<i64>(images, 1);
}

/// The first two of four numbers that tifffile writes: {"shape": [16, 12, 96, 96]}.
std::optional<std::array<i64, 2>> scan_shape_of(const std::string& description, i64 frames) {
  static const std::regex shape(R"(^\{"shape": \[(\d{1,9}), (\d{1,9}), \d+, \d+\])");
  std::smatch found;
  if (!std::regex_search(description, found, shape)) return {};
  const std::array<i64, 2> scan{std::stoll(found[1]), std::stoll(found[2])};
  return scan[0] * scan[1] == frames ? std::optional(scan) : std::nullopt;
}

std::vector<Page> pages_of(const Source& source, Pages& file) {
  std::vector<Page> all{file.page(0)};
  while (file.next()) {
    all.push_back(file.page(static_cast<i64>(all.size())));
    if (!(all.back() == all.front()))
      throw UserError(fmt::format(
          "page {} of the TIFF '{}' is {} x {} of {}, the first {} x {} of {}; frames must be of "
          "one shape and type",
          all.size() - 1, source.path(), all.back().rows, all.back().cols,
          h5::to_string(all.back().type), all.front().rows, all.front().cols,
          h5::to_string(all.front().type)));
  }
  return all;
}

/// The bytes from each page to the next, where they lie so that they need not be unpacked.
std::optional<i64> distance(const std::vector<Page>& pages) {
  const Page& first = pages.front();
  const i64 frame = first.rows * first.cols * first.type.bytes;
  if (!first.at) return {};
  if (pages.size() == 1) return frame;
  const i64 step = pages[1].at.value_or(0) - *first.at;
  if (step < frame || step % first.type.bytes != 0) return {};
  for (std::size_t i = 0; i < pages.size(); ++i)
    if (pages[i].at != *first.at + static_cast<i64>(i) * step) return {};
  return step;
}

}  // namespace

bool is_tiff(const Source& source) {
  const std::string start = source.start().substr(0, 4);
  return start == std::string("II*\0", 4) || start == std::string("MM\0*", 4) ||
         start == std::string("II+\0", 4) || start == std::string("MM\0+", 4);
}

void read_tiff(const Source& source, h5::File& to) {
  Pages file(source);
  const std::string description = file.description();
  const auto pages = pages_of(source, file);
  const Page& first = pages.front();
  const i64 behind = pages.size() == 1 ? images_of_imagej(description) : 1;
  const h5::Shape shape{std::max<i64>(static_cast<i64>(pages.size()), behind), first.rows,
                        first.cols};
  const i64 frame = bytes_of(source, {first.rows, first.cols}, first.type.bytes),
            bytes = bytes_of(source, shape, first.type.bytes);
  if (const auto step = distance(pages); step && (behind == 1 || first.at)) {
    const i64 last = *first.at + (shape[0] - 1) * *step + frame;
    source.check_end(
        last, fmt::format("it says {} pages of {} x {} of {}, the last of which ends", shape[0],
                          first.rows, first.cols, h5::to_string(first.type)));
    to.map_dataset("/data", first.type, shape,
                   {source.path(), *first.at, file.is_big_endian(), *step == frame ? 0 : *step});
  } else if (behind > 1) {
    throw UserError(
        fmt::format("the TIFF '{}' has one page, and ImageJ's description says {}: they are read "
                    "where they lie "
                    "one after the other, uncompressed",
                    source.path(), behind));
  } else {
    check_room(source, "the pages", bytes,
               fmt::format("this writes it uncompressed: python3 -c \"import tifffile; "
                           "tifffile.imwrite('uncompressed.tif', tifffile.imread('{}'))\"",
                           source.path()));
    file.first();
    i64 left = shape[0];
    // libtiff gives numbers in this machine's order
    to.store_dataset("/data", first.type, shape, false, [&](i64 n, char* part) {
      for (i64 at = 0; at < n; at += frame) {
        file.read(first, part + at);
        if (--left > 0) file.next();
      }
    });
  }
  if (const auto scan = scan_shape_of(description, shape[0]))
    to.set("/", "scan_shape", std::span<const i64>(*scan));
}

}  // namespace ptyle::formats
