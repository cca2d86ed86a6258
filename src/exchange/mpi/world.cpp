#include "exchange/mpi/world.hpp"

#include <fmt/format.h>
#include <mpi.h>
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <thread>
#include <tuple>

#include "exchange/mpi/check.hpp"
#include "exchange/mpi/handle.hpp"
#include "exchange/mpi/wait.hpp"
#include "exchange/mpi/watchdog.hpp"

namespace ptyle {
namespace {

using Seconds = std::chrono::duration<double>;

// How long a rank that has failed waits for rank 0 to report it. Those of higher rank wait longer,
// as all may have failed for the same reason, and one is to report it.
constexpr Seconds patience{4}, more_patience{4};

/// Processes on this machine, this one's number among them, and the lowest of them.
void count_on_node(MPI_Comm all, int& count, int& rank, int& lowest) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  check_mpi(MPI_Comm_size(node, &count), "MPI_Comm_size");
  check_mpi(MPI_Comm_rank(node, &rank), "MPI_Comm_rank");
  check_mpi(MPI_Bcast(&lowest, 1, MPI_INT, 0, node), "MPI_Bcast");
  check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
}

/// By process: a hash of the text (PTYLE_NODE), equal for equal ones, if all processes have one;
/// else the lowest process of its machine.
std::vector<int> nodes_of(MPI_Comm processes, const char* text, int lowest, int size) {
  const std::size_t hash = text ? std::hash<std::string_view>()(text) : 0;
  const std::array<int, 3> mine{text ? 1 : 0, static_cast<int>(hash & 0x7fffffffU), lowest};
  std::vector<int> all(mine.size() * static_cast<std::size_t>(size)), nodes;
  constexpr int count = std::tuple_size_v<decltype(mine)>;
  check_mpi(MPI_Allgather(mine.data(), count, MPI_INT, all.data(), count, MPI_INT, processes),
            "MPI_Allgather");
  bool named = true;
  for (std::size_t i = 0; i < all.size(); i += mine.size()) named = named && all[i] == 1;
  for (std::size_t i = 0; i < all.size(); i += mine.size())
    nodes.push_back(all[i + (named ? 1 : 2)]);
  return nodes;
}

bool is_cuda_aware() {
  if (const char* const said = std::getenv("PTYLE_CUDA_AWARE_MPI"))
    return std::string_view(said) != "0";
#ifdef MPIX_CUDA_AWARE_SUPPORT
  return MPIX_Query_cuda_support() == 1;
#else
  return false;
#endif
}

void check_threads(int provided) {
  if (provided < MPI_THREAD_FUNNELED)
    throw std::runtime_error("this MPI cannot be used beside threads (MPI_THREAD_FUNNELED)");
}

}  // namespace

MpiWorld::MpiWorld(int& argc, char**& argv)
    : guest_(false), handle_(std::make_unique<MpiHandle>()) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  check_threads(provided);
  look_around();
  watchdog_ = std::make_unique<Watchdog>(
      rank_, size_,
      [this](int rank, const std::string& sentence) { end(name_of(rank), 1, sentence); });
}

MpiWorld::MpiWorld(const void* communicator)
    : guest_(true), handle_(std::make_unique<MpiHandle>()) {
  int started = 0, ended = 0, provided = 0;
  check_mpi(MPI_Initialized(&started), "MPI_Initialized");
  check_mpi(MPI_Finalized(&ended), "MPI_Finalized");
  if (started == 0 || ended != 0)
    throw std::runtime_error(
        "MPI is not running here: was the communicator made by the MPI that ptyle is built with?");
  check_mpi(MPI_Query_thread(&provided), "MPI_Query_thread");
  check_threads(provided);
  check_mpi(MPI_Comm_dup(*static_cast<const MPI_Comm*>(communicator), &handle_->comm),
            "MPI_Comm_dup");
  look_around();
  watchdog_ = std::make_unique<Watchdog>(0, 1, Watchdog::EndAll());  // who watches nobody
}

