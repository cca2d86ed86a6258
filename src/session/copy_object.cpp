// 1. The process that leads tells the others what to do.
// 2. Some ranks open the files and make images of their own; where one cannot, the one that leads
//    does it all.
// 3. Each goes through its slabs, and waits for nobody.
// 4. What failed, the smallest and largest number, and the sums of the images are put together.

#include "session/copy_object.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "io/raw_file.hpp"
#include "io/result.hpp"
#include "session/agreement.hpp"
#include "session/slabs.hpp"

namespace ptyle {
namespace {

std::vector<i64> slices_shown(i64 n) {
  if (n < 2) return {};
  std::vector<i64> shown{0, n / 2, n - 1};
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  return shown;
}

struct Told : CopyTask {
  std::string identity;  ///< of the files: others may see other disks
};

std::string identity_of_files(const CopyTask& task) {
  std::string all = identity_of(task.result);
  for (const StripTask* stack : {&task.phase, &task.absorption})
    all += " " + identity_of(stack->path + ".part");
  return all;
}

Told told(Team& team, const CopyTask& task) {
  std::vector<std::string> texts{task.images ? "yes" : "no", task.result, identity_of_files(task)};
  for (const StripTask* stack : {&task.phase, &task.absorption}) {
    texts.push_back(stack->path);
    texts.push_back(std::to_string(stack->strips.size()));
    for (const i64 strip : stack->strips) texts.push_back(std::to_string(strip));
  }
  texts = told_by_leader(team, texts);
  Told told;
  told.images = texts.at(0) == "yes";
  told.result = texts.at(1);
  told.identity = texts.at(2);
  auto text = texts.begin() + 3;
  for (StripTask* stack : {&told.phase, &told.absorption}) {
    stack->path = *text++;
    stack->strips.resize(std::stoul(*text++));
    for (i64& strip : stack->strips) strip = std::stoll(*text++);
  }
  return told;
}

/// The sentence of the first rank that has one, on the process that leads; empty: none has.
std::string first_failure(Team& team, const std::string& mine) {
  try {
    agree(team, mine);
  } catch (const NotWritten& why) {  // on all
    return team.leads() ? why.what() : "failed";
  }
  return {};
}

/// A writer's part of a TIFF stack.
class StackShare {
 public:
  explicit StackShare(const StripTask& task) : task_(task) {
    if (!task.path.empty()) file_ = RawFile(task.path + ".part", task.path);
  }
  [[nodiscard]] bool wanted() const { return !task_.path.empty(); }
  void take(i64 slab, View<const float, 2> rows) {
    const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
    if (failure.empty())
      failure = failure_of([&] {
        file_.write(task_.strips[static_cast<std::size_t>(slab)],
                    {rows.data, static_cast<std::size_t>(rows.size())});
      });
  }
  void close() {
    if (failure.empty()) failure = failure_of([&] { file_.close(); });
  }

  std::string failure;
  float low = std::numeric_limits<float>::infinity(), high = -low;

 private:
  const StripTask& task_;
  RawFile file_;
};

/// The work of one of the writers.
class Share {
 public:
  Share(const Told& task, Ledger* ledger)
      : phase(task.phase),
        absorption(task.absorption),
        result_(task.result),
        slabs_(result_.shape()) {
    if (identity_of_files(task) != task.identity)
      throw UserError(task.result + " is another file here");
    rows_ = Array<float, 1>({slabs_.most_values()}, ledger, "result");
    images_failure = failure_of([&] {
      if (task.images) images = {result_.shape(), result_.has_absorption(), ledger};
    });
  }

  /// Slabs number, number + writers, …
  void run(i64 number, i64 writers) {
    const std::string damaged = failure_of([&] {
      for (i64 i = number; i < slabs_.count(); i += writers) take(i);
    });
    for (std::string* failure : {&phase.failure, &absorption.failure, &images_failure})
      if (failure->empty()) *failure = damaged;
    phase.close();
    absorption.close();
  }

  ObjectImages images;
  StackShare phase, absorption;
  std::string images_failure;

 private:
  void take(i64 i) {
    const Slab slab = slabs_[i];
    const Box box{slab.rows, {0, result_.shape()[2]}};
    const View<float, 2> rows{rows_.data(), {box.rows.size(), box.cols.size()}};
    result_.phase(slab.z, box, rows);
    if (phase.wanted()) phase.take(i, rows);
    if (images.phase_sum) images.phase_sum->add<float>(slab.rows.begin, rows);
    if (const auto kept = images.slices.find(slab.z); kept != images.slices.end())
      kept->second.add<float>(slab.rows.begin, rows);
    if (!absorption.wanted() && !images.absorption_sum) return;
    result_.absorption(slab.z, box, rows);
    if (absorption.wanted()) absorption.take(i, rows);
    if (images.absorption_sum) images.absorption_sum->add<float>(slab.rows.begin, rows);
  }

