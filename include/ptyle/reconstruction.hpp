#pragma once

// What another program needs to reconstruct: a configuration, the ranks (make_local_team: all in
// this process), a Reconstruction and its Result. Lengths Å, angles mrad, energies kV.

#include "exchange/local/team.hpp"
#include "session/reconstruct.hpp"
#include "session/reconstruction.hpp"