void MpiWorld::look_around() {
  const MPI_Comm all = handle_->comm;
  check_mpi(MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(all, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(all, &size_), "MPI_Comm_size");
  int lowest = rank_;
  count_on_node(all, on_node_, rank_on_node_, lowest);
  nodes_ = nodes_of(all, std::getenv("PTYLE_NODE"), lowest, size_);
  takes_device_memory_ = is_cuda_aware();
}

MpiWorld::~MpiWorld() {
  if (guest_) {
    if (!broken_ && is_running()) MPI_Comm_free(&handle_->comm);
    return;
  }
  try {
    // Within MPI_Finalize nobody could look for news.
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
    wait_for(*this, request);
    watchdog_->end();
  } catch (const RankFailed& other) {
    fail(other);
  } catch (const std::exception&) {
    std::abort();  // nobody is left to hear of it
  }
  if (MPI_Finalize() != MPI_SUCCESS) std::abort();  // nobody is left to hear of it
}

void MpiWorld::end(int rank, int status, const std::string& sentence) const {
  const std::string who = size_ > 1 ? fmt::format("rank {}: ", rank) : "";
  fmt::print(stderr, "ptyle: {}{}\n", who, sentence);
  std::fflush(nullptr);
  MPI_Abort(MPI_COMM_WORLD, status);
  std::abort();
}

void MpiWorld::fail(int status, const std::string& sentence) const {
  if (rank_ > 0) tell_rank_0(status, sentence);
  end(name_of(rank_), status, sentence);
}

void MpiWorld::fail(const RankFailed& other) const {
  end(other.rank(), other.status(), other.what());
}

/// News of a failure go over MPI_COMM_WORLD, which nothing else uses: the tag is the exit status.
/// Rank 0 ends this process meanwhile; where it does not, this returns.
void MpiWorld::tell_rank_0(int status, const std::string& sentence) const {
  // Small enough to go at once; where even that fails, we end it ourselves.
  MPI_Request request = MPI_REQUEST_NULL;
  const std::string text = sentence.substr(0, 2000);
  MPI_Isend(text.data(), static_cast<int>(text.size()), MPI_CHAR, 0, status, MPI_COMM_WORLD,
            &request);
  const auto end = std::chrono::steady_clock::now() + patience + more_patience * rank_ / size_;
  while (std::chrono::steady_clock::now() < end) {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);  // keeps the message going
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// All get it before they give up waiting for this rank; a message that nobody takes any more is
/// MPI's to forget, and so its text stays.
void MpiWorld::tell_others(int status, const std::string& sentence) const noexcept {
  broken_ = true;
  static std::string text;  // of the last failure: one thread talks to MPI
  text = sentence.substr(0, 2000);
  std::vector<MPI_Request> sending;
  for (int to = 0; to < size_; ++to) {
    if (to == rank_) continue;
    MPI_Isend(text.data(), static_cast<int>(text.size()), MPI_CHAR, to, status, handle_->comm,
              &sending.emplace_back(MPI_REQUEST_NULL));
  }
  const auto end = std::chrono::steady_clock::now() + Seconds(1);
  for (int done = 0; done == 0 && std::chrono::steady_clock::now() < end;) {
    MPI_Testall(static_cast<int>(sending.size()), sending.data(), &done, MPI_STATUSES_IGNORE);
    std::this_thread::yield();
  }
}

void MpiWorld::watch() const {
  std::this_thread::yield();
  watchdog_->look();
  if (rank_ > 0 && !guest_) return;
  const MPI_Comm comm = handle_->comm;
  int there = 0;
  MPI_Status status;
  check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &there, &status), "MPI_Iprobe");
  if (!there) return;
  int length = 0;
  check_mpi(MPI_Get_count(&status, MPI_CHAR, &length), "MPI_Get_count");
  std::string sentence(static_cast<std::size_t>(length), ' ');
  check_mpi(MPI_Recv(sentence.data(), length, MPI_CHAR, status.MPI_SOURCE, status.MPI_TAG, comm,
                     MPI_STATUS_IGNORE),
            "MPI_Recv");
  if (guest_) {
    broken_ = true;
    // Messages that are on their way come while their places are still there.
    const auto end = std::chrono::steady_clock::now() + Seconds(0.1);
    while (std::chrono::steady_clock::now() < end)
      MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &there, MPI_STATUS_IGNORE);
  }
  throw RankFailed(name_of(status.MPI_SOURCE), status.MPI_TAG, sentence);
}

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  check_mpi(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace ptyle
