// Rank 0's book: who has told of which collective, what is complete, who waits for whom.
#ifndef DDL_ENGINE_LEDGER_H
#define DDL_ENGINE_LEDGER_H

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/messages.h"

namespace ddl {

// Records of a message to rank 0.
enum Told { kToldNumber, kToldName, kToldLeave };
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
  };

  Entry& entry(const std::string& name);
  void arrive(int rank, Entry* entry, const std::string& signature);
  void leave(int rank);
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
  double last_news_ = 0;
  Packer out_;
};

}  // namespace ddl

#endif
