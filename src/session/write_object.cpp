#include "session/write_object.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "io/raw_file.hpp"
#include "session/agreement.hpp"
#include "session/stitch.hpp"

namespace ptyle {
namespace {

/// The file, as the process that leads tells the others of it.
struct Told {
  ResultFile::Place place;
  std::string identity;
};

Told told(Team& team, ResultWriter* file) {
  std::vector<std::string> texts;
  agree(team, team.leads() ? failure_of([&] {
          const ResultFile::Place place = file->hand_out();
          texts = {std::to_string(place.phase), std::to_string(place.absorption),
                   identity_of(place.part), place.part};
        })
                           : std::string());
  texts = told_by_leader(team, texts);
  Told told;
  told.place.phase = std::stoll(texts.at(0));
  told.place.absorption = std::stoll(texts.at(1));
  told.identity = texts.at(2);
  told.place.part = texts.at(3);
  return told;
}

/// Opens the file on the ranks that write it, which are returned.
std::vector<int> open(Team& team, const Told& told, RawFile& file) {
  std::vector<int> writers = writing_ranks(team);
  const std::string& part = told.place.part;
  const std::string name = part.substr(0, part.size() - std::string(".part").size());
  std::string failure;
  if (std::find(writers.begin(), writers.end(), team.here().front()) != writers.end())
    failure = failure_of([&] {
      if (identity_of(part) != told.identity) throw UserError(name + " is another file here");
      file = RawFile(part, name);
    });
  agree(team, team.leads() ? failure : std::string());
  std::vector<double> failed{failure.empty() ? 0.0 : 1.0};
  team.maximum(failed);
  if (failed[0] == 0) return writers;
  if (!team.leads()) file = RawFile();
  return {0};
}

}  // namespace

double object_writing_bytes(const Mesh& mesh, int rank, const std::array<i64, 3>& shape) {
  return double(sizeof(float)) *
         double(stitching_values(mesh, rank, Slabs(shape), writing_ranks(mesh.ranks())));
}

template <class T>
void write_object(Team& team, const Mesh& mesh, const Fit<T>& fit, const ObjectInFile& object,
                  ResultWriter* result, Ledger* ledger) {
  const Told to = told(team, result);
  RawFile file;
  const std::vector<int> writers = open(team, to, file);
  const Slabs slabs(object.shape);
  Stitcher<T> stitcher(team, mesh, fit, slabs, writers, ledger);
  const auto write = [&](const char* field, i64 offset, std::span<const Slab> now) {
    const View<const float, 2> rows = stitcher.gather(field, now);
    agree(team, failure_of([&] {
            if (rows.empty()) return;
            const Slab& slab = now[static_cast<std::size_t>(stitcher.writer())];
            file.write(offset + slabs.first_value(slab) * static_cast<i64>(sizeof(float)),
                       {rows.data, static_cast<std::size_t>(rows.size())});
          }));
  };
  for (i64 round = 0; round < slabs.rounds(writers.size()); ++round) {
    const auto now = slabs.round(round, writers.size());
    write("phase", to.place.phase, now);
    if (object.absorption) write("absorption", to.place.absorption, now);
  }
  agree(team, failure_of([&] { file.close(); }));
}

template void write_object(Team&, const Mesh&, const Fit<float>&, const ObjectInFile&,
                           ResultWriter*, Ledger*);
template void write_object(Team&, const Mesh&, const Fit<double>&, const ObjectInFile&,
                           ResultWriter*, Ledger*);

}  // namespace ptyle
