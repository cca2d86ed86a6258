#include "session/write_object.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "io/raw_file.hpp"
#include "session/agreement.hpp"
#include "session/fit_fields.hpp"
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
          texts = {std::to_string(place.phase),
                   std::to_string(place.absorption),
                   std::to_string(place.states_phase),
                   std::to_string(place.states_absorption),
                   identity_of(place.part),
                   place.part};
        })
                           : std::string());
  texts = told_by_leader(team, texts);
  Told told;
  told.place.phase = std::stoll(texts.at(0));
  told.place.absorption = std::stoll(texts.at(1));
  told.place.states_phase = std::stoll(texts.at(2));
  told.place.states_absorption = std::stoll(texts.at(3));
  told.identity = texts.at(4);
  told.place.part = texts.at(5);
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

/// Puts slabs together and writes them.
template <class T>
class SlabWriter {
 public:
  SlabWriter(Team& team, Stitcher<T>& stitcher, const Slabs& slabs, const ObjectInFile& object,
             RawFile& file, Ledger* ledger)
      : team_(team), stitcher_(stitcher), slabs_(slabs), object_(object), file_(file) {
    agree(team, failure_of([&] {
            if (stitcher.writer() >= 0 && !object.shares.empty())
              mean_ = Array<float, 1>({slabs.most_values()}, ledger, "result");
          }));
  }

  /// Slab k of a field by the k-th writer, the object's and its states' beginning at these bytes.
  void operator()(const char* field, i64 object, i64 states, std::span<const Slab> now) {
    if (object_.shares.empty()) {
      each(field, now, [&](const Slab& slab, std::span<const float> rows) {
        put(object, slabs_.first_value(slab), rows);
      });
      return;
    }
    const auto [slices, rows, cols] = object_.shape;
    const auto count = std::ssize(object_.shares);
    for (i64 k = 0; k < count; ++k) {
      std::vector<Slab> of_state(now.begin(), now.end());
      for (Slab& slab : of_state) slab.z += k * slices;
      each(field, of_state, [&](const Slab& slab, std::span<const float> values) {
        put(states, slabs_.first_value(slab), values);
        const std::span<float> mean(mean_.data(), values.size());
        add_state(mean, static_cast<std::size_t>(k), object_.shares[static_cast<std::size_t>(k)],
                  values);
        if (k + 1 == count) put(object, slabs_.first_value(slab) - k * slices * rows * cols, mean);
      });
    }
  }

 private:
  /// write(the writer's slab, its values)
  template <class Write>
  void each(const char* field, std::span<const Slab> now, Write&& write) {
    const View<const float, 2> rows = stitcher_.gather(field, now);
    agree(team_, failure_of([&] {
            if (!rows.empty())
              write(now[static_cast<std::size_t>(stitcher_.writer())],
                    std::span<const float>(rows.data, static_cast<std::size_t>(rows.size())));
          }));
  }
  void put(i64 offset, i64 first, std::span<const float> values) {
    file_.write(offset + first * static_cast<i64>(sizeof(float)), values);
  }

  Team& team_;
  Stitcher<T>& stitcher_;
  const Slabs& slabs_;
  const ObjectInFile& object_;
  RawFile& file_;
  Array<float, 1> mean_;  // of the states, so far
};

}  // namespace

double object_writing_bytes(const Mesh& mesh, int rank, const ObjectInFile& object) {
  const Slabs slabs(object.shape);
  const std::vector<int> writers = writing_ranks(mesh.ranks());
  const bool writes = std::find(writers.begin(), writers.end(), rank) != writers.end();
  const i64 mean = writes && !object.shares.empty() ? slabs.most_values() : 0;
  return double(sizeof(float)) * double(stitching_values(mesh, rank, slabs, writers) + mean);
}

template <class T>
void write_object(Team& team, const Mesh& mesh, const Fit<T>& fit, const ObjectInFile& object,
                  ResultWriter* result, Ledger* ledger) {
  const Told to = told(team, result);
  RawFile file;
  const std::vector<int> writers = open(team, to, file);
  const Slabs slabs(object.shape);
  Stitcher<T> stitcher(team, mesh, fit, slabs, writers, ledger);
  SlabWriter<T> write(team, stitcher, slabs, object, file, ledger);
  for (i64 round = 0; round < slabs.rounds(writers.size()); ++round) {
    const auto now = slabs.round(round, writers.size());
    write("phase", to.place.phase, to.place.states_phase, now);
    if (object.absorption)
      write("absorption", to.place.absorption, to.place.states_absorption, now);
  }
  agree(team, failure_of([&] { file.close(); }));
}

template void write_object(Team&, const Mesh&, const Fit<float>&, const ObjectInFile&,
                           ResultWriter*, Ledger*);
template void write_object(Team&, const Mesh&, const Fit<double>&, const ObjectInFile&,
                           ResultWriter*, Ledger*);

}  // namespace ptyle
