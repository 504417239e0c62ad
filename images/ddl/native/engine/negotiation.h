// Agreement between ranks on what runs next: each rank sends requests to the coordinator (rank 0), which sends a
// response to all ranks once every rank has requested a collective.
//
// A collective's name and signature are sent once. After that both sides refer to it by its response-cache index, so a
// step costs a few bytes. There is no polling round: a rank sends when it has new requests, and rank 0 answers when a
// collective is complete.
#ifndef DDL_ENGINE_NEGOTIATION_H
#define DDL_ENGINE_NEGOTIATION_H

#include <mpi.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/messages.h"

namespace ddl {

struct Response {
  std::string name;
  int code;  // DDL_OK: run it; otherwise it fails with `message`
  std::string message;
};

class Coordinator;

class Negotiation {
 public:
  explicit Negotiation(MPI_Comm control);
  ~Negotiation();

  // Requests the collective `name`. Not called again for this name until a response to it has arrived.
  void request(const std::string& name, const std::string& signature);
  // Called before a divergence guard collective is requested: the number of training steps this rank has taken.
  void report_guard_steps(int64_t steps);
  void shut_down();
  // Sends queued requests and receives pending messages. Appends the responses of one message, which are executed
  // together and in this order. Returns whether there was any activity.
  bool poll(std::vector<Response>* responses);
  bool all_shut_down() const { return all_shut_down_; }

  double stall_seconds = 60;

 private:
  struct OutgoingMessage {
    std::string text;
    MPI_Request request;
  };

  void send(int rank, const std::string& text);
  void reap_sends();
  bool receive(int source, std::string* text, int* from);
  bool poll_as_coordinator(std::vector<Response>* responses);
  void read_responses(const std::string& text, std::vector<Response>* responses);

  MPI_Comm control_;
  int rank_, size_;
  Packer requests_;
  std::deque<std::unique_ptr<OutgoingMessage>> outgoing_;
  struct CachedResponse {
    std::string signature;
    int number;
  };
  std::unordered_map<std::string, CachedResponse> cached_;  // by name: cache index of its latest signature
  std::vector<std::string> names_by_index_;                 // by cache index
  std::unordered_map<std::string, std::string> uncached_;   // requested by name, not cached yet: signature by name
  std::unique_ptr<Coordinator> coordinator_;                // on rank 0 only
  bool all_shut_down_ = false;
};

}  // namespace ddl

#endif