  ResultReader result_;
  Slabs slabs_;
  Array<float, 1> rows_;
};

/// The first failure, and the range over all writers; `otherwise`: the failure of a process that
/// writes nothing.
CopiedStack put_together(Team& team, const StackShare* mine, const std::string& otherwise) {
  CopiedStack all;
  all.failure = first_failure(team, mine ? mine->failure : otherwise);
  std::vector<double> range{-std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity()};
  if (mine) range = {-double(mine->low), double(mine->high)};
  team.maximum(range);
  all.low = static_cast<float>(-range[0]);
  all.high = static_cast<float>(range[1]);
  return all;
}

/// Adds up what the ranks have of the images, some numbers at a time. Others have none.
void sum_images(Team& team, ObjectImages* mine) {
  constexpr i64 most = i64{1} << 16;
  std::vector<View<double, 2>> values;
  if (mine) values = mine->values();
  std::vector<double> sizes(8);  // of the images, on the process that leads as on the others
  for (std::size_t k = 0; k < values.size(); ++k) sizes[k] = double(values[k].size());
  team.maximum(sizes);
  std::vector<double> some;
  for (std::size_t k = 0; k < sizes.size(); ++k)
    for (i64 first = 0; first < static_cast<i64>(sizes[k]); first += most) {
      const auto n = std::min(most, static_cast<i64>(sizes[k]) - first);
      some.assign(static_cast<std::size_t>(n), 0);
      if (mine) std::copy_n(values[k].data + first, n, some.begin());
      team.sum(some);
      if (mine) std::copy_n(some.begin(), n, values[k].data + first);
    }
}

}  // namespace

ObjectImages::ObjectImages(const std::array<i64, 3>& shape, bool absorption, Ledger* ledger) {
  const std::array<i64, 2> slice{shape[1], shape[2]};
  const auto image = [&](int px) {
    return Image(slice, reduced_shape(slice, px), ledger, "result");
  };
  if (absorption) absorption_sum = image(sum_px);
  for (const i64 z : slices_shown(shape[0])) slices.emplace(z, image(slice_px));
  phase_sum = image(sum_px);
}

double ObjectImages::bytes(const std::array<i64, 3>& shape, bool absorption) {
  const auto pixels = [&](int px) {
    const auto [rows, cols] = reduced_shape({shape[1], shape[2]}, px);
    return double(rows * cols);
  };
  return sizeof(double) * ((absorption ? 2 : 1) * pixels(sum_px) +
                           double(slices_shown(shape[0]).size()) * pixels(slice_px));
}

std::vector<View<double, 2>> ObjectImages::values() {
  std::vector<View<double, 2>> all;
  for (auto& image : {&phase_sum, &absorption_sum})
    if (*image) all.push_back((*image)->values());
  for (auto& [z, image] : slices) all.push_back(image.values());
  return all;
}

Copied copy_object(Team& team, const CopyTask& leaders, Ledger* ledger) {
  Copied copied;
  const Told task = told(team, leaders);
  if (task.result.empty()) return copied;
  const std::vector<int> writers = writing_ranks(team);
  const auto at = std::find(writers.begin(), writers.end(), team.here().front());
  std::optional<Share> share;
  std::string failure;
  if (at != writers.end()) failure = failure_of([&] { share.emplace(task, ledger); });
  std::vector<double> failed{failure.empty() ? 0.0 : 1.0};
  team.maximum(failed);
  const bool together = failed[0] == 0;
  if (!together && !team.leads()) share.reset();
  if (share && together)
    share->run(at - writers.begin(), std::ssize(writers));
  else if (share)
    share->run(0, 1);
  else if (team.leads())
    copied.phase.failure = copied.absorption.failure = copied.images_failure = failure;
  copied.phase = put_together(team, share ? &share->phase : nullptr, copied.phase.failure);
  copied.absorption =
      put_together(team, share ? &share->absorption : nullptr, copied.absorption.failure);
  copied.images_failure =
      first_failure(team, share ? share->images_failure : copied.images_failure);
  if (copied.images_failure.empty()) sum_images(team, share ? &share->images : nullptr);
  if (share && team.leads()) copied.images = std::move(share->images);
  return copied;
}

}  // namespace ptyle
