#include "engine/negotiation.h"

#include <algorithm>

#include "engine.h"
#include "engine/coordinator.h"

namespace ddl {
namespace {

const int kRequestTag = 1, kResponseTag = 2;

}  // namespace

Negotiation::Negotiation(MPI_Comm control) : control_(control) {
  MPI_Comm_rank(control, &rank_);
  MPI_Comm_size(control, &size_);
  if (rank_ == 0) coordinator_.reset(new Coordinator(size_));
}

Negotiation::~Negotiation() {
  for (const auto& sent : outgoing_) MPI_Wait(&sent->request, MPI_STATUS_IGNORE);
}

void Negotiation::request(const std::string& name, const std::string& signature) {
  const auto found = cached_.find(name);
  if (found != cached_.end() && found->second.signature == signature) {
    requests_.number(kRequestCached).number(found->second.number);
  } else {
    requests_.number(kRequestNew).text(name).text(signature);
    uncached_[name] = signature;
  }
}

void Negotiation::report_guard_steps(int64_t steps) {
  requests_.number(kRequestGuardSteps).number(static_cast<int32_t>(std::min<int64_t>(steps, INT32_MAX)));
}

void Negotiation::shut_down() { requests_.number(kRequestShutdown); }

void Negotiation::send(int rank, const std::string& text) {
  outgoing_.emplace_back(new OutgoingMessage{text, MPI_REQUEST_NULL});
  OutgoingMessage& sent = *outgoing_.back();
  MPI_Isend(sent.text.data(), static_cast<int>(sent.text.size()), MPI_BYTE, rank,
            rank == 0 ? kRequestTag : kResponseTag, control_, &sent.request);
}

void Negotiation::reap_sends() {
  while (!outgoing_.empty()) {
    int done = 0;
    MPI_Test(&outgoing_.front()->request, &done, MPI_STATUS_IGNORE);
    if (!done) return;
    outgoing_.pop_front();
  }
}

bool Negotiation::receive(int source, std::string* text, int* from) {
  int there = 0, size = 0;
  MPI_Status status;
  MPI_Iprobe(source, rank_ == 0 ? kRequestTag : kResponseTag, control_, &there, &status);
  if (!there) return false;
  MPI_Get_count(&status, MPI_BYTE, &size);
  text->resize(static_cast<size_t>(size));
  *from = status.MPI_SOURCE;
  MPI_Recv(&(*text)[0], size, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, control_, MPI_STATUS_IGNORE);
  return true;
}

bool Negotiation::poll(std::vector<Response>* responses) {
  if (rank_ == 0) return poll_as_coordinator(responses);
  bool active = !requests_.empty();
  if (active) send(0, requests_.take());
  reap_sends();
  std::string text;
  int from;
  if (!receive(0, &text, &from)) return active;
  read_responses(text, responses);
  return true;
}

bool Negotiation::poll_as_coordinator(std::vector<Response>* responses) {
  bool active = !requests_.empty();
  if (active) coordinator_->read_requests(0, requests_.take());
  std::string text;
  int from;
  while (size_ > 1 && receive(MPI_ANY_SOURCE, &text, &from)) {
    coordinator_->read_requests(from, text);
    active = true;
  }
  if (!active) coordinator_->check_stalled(stall_seconds);
  text = coordinator_->take_responses();
  if (text.empty()) return active;
  for (int rank = 1; rank < size_; ++rank) send(rank, text);
  // These sends must complete before tensors are transferred: nothing progresses them during a collective.
  while (!outgoing_.empty()) reap_sends();
  read_responses(text, responses);
  return true;
}

void Negotiation::read_responses(const std::string& text, std::vector<Response>* responses) {
  Unpacker from(text);
  while (!from.done()) {
    const int kind = from.number();
    if (kind == kResponseCached) {
      responses->push_back({names_by_index_[static_cast<size_t>(from.number())], DDL_OK, ""});
    } else if (kind == kResponseNew) {
      const std::string name = from.text();
      const int number = from.number();
      if (number >= 0) {
        names_by_index_.resize(std::max(names_by_index_.size(), static_cast<size_t>(number) + 1));
        names_by_index_[static_cast<size_t>(number)] = name;
        // This rank may have requested it by an older cache index; its known signature is then still valid.
        const auto requested = uncached_.find(name);
        if (requested != uncached_.end()) cached_[name] = {requested->second, number};
      }
      uncached_.erase(name);
      responses->push_back({name, DDL_OK, ""});
    } else if (kind == kResponseError) {
      Response response;
      response.name = from.text();
      response.code = from.number();
      response.message = from.text();
      uncached_.erase(response.name);
      responses->push_back(response);
    } else {
      all_shut_down_ = true;
    }
  }
}

}  // namespace ddl
