#include "session/resumption.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <utility>

#include "core/parallel.hpp"
#include "core/pulse.hpp"
#include "session/agreement.hpp"
#include "solver/variables/detector_options.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {
namespace {

constexpr const char* history_prefix = "history.";  // of its columns, in a checkpoint

/// The box `core`, in the volume's own pixels, of a volume; a plane at a time.
template <class T>
void copy_core(const Arithmetic<T>& arithmetic, View<const T, 3> volume, const Box& core,
               View<T, 3> to) {
  for (i64 z = 0; z < to.shape[0]; ++z) {
    const auto plane = arithmetic.on_host(volume[z]);
    for (i64 y = 0; y < to.shape[1]; ++y)
      std::copy_n(&plane.view(y + core.rows.begin, core.cols.begin), to.shape[2], &to(z, y, 0));
  }
}

}  // namespace

template <class T>
CheckpointWriter<T>::CheckpointWriter(Team& team, const std::string& folder, const Fit<T>& fit,
                                      const Division& division, bool while_computing,
                                      Ledger* ledger)
    : team_(team),
      fit_(fit),
      while_computing_(while_computing),
      work_(std::make_shared<Work>(Work{folder, {}, {}, {}})) {
  const Mesh& mesh = division.sharing.mesh;
  for (const Field<T>& field : fit.state().fields())
    if (field.saved)
      (field.on_object()             ? voxels_
       : field.kind == Kind::records ? records_
                                     : waves_)
          .push_back(&field);
  const auto here = team.here();
  for (std::size_t t = 0; t < here.size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    CheckpointPart& part = work_->parts.emplace_back();
    part.rank = here[t];
    part.ranks = mesh.ranks();
    part.object = mesh.object();
    part.core = tile.core;
    if (!while_computing) continue;
    auto& copies = work_->voxels.emplace_back();
    for (const Field<T>* field : voxels_)
      copies.emplace_back(
          std::array<i64, 3>{field->shape[0], tile.core.rows.size(), tile.core.cols.size()}, ledger,
          "checkpoint");
  }
  if (while_computing && team.leads())
    for (const Field<T>* field : waves_)
      work_->waves.emplace_back(field->waves.shape(), ledger, "checkpoint");
}

template <class T>
CheckpointWriter<T>::~CheckpointWriter() {
  // Nothing is reported before we return: a disk that is slow now must not hold that up. The
  // thread's future is then left alone, as its end would wait.
  const bool patient = std::uncaught_exceptions() == 0;
  if (thread_.valid() && !patient &&
      thread_.wait_for(std::chrono::seconds(2)) != std::future_status::ready)
    new std::future<void>(std::move(thread_));
  else if (thread_.valid())
    wait_with_pulse(thread_);
  // The disk is full, say: what was written is of no use. What others are still writing stays,
  // until the next checkpoint replaces it.
  if (stage_ != Stage::idle && team_.leads()) discard_checkpoint_part(work_->folder);
}

template <class T>
void CheckpointWriter<T>::save(const History& history, const Fingerprint& fingerprint) {
  finish();
  // The arrays of a fit that waits:
  std::vector<OnHost<T, 3>> own_arrays;
  std::vector<OnHost<Complex<T>, 3>> own_waves;
  agree(team_, failure_of([&] { collect(history, fingerprint, own_arrays, own_waves); }));
  stage_ = Stage::parts;
  thread_ = on_a_thread([work = work_] {
    for (const CheckpointPart& part : work->parts) write_checkpoint_part(work->folder, part);
  });
  if (!while_computing_) finish();
}

template <class T>
void CheckpointWriter<T>::collect(const History& history, const Fingerprint& fingerprint,
                                  std::vector<OnHost<T, 3>>& own_arrays,
                                  std::vector<OnHost<Complex<T>, 3>>& own_waves) {
  for (std::size_t t = 0; t < work_->parts.size(); ++t) {
    const Tile& tile = fit_.tiles()[t];
    CheckpointPart& part = work_->parts[t];
    part.step = static_cast<i64>(fit_.state().numbers().at("iteration"));
    part.positions = tile.own;  // of now: positions change hands
    part.object_state.clear();
    for (std::size_t f = 0; f < voxels_.size(); ++f) {
      const View<const T, 3> volume = voxels_[f]->on(t);
      const Box& box = voxels_[f]->box_on(tile);
      if (while_computing_) {
        Array<T, 3>& copy = work_->voxels[t][f];
        copy_core(fit_.arithmetic(), volume, placed_in(tile.core, box), copy.view());
        part.object_state.push_back({voxels_[f]->name, tile.core, std::as_const(copy).view()});
      } else {
        own_arrays.push_back(fit_.arithmetic().on_host(volume));
        part.object_state.push_back({voxels_[f]->name, box, own_arrays.back().view});
      }
    }
    part.position_state.clear();
    for (const Field<T>* field : records_) {
      const auto values = fit_.arithmetic().on_host(field->on(t));
      part.position_state.push_back(
          {field->name, field->shape[2], {values.view.begin(), values.view.end()}});
    }
    if (part.rank == 0) {
      part.fingerprint = fingerprint;
      add_global_state(part, history, own_waves);
    }
  }
}

