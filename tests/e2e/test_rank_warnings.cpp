// Warnings about a measurement are the same on processes that hold a part of it each.

#include <gtest/gtest.h>

#include <sstream>

#include "e2e/program.hpp"

namespace ptyle {
namespace {

/// Lines that warn of the orientation.
std::string warned(const Ran& ran) {
  std::istringstream lines(ran.out + ran.err);
  std::string all;
  for (std::string line; std::getline(lines, line);)
    if (line.find("orientation looks wrong") != std::string::npos)
      all += line.substr(line.find("orientation")) + "\n";
  return all;
}

TEST(RankWarnings, OfTheOrientationAreThoseOfOneProcess) {
  const TestFolder folder;
  folder.write("set.yaml",
               "specimen: {structure: SrTiO3, thickness: 3.905, slice_thickness: 3.905, rotation: "
               "17}\n"
               "optics: {energy: 200, semi_angle: 25, defocus: 120}\n"
               "detector: {window: 64, pixel_size: 0.2}\n"
               "scan: {shape: [9, 10], step: 0.9}\n"
               "dose: {electrons_per_A2: 1e6}\n"
               "output: set.h5\n");
  folder.write("run.yaml",
               "data: {file: set.h5, transpose: true}\n"
               "solver: {iterations: 1, threads: 1}\n"
               "output: {pictures: false, tiff: false}\n");
  ASSERT_EQ(run_ptyle({"simulate", "set.yaml"}, {.folder = folder.path()}).status, 0);
  const auto run = [&](int ranks) {
    return run_ptyle(
        {"reconstruct", "run.yaml", "--set", "output.folder=r" + std::to_string(ranks)},
        {.folder = folder.path(), .ranks = ranks});
  };
  const std::string alone = warned(run(0));
  EXPECT_NE(alone.find("data.transpose=false"), std::string::npos) << alone;
  EXPECT_EQ(warned(run(4)), alone);
}

}  // namespace
}  // namespace ptyle
