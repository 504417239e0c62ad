#include "engine/agreement.h"

#include <algorithm>

#include "engine.h"
#include "engine/ledger.h"

namespace ddl {
namespace {

const int kUp = 1, kDown = 2;

}  // namespace

Agreement::Agreement(MPI_Comm control) : control_(control) {
  MPI_Comm_rank(control, &rank_);
  MPI_Comm_size(control, &size_);
  if (rank_ == 0) ledger_.reset(new Ledger(size_));
}

Agreement::~Agreement() {
  for (const auto& sent : sent_) MPI_Wait(&sent->request, MPI_STATUS_IGNORE);
}

void Agreement::announce(const std::string& name, const std::string& signature) {
  const auto found = known_.find(name);
  if (found != known_.end() && found->second.signature == signature) {
    up_.number(kToldNumber).number(found->second.number);
  } else {
    up_.number(kToldName).text(name).text(signature);
    announced_[name] = signature;
  }
}

void Agreement::tell_steps(int64_t steps) {
  up_.number(kToldSteps).number(static_cast<int32_t>(std::min<int64_t>(steps, INT32_MAX)));
}

void Agreement::leave() { up_.number(kToldLeave); }

bool Agreement::others_wait() const { return ledger_ && ledger_->someone_waits(); }

void Agreement::send(int rank, const std::string& text) {
  sent_.emplace_back(new Sent{text, MPI_REQUEST_NULL});
  Sent& sent = *sent_.back();
  MPI_Isend(sent.text.data(), static_cast<int>(sent.text.size()), MPI_BYTE, rank, rank == 0 ? kUp : kDown, control_,
            &sent.request);
}

void Agreement::reap() {
  while (!sent_.empty()) {
    int done = 0;
    MPI_Test(&sent_.front()->request, &done, MPI_STATUS_IGNORE);
    if (!done) return;
    sent_.pop_front();
  }
}

bool Agreement::receive(int source, std::string* text, int* from) {
  int there = 0, size = 0;
  MPI_Status status;
  MPI_Iprobe(source, rank_ == 0 ? kUp : kDown, control_, &there, &status);
  if (!there) return false;
  MPI_Get_count(&status, MPI_BYTE, &size);
  text->resize(static_cast<size_t>(size));
  *from = status.MPI_SOURCE;
  MPI_Recv(&(*text)[0], size, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, control_, MPI_STATUS_IGNORE);
  return true;
}

bool Agreement::poll(std::vector<Order>* orders) {
  if (rank_ == 0) return poll_as_root(orders);
  bool busy = !up_.empty();
  if (busy) send(0, up_.take());
  reap();
  std::string text;
  int from;
  if (!receive(0, &text, &from)) return busy;
  read_orders(text, orders);
  return true;
}

bool Agreement::poll_as_root(std::vector<Order>* orders) {
  bool busy = !up_.empty();
  if (busy) ledger_->read(0, up_.take());
  std::string text;
  int from;
  while (size_ > 1 && receive(MPI_ANY_SOURCE, &text, &from)) {
    ledger_->read(from, text);
    busy = true;
  }
  if (!busy) ledger_->check(stall_seconds);
  text = ledger_->orders();
  if (text.empty()) return busy;
  for (int rank = 1; rank < size_; ++rank) send(rank, text);
  // They must have gone before the tensors are moved: in there no one looks after messages.
  while (!sent_.empty()) reap();
  read_orders(text, orders);
  return true;
}

void Agreement::read_orders(const std::string& text, std::vector<Order>* orders) {
  Unpacker from(text);
  while (!from.done()) {
    const int ordered = from.number();
    if (ordered == kRunNumber) {
      orders->push_back({names_[static_cast<size_t>(from.number())], DDL_OK, ""});
    } else if (ordered == kRunName) {
      const std::string name = from.text();
      const int number = from.number();
      if (number >= 0) {
        names_.resize(std::max(names_.size(), static_cast<size_t>(number) + 1));
        names_[static_cast<size_t>(number)] = name;
        // It may have been told by an older number here: the signature is then the one that is known.
        const auto told = announced_.find(name);
        if (told != announced_.end()) known_[name] = {told->second, number};
      }
      announced_.erase(name);
      orders->push_back({name, DDL_OK, ""});
    } else if (ordered == kFail) {
      Order order;
      order.name = from.text();
      order.code = from.number();
      order.words = from.text();
      announced_.erase(order.name);
      orders->push_back(order);
    } else {
      all_left_ = true;
    }
  }
}

}  // namespace ddl
