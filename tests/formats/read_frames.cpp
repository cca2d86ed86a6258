// read_frames FILE OUT [DATASET [RAW_TYPE ROWS COLUMNS OFFSET GAP BIG_ENDIAN]]: writes the frames
// of a file as ptyle reads them into OUT, as int64 or float32, and prints a line of JSON: shape,
// type, and what the file states of the scan.

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/frames.hpp"
#include "session/file_facts.hpp"
#include "session/open_experiment.hpp"

namespace {

template <class T>
void write(const ptyle::Frames& frames, const char* path) {
  std::ofstream out(path, std::ios::binary);
  std::vector<T> frame(static_cast<std::size_t>(frames.rows() * frames.cols()));
  for (ptyle::i64 i = 0; i < frames.count(); ++i) {
    frames.read(i, 1, frame.data());
    out.write(reinterpret_cast<const char*>(frame.data()),
              static_cast<std::streamsize>(frame.size() * sizeof(T)));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 1;
  try {
    ptyle::DataConfig data;
    data.file = arguments[1];
    if (count > 3) data.patterns = arguments[3];
    if (count > 9) {
      data.raw_type = ptyle::choice_named<std::optional<ptyle::RawNumber>>(arguments[4]).value();
      data.raw_shape = {std::stoi(arguments[5]), std::stoi(arguments[6])};
      data.raw_offset = std::stoi(arguments[7]);
      data.raw_gap = std::stoi(arguments[8]);
      data.raw_big_endian = std::stoi(arguments[9]) != 0;
    }
    const ptyle::FramesAsked asked = ptyle::frames_asked(data);
    const auto file = ptyle::open_data_file(asked.files.front(), asked.raw);
    const ptyle::Frames frames(file, asked);
    if (frames.is_integer())
      write<std::int64_t>(frames, arguments[2]);
    else
      write<float>(frames, arguments[2]);
    const ptyle::StatedFacts stated = ptyle::read_file_facts(file, &frames);
    const ptyle::FileFacts& facts = stated.facts;
    auto scan = frames.scan_shape();
    if (scan[0] == 0) scan = {facts.scan_shape[0], facts.scan_shape[1]};
    fmt::print(
        "{{\"shape\": [{}, {}, {}], \"type\": \"{}\", \"integer\": {}, \"scan\": [{}, {}], "
        "\"energy\": {}, \"step\": [{}, {}], \"xray_energy\": {}, \"semi_angle\": {}, \"dk\": {}, "
        "\"mrad\": {}, \"positions\": \"{}\", \"mask\": \"{}\", \"probe\": \"{}\"}}\n",
        frames.count(), frames.rows(), frames.cols(), ptyle::h5::to_string(frames.info().type),
        frames.is_integer(), scan[0], scan[1], facts.energy.value_or(0), facts.scan_step[0],
        facts.scan_step[1], facts.xray_energy.value_or(0), facts.semi_angle.value_or(0),
        facts.dk.value_or(0), facts.mrad_per_pixel.value_or(0), stated.positions, stated.mask,
        stated.probe);
  } catch (const ptyle::UserError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
  return 0;
}
