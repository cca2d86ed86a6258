#include "session/resumption.hpp"

#include <algorithm>

namespace ptyle {
namespace {

template <class T>
CheckpointPart part_of(const Tile<T>& tile, int rank, const Mesh& mesh, const OnHost<T, 3>& phase,
                       const OnHost<T, 3>& absorption) {
  CheckpointPart part;
  part.rank = rank;
  part.ranks = mesh.ranks();
  part.object = mesh.object();
  part.core = tile.core;
  part.positions = tile.own;
  part.object_state.push_back({"phase", tile.box, phase.view});
  if (!tile.absorption.empty())
    part.object_state.push_back({"absorption", tile.box, absorption.view});
  return part;
}

/// Writes this process's ranks' parts, and waits for the others'.
template <class T>
void write_parts(Team& team, const std::string& folder, const Fit<T>& fit, const Division& division,
                 const History& history, const Fingerprint& fingerprint) {
  const auto state = fit.state();
  const auto here = team.here();
  for (std::size_t t = 0; t < here.size(); ++t) {
    const Tile<T>& tile = fit.tiles()[t];
    const auto phase = fit.arithmetic().on_host(tile.phase.view());
    const auto absorption = fit.arithmetic().on_host(tile.absorption.view());
    CheckpointPart part = part_of(tile, here[t], division.sharing.mesh, phase, absorption);
    part.step = static_cast<i64>(state.at("iteration"));
    if (here[t] == 0) {
      part.fingerprint = fingerprint;
      for (const auto& [name, value] : state)
        part.global_state.push_back({"fit." + name, std::vector<double>{value}});
      part.global_state.push_back({"probe", fit.probe()});
      part.global_state.push_back({"history.cost", history.cost});
      part.global_state.push_back({"history.r_factor", history.r_factor});
      part.global_state.push_back({"history.seconds", history.seconds});
      part.global_state.push_back({"history.r_held_out", history.r_held_out});
    }
    write_checkpoint_part(folder, part);
  }
  std::vector<double> all_have_written{1};
  team.sum(all_have_written);
}

}  // namespace

template <class T>
void save_checkpoint(Team& team, const std::string& folder, const Fit<T>& fit,
                     const Division& division, const History& history,
                     const Fingerprint& fingerprint) {
  try {
    write_parts(team, folder, fit, division, history, fingerprint);
    if (team.leads()) commit_checkpoint(folder, team.size());
  } catch (...) {
    // The disk is full, say: what was written is of no use. What others are still writing stays,
    // until the next checkpoint replaces it.
    if (team.leads()) discard_checkpoint_part(folder);
    throw;
  }
}

template <class T>
TileStart<T> resumed_tile(const Checkpoint& checkpoint, i64 slices, bool absorption, const Box& box,
                          Ledger* ledger) {
  const std::array<i64, 3> shape{slices, box.rows.size(), box.cols.size()};
  TileStart<T> start{Array<T, 3>(shape, ledger, "object"), {}};
  checkpoint.read<T>("phase", box, start.phase.view());
  if (absorption) {
    start.absorption = Array<T, 3>(shape, ledger, "object");
    checkpoint.read<T>("absorption", box, start.absorption.view());
  }
  return start;
}

template <class T>
Array<Complex<T>, 3> resumed_probe(const Checkpoint& checkpoint) {
  return checkpoint.waves<T>("probe");
}

std::map<std::string, double> resumed_state(const Checkpoint& checkpoint,
                                            const std::map<std::string, double>& names) {
  std::map<std::string, double> state;
  for (const auto& [name, unused] : names) state[name] = checkpoint.numbers("fit." + name).at(0);
  return state;
}

History resumed_history(const Checkpoint& checkpoint) {
  return {checkpoint.numbers("history.r_factor"), checkpoint.numbers("history.cost"),
          checkpoint.numbers("history.seconds"), checkpoint.numbers("history.r_held_out")};
}

template void save_checkpoint(Team&, const std::string&, const Fit<float>&, const Division&,
                              const History&, const Fingerprint&);
template void save_checkpoint(Team&, const std::string&, const Fit<double>&, const Division&,
                              const History&, const Fingerprint&);
template TileStart<float> resumed_tile(const Checkpoint&, i64, bool, const Box&, Ledger*);
template TileStart<double> resumed_tile(const Checkpoint&, i64, bool, const Box&, Ledger*);
template Array<Complex<float>, 3> resumed_probe(const Checkpoint&);
template Array<Complex<double>, 3> resumed_probe(const Checkpoint&);

}  // namespace ptyle
