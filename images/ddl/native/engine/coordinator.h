// Rank 0's side of the negotiation: which rank has requested which collective, which are complete, and who waits for
// whom.
#ifndef DDL_ENGINE_COORDINATOR_H
#define DDL_ENGINE_COORDINATOR_H

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/messages.h"

namespace ddl {

// Record types in a message to rank 0.
enum RequestRecord { kRequestCached, kRequestNew, kRequestShutdown, kRequestGuardSteps };
// Record types in a message from rank 0.
enum ResponseRecord { kResponseCached, kResponseNew, kResponseError, kResponseAllShutDown };

class Coordinator {
 public:
  explicit Coordinator(int size);

  // Reads one whole message of requests from `rank`.
  void read_requests(int rank, const std::string& text);
  // The packed responses that are ready; "" if there are none.
  std::string take_responses();
  // Checks for stalls: reports them on stderr, and fails collectives that can never complete.
  void check_stalled(double stall_seconds);

 private:
  struct TableEntry {
    std::string name;
    std::vector<std::string> signatures;  // the distinct ones
    std::vector<int> signature_of_rank;   // by rank: index into `signatures`; -1: not requested yet
    int count = 0;
    double first_request = 0, last_report = 0;
    int number = -1;        // response-cache index used last time
    bool is_guard = false;  // belongs to the divergence guard
  };

  TableEntry& entry(const std::string& name);
  void add_request(int rank, TableEntry* entry, const std::string& signature);
  void rank_shut_down(int rank);
  void check_guard(int rank, TableEntry* entry);
  void answer_guard_queries();
  const TableEntry* find_blocked_on(const TableEntry& asked) const;
  std::string steps_ahead(int rank) const;
  void respond(TableEntry* entry);
  void respond_error(TableEntry* entry, int code, const std::string& message);
  void reset_entry(TableEntry* entry);
  std::string describe_mismatch(const TableEntry& entry);
  std::string describe_waiting(const TableEntry& entry) const;
  std::string describe_all_waiting() const;

  const int size_;
  std::unordered_map<std::string, TableEntry> message_table_;
  std::unordered_set<std::string> racing_names_;                     // names without a deterministic order
  std::vector<std::pair<std::string, std::string>> response_cache_;  // (name, signature) by cache index
  std::unordered_map<std::string, int> cache_index_;                 // the inverse of response_cache_
  std::vector<int> waiting_in_;                                      // by rank: number of collectives it waits in
  std::vector<bool> shut_down_;
  int shut_down_count_ = 0, pending_count_ = 0;
  // Divergence guard; see ddl_guard_steps.
  std::vector<int64_t> steps_;  // by rank: steps reported so far
  int64_t reductions_ = 0;      // allreduces completed by all ranks
  double last_activity_ = 0;
  Packer responses_;
};

}  // namespace ddl

#endif
