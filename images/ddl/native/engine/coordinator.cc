#include "engine/coordinator.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "collectives/backoff.h"
#include "engine.h"
#include "engine/request.h"

namespace ddl {
namespace {

const size_t kCacheCapacity = 16384;  // programs that keep inventing names fall back to sending them in full
const size_t kMaxListedRanks = 16;    // ranks named individually in a message
const double kGuardSeconds = 15;      // deadlock timeout while a guard collective is pending
const char kAlone[] = "guard: alone", kEnd[] = "guard: end";
const char kNameHint[] =
    "; collectives submitted by several threads can only be told apart by name: pass each one a name=";

std::string list(const std::vector<int>& ranks) {
  std::ostringstream message;
  message << (ranks.size() == 1 ? "rank " : "ranks ");
  for (size_t index = 0; index < ranks.size() && index < kMaxListedRanks; ++index) {
    message << (index ? ", " : "") << ranks[index];
  }
  if (ranks.size() > kMaxListedRanks) message << " and " << ranks.size() - kMaxListedRanks << " more";
  return message.str();
}

}  // namespace

Coordinator::Coordinator(int size)
    : size_(size), waiting_in_(static_cast<size_t>(size)), shut_down_(static_cast<size_t>(size)),
      steps_(static_cast<size_t>(size)), last_activity_(now()) {}

void Coordinator::read_requests(int rank, const std::string& text) {
  Unpacker from(text);
  last_activity_ = now();
  while (!from.done()) {
    const int kind = from.number();
    if (kind == kRequestCached) {
      const auto& known = response_cache_[static_cast<size_t>(from.number())];
      add_request(rank, &entry(known.first), known.second);
    } else if (kind == kRequestNew) {
      const std::string name = from.text();
      add_request(rank, &entry(name), from.text());
    } else if (kind == kRequestGuardSteps) {
      steps_[static_cast<size_t>(rank)] = from.number();
    } else {
      rank_shut_down(rank);
    }
  }
}

std::string Coordinator::take_responses() { return responses_.take(); }

Coordinator::TableEntry& Coordinator::entry(const std::string& name) {
  TableEntry& entry = message_table_[name];
  if (entry.signature_of_rank.empty()) {
    entry.name = name;
    entry.is_guard = is_guard_collective(name);
    entry.signature_of_rank.assign(static_cast<size_t>(size_), -1);
  }
  return entry;
}

void Coordinator::add_request(int rank, TableEntry* entry, const std::string& signature) {
  if (entry->count == 0) {
    entry->first_request = entry->last_report = last_activity_;
    ++pending_count_;
  }
  const auto found = std::find(entry->signatures.begin(), entry->signatures.end(), signature);
  entry->signature_of_rank[static_cast<size_t>(rank)] = static_cast<int>(found - entry->signatures.begin());
  if (found == entry->signatures.end()) entry->signatures.push_back(signature);
  ++entry->count;
  if (entry->name != kAlone) ++waiting_in_[static_cast<size_t>(rank)];  // does not block the rank
  if (entry->count == size_) {
    respond(entry);
  } else if (shut_down_count_ > 0) {
    respond_error(entry, DDL_SHUT_DOWN, describe_waiting(*entry));
  } else if (entry->is_guard) {
    check_guard(rank, entry);
  } else {
    answer_guard_queries();
  }
}

void Coordinator::check_guard(int rank, TableEntry* entry) {
  if (entry->name != kAlone && steps_[static_cast<size_t>(rank)] > reductions_) {
    respond_error(entry, DDL_DIVERGED, steps_ahead(rank));
  } else {
    answer_guard_queries();
  }
}

// "guard: alone" and "guard: end" fail as soon as another rank waits for one that has submitted them, since that rank
// would never be served.
void Coordinator::answer_guard_queries() {
  for (const char* name : {kAlone, kEnd}) {
    const auto asked = message_table_.find(name);
    if (asked == message_table_.end() || asked->second.count == 0) continue;
    const TableEntry* other = find_blocked_on(asked->second);
    if (other) respond_error(&asked->second, name == kAlone ? DDL_DIVERGED : DDL_SHUT_DOWN, describe_waiting(*other));
  }
}

// A collective that waits for a rank which has submitted `asked`; null if there is none.
const Coordinator::TableEntry* Coordinator::find_blocked_on(const TableEntry& asked) const {
  for (const auto& each : message_table_) {
    const TableEntry& other = each.second;
    if (other.count == 0 || other.is_guard) continue;
    for (size_t rank = 0; rank < other.signature_of_rank.size(); ++rank) {
      if (asked.signature_of_rank[rank] >= 0 && other.signature_of_rank[rank] < 0) return &other;
    }
  }
  return nullptr;
}

std::string Coordinator::steps_ahead(int rank) const {
  std::ostringstream message;
  message << "rank " << rank << " has taken " << steps_[static_cast<size_t>(rank)]
          << " steps, but gradients were averaged over all ranks " << reductions_
          << (reductions_ == 1 ? " time" : " times");
  for (const auto& each : message_table_) {
    if (each.second.count > 0 && !each.second.is_guard) return message.str() + "; " + describe_waiting(each.second);
  }
  return message.str();
}

void Coordinator::respond(TableEntry* entry) {
  const int first = entry->signature_of_rank[0];
  for (int other : entry->signature_of_rank) {
    if (other != first) {
      respond_error(entry, DDL_MISMATCH, describe_mismatch(*entry));
      return;
    }
  }
  const std::string signature = entry->signatures[static_cast<size_t>(first)];
  // Collectives after a race fail as well: which one of them met the error differs between ranks.
  if (!racing_names_.empty() && racing_names_.count(entry->name) && shares_name(signature)) {
    respond_error(entry, DDL_MISMATCH,
                  entry->name + ": ranks differed about an earlier collective of this name" + kNameHint);
    return;
  }
  if (!entry->is_guard && is_reduction(signature)) ++reductions_;
  const std::string key = entry->name + '\0' + signature;
  const auto known = cache_index_.find(key);
  int number = known == cache_index_.end() ? -1 : known->second;
  if (number < 0 && response_cache_.size() < kCacheCapacity) {
    number = static_cast<int>(response_cache_.size());
    response_cache_.emplace_back(entry->name, signature);
    cache_index_[key] = number;
  }
  if (number >= 0 && number == entry->number) {
    responses_.number(kResponseCached).number(number);
  } else {
    responses_.number(kResponseNew).text(entry->name).number(number);
    entry->number = number;
  }
  reset_entry(entry);
}

void Coordinator::respond_error(TableEntry* entry, int code, const std::string& message) {
  responses_.number(kResponseError).text(entry->name).number(code).text(message);
  reset_entry(entry);
}

// Clears the entry for its next use; an uncached one may never be used again and is removed.
void Coordinator::reset_entry(TableEntry* entry) {
  for (size_t rank = 0; rank < entry->signature_of_rank.size(); ++rank) {
    if (entry->signature_of_rank[rank] >= 0 && entry->name != kAlone) --waiting_in_[rank];
  }
  --pending_count_;
  if (entry->number < 0) {
    message_table_.erase(entry->name);
    return;
  }
  entry->signature_of_rank.assign(static_cast<size_t>(size_), -1);
  entry->signatures.clear();
  entry->count = 0;
}

void Coordinator::rank_shut_down(int rank) {
  shut_down_[static_cast<size_t>(rank)] = true;
  if (++shut_down_count_ == size_) responses_.number(kResponseAllShutDown);
  std::vector<std::string> blocked;
  for (const auto& each : message_table_) {
    if (each.second.count > 0) blocked.push_back(each.first);
  }
  for (const std::string& name : blocked) {
    TableEntry& entry = message_table_[name];
    respond_error(&entry, DDL_SHUT_DOWN, describe_waiting(entry));
  }
}

std::string Coordinator::describe_mismatch(const TableEntry& entry) {
  std::ostringstream message;
  message << entry.name << ": ranks differ";
  const size_t about = first_difference(entry.signatures[0], entry.signatures[1]);
  bool race = false;
  for (size_t index = 0; index < entry.signatures.size(); ++index) {
    std::vector<int> ranks;
    for (int rank = 0; rank < size_; ++rank) {
      if (entry.signature_of_rank[static_cast<size_t>(rank)] == static_cast<int>(index)) ranks.push_back(rank);
    }
    message << (index ? "; " : ": ") << list(ranks) << (ranks.size() == 1 ? " has " : " have ")
            << describe(entry.signatures[index], about);
    race = race || origin_of(entry.signatures[index]) != origin_of(entry.signatures[0]);
  }
  if (race) {
    message << kNameHint;
    racing_names_.insert(entry.name);
  }
  return message.str();
}

std::string Coordinator::describe_waiting(const TableEntry& entry) const {
  std::vector<int> waiting, absent, shut_down;
  for (int rank = 0; rank < size_; ++rank) {
    const size_t index = static_cast<size_t>(rank);
    (entry.signature_of_rank[index] >= 0 ? waiting : shut_down_[index] ? shut_down : absent).push_back(rank);
    if (entry.signature_of_rank[index] >= 0 && shut_down_[index]) shut_down.push_back(rank);
  }
  std::ostringstream message;
  message << entry.name << " (" << describe(entry.signatures[0]) << "): " << list(waiting)
          << (waiting.size() == 1 ? " waits" : " wait");
  if (!absent.empty()) message << " for " << list(absent);
  if (!shut_down.empty()) {
    message << "; " << list(shut_down) << (shut_down.size() == 1 ? " has" : " have") << " shut down";
  }
  return message.str();
}

std::string Coordinator::describe_all_waiting() const {
  std::ostringstream message;
  for (int rank = 0; rank < size_ && rank < static_cast<int>(kMaxListedRanks); ++rank) {
    message << (rank ? "; " : "") << "rank " << rank << " waits in ";
    int listed = 0;
    for (const auto& each : message_table_) {
      if (each.second.count == 0 || each.second.signature_of_rank[static_cast<size_t>(rank)] < 0) continue;
      if (listed < 3) message << (listed ? ", " : "") << each.first;
      ++listed;
    }
    if (listed > 3) message << " and " << listed - 3 << " more";
  }
  return message.str();
}

void Coordinator::check_stalled(double stall_seconds) {
  if (pending_count_ == 0 || stall_seconds <= 0) return;
  const double time = now();
  // Deadlock: every rank waits, and no new request has arrived.
  const bool all_wait = std::all_of(waiting_in_.begin(), waiting_in_.end(), [](int count) { return count > 0; });
  if (all_wait && time - last_activity_ > std::min(stall_seconds, kGuardSeconds)) {
    // The guard's error ends the job. Failing the other collectives too would end it with a different reason.
    for (auto& each : message_table_) {
      if (each.second.count == 0 || !each.second.is_guard || each.first == kAlone) continue;
      respond_error(&each.second, DDL_DIVERGED, "ranks wait in different collectives: " + describe_all_waiting());
      return;
    }
  }
  if (all_wait && time - last_activity_ > stall_seconds) {
    const std::string message = "ranks wait in different collectives: " + describe_all_waiting();
    std::vector<std::string> names;
    for (const auto& each : message_table_) {
      if (each.second.count > 0) names.push_back(each.first);
    }
    for (const std::string& name : names) respond_error(&message_table_[name], DDL_MISMATCH, name + ": " + message);
    return;
  }
  for (auto& each : message_table_) {
    TableEntry& entry = each.second;
    if (entry.count == 0 || entry.name == kAlone || entry.name == kEnd) continue;
    if (time - entry.last_report <= stall_seconds) continue;
    entry.last_report = time;
    std::fprintf(stderr, "ddl: for %.0f s, %s\n", time - entry.first_request, describe_waiting(entry).c_str());
  }
}

}  // namespace ddl
