#include "session/keys.hpp"

namespace ptyle {

void keys(Keys& v, ReconstructConfig& config) {
  keys(v, config.data);
  keys(v, config.calibration);
  keys(v, config.scan);
  keys(v, config.optics);
  keys(v, config.object);
  keys(v, config.probe);
  keys(v, config.solver);
  keys(v, config.ranks);
  keys(v, config.output);
  keys(v, config.parts);
}

}  // namespace ptyle
