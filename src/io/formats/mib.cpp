// A Merlin detector's file (Quantum Detectors, ".mib"): each frame has a header of text,
// "MQ1,000001,00384,01,0256,0256,U16,...": number of the frame, bytes of the header, chips,
// columns, rows, type; the counts follow, the most significant byte first. A .hdr beside it has
// lines "Frames per Trigger (Number):\t128".

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/printable.hpp"
#include "io/formats/formats.hpp"

namespace fs = std::filesystem;

namespace ptyle::formats {
namespace {

constexpr std::string_view magic = "MQ1,";
constexpr i64 header_enough = 64;  // bytes of a header that hold what is read of it

struct Header {
  i64 number = 0, bytes = 0, rows = 0, cols = 0;
  std::string type;
};

/// The header at the beginning of `text`; numbers are 0 where it has none.
Header header_of(std::string_view text) {
  std::vector<std::string_view> fields;
  while (fields.size() < 8 && !text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    fields.push_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  fields.resize(8);
  return {whole_number(fields[1]), whole_number(fields[2]), whole_number(fields[5]),
          whole_number(fields[4]), std::string(fields[6])};
}

/// A number of the .hdr beside the file; 0: there is none.
i64 number_beside(const Source& source, std::string_view name) {
  std::ifstream file(fs::path(source.path()).replace_extension(".hdr"));
  for (std::string line; std::getline(file, line);)
    if (std::string_view(line).starts_with(name))
      if (const auto colon = line.find(':'); colon != std::string::npos)
        return whole_number(std::string_view(line).substr(colon + 1));
  return 0;
}

h5::Type type_of(const Source& source, const Header& header) {
  if (header.type == "U08") return {h5::Kind::natural, 1};
  if (header.type == "U16") return {h5::Kind::natural, 2};
  if (header.type == "U32") return {h5::Kind::natural, 4};
  if (header.type == "R64")
    throw UserError(fmt::format(
        "file '{}' holds raw words of a Merlin detector (R64), whose pixels are not in order; the "
        "detector's program writes it again without raw mode",
        source.path()));
  throw UserError(fmt::format(
      "file '{}' holds counts of type '{}', of a Merlin detector U08, U16 and U32 are read",
      source.path(), printable(header.type)));
}

/// The header of a frame.
std::string header_at(const Source& source, i64 at, i64 bytes) {
  return source.read(at, std::min<i64>({bytes, header_enough, source.size() - at}));
}

/// A note where the frames' own numbers do not count up by one: of frames that the detector or the
/// disk lost. Found by halving, from the first frame and the last.
std::optional<std::string> note_of_gaps(const Source& source, const Header& first, i64 frames,
                                        i64 stride) {
  const auto number = [&](i64 frame) {
    return header_of(header_at(source, frame * stride, first.bytes)).number;
  };
  i64 good = 0, late = frames - 1;
  const i64 last = number(late);
  if (last == first.number + late || last == first.number) return {};  // or they do not count
  while (late - good > 1) {
    const i64 middle = (good + late) / 2;
    (number(middle) == first.number + middle ? good : late) = middle;
  }
  return fmt::format(
      "frames of '{}' do not count up by one, as where some were lost: frame {} (from 0) has the "
      "number {}, where {} is due, and the last has {}, where {} is; what follows a lost frame "
      "belongs to later positions than the scan's order says",
      source.path(), late, number(late), first.number + late, last, first.number + frames - 1);
}

/// The header of a frame has to say what the first does.
void check_header(const Source& source, const Header& first, i64 frame, i64 stride) {
  const i64 at = frame * stride;
  const std::string text = header_at(source, at, first.bytes);
  const Header last = header_of(text);
  if (!text.starts_with(magic) || last.bytes != first.bytes || last.rows != first.rows ||
      last.cols != first.cols || last.type != first.type)
    throw UserError(fmt::format(
        "file '{}' is damaged: its first header says {} x {} of {}, and at byte {}, where frame {} "
        "would begin, there is no such header",
        source.path(), first.rows, first.cols, first.type, at, frame));
}

}  // namespace

bool is_mib(const Source& source) { return source.start().starts_with(magic); }

void read_mib(const Source& source, h5::File& to) {
  const Header header = header_of(source.start());
  const h5::Type type = type_of(source, header);
  if (header.bytes < 32 || header.rows < 1 || header.cols < 1 || header.bytes % type.bytes != 0 ||
      header.bytes > source.size())
    throw UserError(fmt::format(
        "file '{}' is damaged: its first header says {} x {} pixels behind {} bytes of header",
        source.path(), header.rows, header.cols, header.bytes));
  const i64 stride = header.bytes + bytes_of(source, {header.rows, header.cols}, type.bytes);
  const i64 frames = source.size() / stride;
  if (frames == 0)
    source.check_end(stride, fmt::format("its header says {} x {} of {}, which would end",
                                         header.rows, header.cols, header.type));
  check_header(source, header, frames - 1, stride);
  if (source.size() - frames * stride >= header_enough)
    check_header(source, header, frames, stride);
  to.map_dataset("/data", type, {frames, header.rows, header.cols},
                 {source.path(), header.bytes, true, stride});
  if (source.size() % stride != 0)
    to.note(fmt::format("the last frame of '{}', number {}, is incomplete and is left out",
                        source.path(), frames));
  to.note(fmt::format(
      "'{}' is a Merlin detector's, whose rows are read as they lie in the file; RosettaSciIO and "
      "HyperSpy show them upside down, as data.flip_rows: true does",
      source.path()));
  if (const auto gaps = note_of_gaps(source, header, frames, stride)) to.note(*gaps);
  const i64 line = number_beside(source, "Frames per Trigger"),
            all = number_beside(source, "Frames in Acquisition");
  if (all > 0 && all != frames)
    to.note(fmt::format("the .hdr beside '{}' says {} frames, the file has {}", source.path(), all,
                        frames));
  if (line > 1 && line < frames && frames % line == 0)
    to.set("/", "scan_shape", std::span<const i64>(std::array{frames / line, line}));
}

}  // namespace ptyle::formats
