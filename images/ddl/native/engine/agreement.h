// What runs next, the same on all ranks: each tells rank 0 what it has; what all have, rank 0 orders.
//
// A collective travels by name and signature once; from then on by a number, so that a step's message is a few bytes.
// Nobody polls in vain: a rank tells when it has something new, and rank 0 answers when something is complete.
#ifndef DDL_ENGINE_AGREEMENT_H
#define DDL_ENGINE_AGREEMENT_H

#include <mpi.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/messages.h"

namespace ddl {

struct Order {
  std::string name;
  int code;           // DDL_OK: run it; otherwise it fails with `words`
  std::string words;
};

class Ledger;

class Agreement {
 public:
  explicit Agreement(MPI_Comm control);
  ~Agreement();

  // This rank has `name`, and will not tell of it again before an order for it has come.
  void announce(const std::string& name, const std::string& signature);
  // Before a collective of the guard's is announced: how many training steps this rank has taken.
  void tell_steps(int64_t steps);
  void leave();
  // Sends what was announced and looks for messages. Appends one message's orders, which are to be carried out together and
  // in this order. Whether anything happened.
  bool poll(std::vector<Order>* orders);
  bool all_left() const { return all_left_; }
  // At rank 0: whether others' announcements are there that wait.
  bool others_wait() const;

  double stall_seconds = 60;

 private:
  struct Sent {
    std::string text;
    MPI_Request request;
  };

  void send(int rank, const std::string& text);
  void reap();
  bool receive(int source, std::string* text, int* from);
  bool poll_as_root(std::vector<Order>* orders);
  void read_orders(const std::string& text, std::vector<Order>* orders);

  MPI_Comm control_;
  int rank_, size_;
  Packer up_;
  std::deque<std::unique_ptr<Sent>> sent_;
  struct Known {
    std::string signature;
    int number;
  };
  std::unordered_map<std::string, Known> known_;   // by name: the number of its last signature
  std::vector<std::string> names_;                 // by number
  std::unordered_map<std::string, std::string> announced_;  // new ones only: the signature by name
  std::unique_ptr<Ledger> ledger_;                 // at rank 0
  bool all_left_ = false;
};

}  // namespace ddl

#endif
