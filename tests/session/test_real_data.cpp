// Reconstructions of published measurements; skipped by name where the files are not there.

#include <gtest/gtest.h>

#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "real_data.hpp"
#include "session/reconstruct.hpp"

namespace ptyle {
namespace {

double last_r_factor(ReconstructConfig config) {
  const testing::TemporaryFolder folder;
  config.output.folder = folder / "out";
  config.output.pictures = config.output.tiff = false;
  double r = 1;
  ReconstructCallbacks callbacks;
  callbacks.progress = [&](const Progress& p) { r = p.r_factor; };
  EXPECT_TRUE(reconstruct(config, "", callbacks, *make_local_team()));
  return r;
}

TEST(RealData, SiemensStarIsBetterThanAPlainEpie) {
  const auto file = testing::real_data("siemens_star.h5");
  if (!file) GTEST_SKIP() << "needs data: siemens_star.h5 in $PTYLE_DATA";
  ReconstructConfig config;
  config.data.file = *file;
  config.data.patterns = "/data";
  config.data.dc = DcPlace::corner;
  config.scan.positions = "/positions";
  config.scan.unit = LengthUnit::pixel;
  config.probe.start = *file + ":/probe";
  config.solver.iterations = 15;
  // A plain single-mode ePIE, integer positions, has R = 0.0192 after 15 iterations.
  EXPECT_LT(last_r_factor(config), 0.0192);
}

TEST(RealData, EveryFourthPatternOfTheVirusesIsFitted) {
  const auto file = testing::real_data("cryo_virus.h5");
  if (!file) GTEST_SKIP() << "needs data: cryo_virus.h5 in $PTYLE_DATA";
  ReconstructConfig config;
  config.data.file = *file;
  config.data.patterns = "/data";
  config.data.centre = {{126.1, 127.7}};
  config.data.positions = {0, 46 * 46, 4};
  config.calibration.pixel_size = 4.65;
  config.scan.positions = "/positions";
  config.optics.energy = 300;
  config.optics.semi_angle = 1.03;
  config.optics.defocus = 135000;
  config.solver.iterations = 3;
  // All patterns: ePIE 0.1264 after 2 iterations. A quarter of them overlap less and fit more
  // easily; a wrong sign of the defocus or a wrong orientation stays above 0.2.
  EXPECT_LT(last_r_factor(config), 0.1264);
}

}  // namespace
}  // namespace ptyle
