#include "simulate/recipe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.hpp"

namespace ptyle {
namespace {

// FNV-1a, 64 bits: names the contents of a file.
std::uint64_t checksum(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(fmt::format("{}: the structure's file cannot be read", file));
  std::uint64_t sum = 0xcbf29ce484222325;
  for (std::istreambuf_iterator<char> c(in), end; c != end; ++c)
    sum = (sum ^ static_cast<unsigned char>(*c)) * 0x100000001b3;
  return sum;
}

}  // namespace

std::string describe(const Recipe& r) {
  const auto& [specimen, thermal, optics, detector, scan, dose, output, overwrite, seed, threads,
               precision] = r;
  std::string text = "specimen:\n";
  if (specimen.file.empty())
    text += fmt::format("  structure: {}\n", specimen.structure);
  else
    text += fmt::format("  file: {}  # contents {:016x}\n",
                        std::filesystem::path(specimen.file).filename().string(),
                        checksum(specimen.file));
  text += fmt::format(
      "  zone_axis: [{}]\n  rotation: {}\n  repeat: [{}]\n  thickness: {}\n  slice_thickness: {}\n"
      "  potential: {}\n",
      fmt::join(specimen.zone_axis, ", "), specimen.rotation, fmt::join(specimen.repeat, ", "),
      specimen.thickness, specimen.slice_thickness, specimen.potential);
  text += fmt::format("thermal:\n  motion: {}\n  B: [{}]\n  rms: [{}]\n  configurations: {}\n",
                      thermal.motion, fmt::join(thermal.B, ", "), fmt::join(thermal.rms, ", "),
                      thermal.configurations);
  text += fmt::format(
      "optics:\n  energy: {}\n  semi_angle: {}\n  defocus: {}\n  C12: {}\n  phi12: {}\n  C21: {}\n"
      "  phi21: {}\n  C23: {}\n  phi23: {}\n  C30: {}\n  aperture_edge: {}\n  modes: {}\n"
      "  mode_power: {}\n",
      optics.energy, optics.semi_angle, optics.defocus, optics.C12, optics.phi12, optics.C21,
      optics.phi21, optics.C23, optics.phi23, optics.C30, optics.aperture_edge, optics.modes,
      optics.mode_power);
  text += fmt::format("detector:\n  window: {}\n  pixel_size: {}\n  bin: {}\n  band_limit: {}\n",
                      detector.window, detector.pixel_size, detector.bin, detector.band_limit);
  text +=
      fmt::format("scan:\n  shape: [{}]\n  step: [{}]\n  rotation: {}\n  snake: {}\n  jitter: {}\n",
                  fmt::join(scan.shape, ", "), fmt::join(scan.step, ", "), scan.rotation,
                  scan.snake, scan.jitter);
  text += fmt::format("dose:\n  electrons_per_A2: {}\n  noise: {}\n  type: {}\n",
                      dose.electrons_per_A2, dose.noise, dose.type);
  text += fmt::format("seed: {}\nprecision: {}\n", seed, precision);
  return text;
}

}  // namespace ptyle
