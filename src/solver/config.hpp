#pragma once

// What the user says about the fit: plain structs, as the keys of the YAML file name them.

#include <array>
#include <cstdint>
#include <string>

namespace ptyle {

/// Keys object.*
struct ObjectConfig {
  std::string type = "potential";  ///< potential (phase only) | complex (phase and absorption)
  int slices = 1;
  double slice_thickness = 0;           ///< Å; needed when slices > 1
  std::string start;                    ///< an earlier result to start from; empty: vacuum
  std::string positivity = "auto";      ///< auto (with continuation) | on | off: phase ≥ 0
  double phase_min = 0, phase_max = 0;  ///< limits of a voxel's phase, rad; equal: none
  double blur = 0;    ///< lateral Gaussian blur of the object each iteration, σ in px
  double blur_z = 0;  ///< the same along z, σ in slices
  double tilt_row = 0, tilt_col = 0;  ///< specimen mistilt, mrad
  double band_limit =
      0;  ///< propagator cut at this fraction of Nyquist (2/3 for simulated sets); 0: none
};

/// Keys probe.*
struct ProbeConfig {
  std::string start = "optics";  ///< optics | mean | a file: "file.h5" or "file.h5:/dataset"
  int modes = 1;
  double mode_power = 0;  ///< share of the power of each further mode at the start; 0: a
                          ///< quarter together, where they are made of one
  int refine_from = 2;    ///< first iteration (1, 2, …) that refines the probe, but not
                          ///< before coarse to fine frees the lateral limit; 0: never
  double step = 0.5;      ///< 1: a Gauss-Newton step of a pure-phase object
};

/// Keys solver.*
struct SolverConfig {
  int iterations = 20;
  int groups = 0;                               ///< mini-batches an iteration; 0: 20, or fewer
  double step = 0;                              ///< preconditioned object step; 0: estimated
  std::string preconditioner = "illumination";  ///< illumination | none
  double damping = 0.1;       ///< ε of the illumination preconditioner, of its maximum
  std::string loss = "auto";  ///< auto (poisson where counts are sparse) | amplitude | poisson
  double hold_out = 0;        ///< share of the patterns kept out of the fit, to watch R on
  std::uint64_t seed = 0;
  int threads = 0;                  ///< 0: all that the operating system lets this process have
  double memory = 0;                ///< GB (1e9 bytes) of a rank; 0: what the machine has for it
  std::string precision = "float";  ///< float | double
  /// cpu | cuda | auto (a GPU where one can be used). The kernels have not run on a GPU yet: once
  /// they have, auto is to be the default.
  std::string device = "cpu";
  std::string continuation =
      "auto";  ///< coarse to fine: auto (where the specimen is thick) | on | off
};

/// Keys ranks.*: how MPI ranks share the object and the patterns.
struct RanksConfig {
  std::array<int, 2> mesh{};          ///< rows and columns of tiles; 0: chosen
  std::string halo = "exact";         ///< exact (half a window), or Å (px in pixel units)
  std::string exchange = "auto";      ///< auto, or a scheme of solver/sharing
  int chunk = 0;                      ///< planes that travel together; 0: chosen
  int in_flight = 0;                  ///< chunks on their way at a time; 0: chosen
  std::string update = "consistent";  ///< consistent | literal
  int local_positions = 0;            ///< positions between a rank's own steps; 0: none
  bool exchange_behind = false;       ///< the sum travels while the next group is computed
  int extra_rows = 2;                 ///< rows of neighbours' positions, of the exchanges of voxels
  bool verify_halos = false;          ///< compare copies after every exchange
  double bandwidth = 12.5;            ///< GB/s of a rank's link, for the choice of an exchange
  double latency = 1.5;               ///< µs of a message
  double seconds_per_position = 0;    ///< of a gradient, for plans; 0: measured
};

/// Keys output.*
struct OutputConfig {
  std::string folder;  ///< empty: beside the configuration, named after it
  bool overwrite = false;
  bool pictures = true;
  bool tiff = true;
  int checkpoint_every = 0;       ///< iterations; 0: none
  double checkpoint_minutes = 0;  ///< 0: none
  bool resume = false;            ///< go on from the folder's checkpoint, where there is one
};

}  // namespace ptyle
