#include "exchange/local/exchange.hpp"

#include <algorithm>
#include <stdexcept>

#include "exchange/side.hpp"

namespace ptyle {
namespace {

template <class T>
class LocalExchange final : public Exchange<T> {
 public:
  LocalExchange(const ExchangePlan& plan, Arithmetic<T>* arithmetic)
      : rounds_(plan.schedule.rounds.size()) {
    i64 size = 0;
    for (int rank = 0; rank < plan.mesh.ranks(); ++rank) {
      sides_.emplace_back(plan, rank, arithmetic);
      sent_at_.push_back(size);
      size += sides_.back().send_size();
    }
    sent_ = sides_.front().arithmetic().template array<T, 1>({size}, "exchange buffers");
    for (Side<T>& side : sides_) link(side);
  }

  Running start(std::span<const Stack<T>> tiles) override {
    if (busy_)
      throw std::logic_error(
          "an exchange was started before it had finished, or after it was given up");
    if (tiles.size() != sides_.size())
      throw std::invalid_argument("a local exchange needs the arrays of every rank");
    for (std::size_t rank = 0; rank < sides_.size(); ++rank) sides_[rank].attach(tiles[rank]);
    busy_ = true;
    return Running(*this);
  }

 protected:
  bool advance(bool) override {
    for (i64 chunk = 0; chunk < sides_.front().chunks(); ++chunk) run(chunk);
    for (Side<T>& side : sides_) side.detach();
    busy_ = false;
    return true;
  }
  void abandon() noexcept override {}  // stays busy

 private:
  /// A receive of a step finds its values in what the sender has packed.
  void link(Side<T>& side) const {
    for (std::size_t number = 0; number < side.steps().size(); ++number) {
      const Step& step = side.steps()[number];
      std::vector<Piece> parts;
      for (const StepPart& receive : step.receives) {
        const auto sender = static_cast<std::size_t>(receive.partner);
        const auto& steps = sides_[sender].steps();
        const auto sending =
            std::lower_bound(steps.begin(), steps.end(), step.round,
                             [](const Step& s, std::size_t round) { return s.round < round; });
        const auto part =
            std::lower_bound(sending->sends.begin(), sending->sends.end(), side.rank(),
                             [](const StepPart& p, int rank) { return p.partner < rank; });
        parts.push_back({receive.box, sent_at_[sender], part->offset});
      }
      side.find_receives(number, parts);
    }
  }

  void run(i64 chunk) {
    const Interval planes = sides_.front().planes_in(chunk);
    std::vector<std::size_t> at(sides_.size(), 0);  // each rank's next step
    const auto for_active = [&](std::size_t round, auto&& work) {
      for (std::size_t rank = 0; rank < sides_.size(); ++rank) {
        const auto& steps = sides_[rank].steps();
        if (at[rank] < steps.size() && steps[at[rank]].round == round) work(rank);
      }
    };
    for (std::size_t round = 0; round < rounds_; ++round) {
      for_active(round, [&](std::size_t rank) {
        sides_[rank].pack(at[rank], planes, sent_.data() + sent_at_[rank]);
      });
      for_active(round, [&](std::size_t rank) {
        sides_[rank].unpack(at[rank], planes, sent_.data());
        ++at[rank];
      });
    }
  }

  std::size_t rounds_;
  std::vector<Side<T>> sides_;
  std::vector<i64> sent_at_;  // where each rank packs, in:
  Array<T, 1> sent_;
  bool busy_ = false;
};

}  // namespace

template <class T>
std::unique_ptr<Exchange<T>> make_local_exchange(const ExchangePlan& plan,
                                                 Arithmetic<T>* arithmetic) {
  return std::make_unique<LocalExchange<T>>(plan, arithmetic);
}
template std::unique_ptr<Exchange<float>> make_local_exchange(const ExchangePlan&,
                                                              Arithmetic<float>*);
template std::unique_ptr<Exchange<double>> make_local_exchange(const ExchangePlan&,
                                                               Arithmetic<double>*);

}  // namespace ptyle
