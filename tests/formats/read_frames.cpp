// read_frames FILE OUT [DATASET]: writes the frames of a file as ptyle reads them into OUT, as
// int64 or float32, and prints a line of JSON: shape, type, and what the file states of the scan.

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

#include "core/error.hpp"
#include "io/data_file.hpp"
#include "io/frames.hpp"
#include "session/file_facts.hpp"

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
    const auto file = ptyle::open_data_file(arguments[1]);
    const ptyle::Frames frames(file, count > 3 ? arguments[3] : "");
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
        "\"mrad\": {}, \"positions\": \"{}\", \"mask\": \"{}\"}}\n",
        frames.count(), frames.rows(), frames.cols(), ptyle::h5::to_string(frames.info().type),
        frames.is_integer(), scan[0], scan[1], facts.energy.value_or(0), facts.scan_step[0],
        facts.scan_step[1], facts.xray_energy.value_or(0), facts.semi_angle.value_or(0),
        facts.dk.value_or(0), facts.mrad_per_pixel.value_or(0), stated.positions, stated.mask);
  } catch (const ptyle::UserError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
  return 0;
}
