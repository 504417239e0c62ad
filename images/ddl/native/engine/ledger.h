// Rank 0's book: who has told of which collective, what is complete, who waits for whom.
#ifndef DDL_ENGINE_LEDGER_H
#define DDL_ENGINE_LEDGER_H

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/messages.h"

namespace ddl {

// Records of a message to rank 0.
enum Told { kToldNumber, kToldName, kToldLeave, kToldSteps };
// Records of a message from rank 0.
enum Ordered { kRunNumber, kRunName, kFail, kAllLeft };

class Ledger {
 public:
  explicit Ledger(int size);

  // What `rank` told, a whole message.
  void read(int rank, const std::string& text);
  // The orders that have become possible; "" if there are none.
  std::string orders();
  // Looks at the time: reports on stderr, or ends what can never be.
  void check(double stall_seconds);
  bool someone_waits() const { return waiting_ > 0; }

 private:
  struct Entry {
    std::string name;
    std::vector<std::string> signatures;  // the different ones
    std::vector<int> who;                 // by rank: which signature; -1: has not come
    int count = 0;
    double since = 0, reported = 0;
    int number = -1;                      // that it ran by the last time
    bool guards = false;                  // it is the divergence guard's
  };

  Entry& entry(const std::string& name);
  void arrive(int rank, Entry* entry, const std::string& signature);
  void leave(int rank);
  void look_at_guard(int rank, Entry* entry);
  void answer_who_waits();
  const Entry* waits_for(const Entry& asked) const;
  std::string ahead(int rank) const;
  void complete(Entry* entry);
  void fail(Entry* entry, int code, const std::string& words);
  void settle(Entry* entry);
  std::string difference(const Entry& entry);
  std::string who_waits(const Entry& entry) const;
  std::string what_ranks_wait_for() const;

  const int size_;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_set<std::string> raced_;                      // names whose order is no one's any more
  std::vector<std::pair<std::string, std::string>> numbered_;  // name and signature by number
  std::unordered_map<std::string, int> numbers_;               // and the other way round
  std::vector<int> pending_;                                   // by rank: of how many it waits
  std::vector<bool> left_;
  int left_count_ = 0, waiting_ = 0;
  // The divergence guard; see ddl_guard_steps.
  std::vector<int64_t> steps_;          // by rank: those that it told of
  int64_t reductions_ = 0;              // of all ranks, that were ordered
  double last_news_ = 0;
  Packer out_;
};

}  // namespace ddl

#endif