template <class T>
void CheckpointWriter<T>::add_global_state(CheckpointPart& part, const History& history,
                                           std::vector<OnHost<Complex<T>, 3>>& own_waves) {
  part.global_state.clear();
  for (const auto& [name, value] : fit_.numbers())
    part.global_state.push_back({"fit." + name, std::vector<double>{value}});
  for (std::size_t f = 0; f < waves_.size(); ++f) {
    const View<const Complex<T>, 3> waves = waves_[f]->waves.view();
    if (while_computing_) {
      Array<Complex<T>, 3>& copy = work_->waves[f];
      fit_.arithmetic().read(waves.data, copy.data(), waves.size());
      part.global_state.push_back({waves_[f]->name, std::as_const(copy).view()});
    } else {
      own_waves.push_back(fit_.arithmetic().on_host(waves));
      part.global_state.push_back({waves_[f]->name, own_waves.back().view});
    }
  }
  const auto add_list = [&](const char* name, const std::vector<i64>& numbers) {
    if (!numbers.empty())
      part.global_state.push_back({name, std::vector<double>(numbers.begin(), numbers.end())});
  };
  add_list("left_out", fit_.left_out());
  add_list("doubtful", fit_.doubtful());
  for (const auto& [name, values] : columns_of(history))
    part.global_state.push_back({std::string(history_prefix) + name, *values});
  for (const FittedSeries& series : history.geometry)
    part.global_state.push_back({history_prefix + ("geometry." + series.name), series.values});
}

template <class T>
bool CheckpointWriter<T>::at_work() const {
  return thread_.valid() && thread_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

template <class T>
void CheckpointWriter<T>::wait() {
  if (!thread_.valid()) return;
  wait_with_pulse(thread_);
  failure_ = failure_of([this] { thread_.get(); });
}

template <class T>
bool CheckpointWriter<T>::writing() {
  if (at_work()) return stage_ == Stage::parts;
  wait();
  return false;
}

template <class T>
bool CheckpointWriter<T>::written() const {
  return stage_ == Stage::parts && !at_work();
}

template <class T>
void CheckpointWriter<T>::commit() {
  if (stage_ != Stage::parts) return;
  stage_ = Stage::name;
  if (team_.leads())
    thread_ = on_a_thread(
        [work = work_, ranks = team_.size()] { commit_checkpoint(work->folder, ranks); });
}

template <class T>
void CheckpointWriter<T>::finish() {
  if (stage_ == Stage::idle) return;
  if (stage_ == Stage::parts) {
    wait();
    agree(team_, failure_);
    commit();
  }
  wait();
  agree(team_, failure_);  // the next one goes into the folder that was renamed
  stage_ = Stage::idle;
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

std::map<std::string, double> resumed_numbers(const Checkpoint& checkpoint,
                                              std::map<std::string, double> initial) {
  for (auto& [name, value] : initial)
    if (const auto saved = checkpoint.find_numbers("fit." + name)) value = saved->at(0);
  return initial;
}

template <class T>
void resume(Fit<T>& fit, const Checkpoint& checkpoint, bool keep_misfits_out) {
  FieldReader<T> reader;
  reader.voxels = [&](const std::string& field, const Box& box, View<T, 3> to) {
    checkpoint.read<T>(field, box, to);
  };
  reader.records = [&](const std::string& field, std::span<const i64> positions, i64 numbers) {
    return checkpoint.position_state(field, positions, numbers);
  };
  reader.waves = [&](const std::string& field) { return checkpoint.waves<T>(field); };
  auto numbers = resumed_numbers(checkpoint, fit.numbers());
  if (!keep_misfits_out) numbers[Fit<T>::misfits_are_out] = 0;
  fit.restore(numbers, reader);
  if (const auto doubtful = checkpoint.find_numbers("doubtful"))
    fit.doubt({doubtful->begin(), doubtful->end()});
  if (!keep_misfits_out) return;
  if (const auto left_out = checkpoint.find_numbers("left_out"))
    fit.leave_out({left_out->begin(), left_out->end()});
}

int resumed_dealt_for(const Checkpoint& checkpoint) {
  const std::string text = checkpoint.fact("ranks.of").value_or("1");
  int ranks = 0;
  std::from_chars(text.data(), text.data() + text.size(), ranks);
  return std::max(ranks, 1);
}

History resumed_history(const Checkpoint& checkpoint, bool in_pixels) {
  History history;
  const auto numbers = [&](const std::string& name) {
    return checkpoint.find_numbers(history_prefix + name).value_or(std::vector<double>{});
  };
  for (const auto& [name, values] : columns_of(history)) *values = numbers(name);
  history.passes.resize(history.cost.size());  // an older version of ptyle saved none
  auto names = geometry_names(in_pixels);
  for (auto& name : detector_names()) names.push_back(std::move(name));
  for (const auto& [name, unit] : names)
    if (auto values = numbers("geometry." + name); !values.empty())
      history.geometry.push_back({name, unit, std::move(values)});
  return history;
}

template class CheckpointWriter<float>;
template class CheckpointWriter<double>;
template TileStart<float> resumed_tile(const Checkpoint&, i64, bool, const Box&, Ledger*);
template TileStart<double> resumed_tile(const Checkpoint&, i64, bool, const Box&, Ledger*);
template void resume(Fit<float>&, const Checkpoint&, bool);
template void resume(Fit<double>&, const Checkpoint&, bool);
template Array<Complex<float>, 3> resumed_probe(const Checkpoint&);
template Array<Complex<double>, 3> resumed_probe(const Checkpoint&);

}  // namespace ptyle
