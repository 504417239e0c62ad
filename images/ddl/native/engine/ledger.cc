#include "engine/ledger.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "collectives/waiting.h"
#include "engine.h"
#include "engine/request.h"

namespace ddl {
namespace {

const size_t kNumbers = 16384;   // collectives that get a number; programs that make up names for ever stay at names
const size_t kListed = 16;       // ranks that are listed one by one
const double kGuardSeconds = 15;  // so long all wait, one of them with the guard: no one can ever go on
const char kAlone[] = "guard: alone", kEnd[] = "guard: end";
const char kGiveNames[] = "; collectives of several threads are told apart by their names alone: give each a name=";

std::string list(const std::vector<int>& ranks) {
  std::ostringstream words;
  words << (ranks.size() == 1 ? "rank " : "ranks ");
  for (size_t index = 0; index < ranks.size() && index < kListed; ++index) words << (index ? ", " : "") << ranks[index];
  if (ranks.size() > kListed) words << " and " << ranks.size() - kListed << " more";
  return words.str();
}

}  // namespace

Ledger::Ledger(int size)
    : size_(size), pending_(static_cast<size_t>(size)), left_(static_cast<size_t>(size)), steps_(static_cast<size_t>(size)),
      last_news_(now()) {}

void Ledger::read(int rank, const std::string& text) {
  Unpacker from(text);
  last_news_ = now();
  while (!from.done()) {
    const int told = from.number();
    if (told == kToldNumber) {
      const auto& known = numbered_[static_cast<size_t>(from.number())];
      arrive(rank, &entry(known.first), known.second);
    } else if (told == kToldName) {
      const std::string name = from.text();
      arrive(rank, &entry(name), from.text());
    } else if (told == kToldSteps) {
      steps_[static_cast<size_t>(rank)] = from.number();
    } else {
      leave(rank);
    }
  }
}

std::string Ledger::orders() { return out_.take(); }

Ledger::Entry& Ledger::entry(const std::string& name) {
  Entry& entry = entries_[name];
  if (entry.who.empty()) {
    entry.name = name;
    entry.guards = is_guards(name);
    entry.who.assign(static_cast<size_t>(size_), -1);
  }
  return entry;
}

void Ledger::arrive(int rank, Entry* entry, const std::string& signature) {
  if (entry->count == 0) {
    entry->since = entry->reported = last_news_;
    ++waiting_;
  }
  const auto found = std::find(entry->signatures.begin(), entry->signatures.end(), signature);
  entry->who[static_cast<size_t>(rank)] = static_cast<int>(found - entry->signatures.begin());
  if (found == entry->signatures.end()) entry->signatures.push_back(signature);
  ++entry->count;
  if (entry->name != kAlone) ++pending_[static_cast<size_t>(rank)];  // a rank that asks this goes on
  if (entry->count == size_) {
    complete(entry);
  } else if (left_count_ > 0) {
    fail(entry, DDL_LEFT, who_waits(*entry));
  } else if (entry->guards) {
    look_at_guard(rank, entry);
  } else {
    answer_who_waits();
  }
}

void Ledger::look_at_guard(int rank, Entry* entry) {
  if (entry->name != kAlone && steps_[static_cast<size_t>(rank)] > reductions_) {
    fail(entry, DDL_DIVERGED, ahead(rank));
  } else {
    answer_who_waits();
  }
}

// Two of the guard's are answered as soon as another rank waits for one that has submitted them: it would wait for ever.
void Ledger::answer_who_waits() {
  for (const char* name : {kAlone, kEnd}) {
    const auto asked = entries_.find(name);
    if (asked == entries_.end() || asked->second.count == 0) continue;
    const Entry* other = waits_for(asked->second);
    if (other) fail(&asked->second, name == kAlone ? DDL_DIVERGED : DDL_LEFT, who_waits(*other));
  }
}

// A collective for which a rank that has submitted `asked` is wanted; null if there is none.
const Ledger::Entry* Ledger::waits_for(const Entry& asked) const {
  for (const auto& each : entries_) {
    const Entry& other = each.second;
    if (other.count == 0 || other.guards) continue;
    for (size_t rank = 0; rank < other.who.size(); ++rank) {
      if (asked.who[rank] >= 0 && other.who[rank] < 0) return &other;
    }
  }
  return nullptr;
}

std::string Ledger::ahead(int rank) const {
  std::ostringstream words;
  words << "rank " << rank << " has taken " << steps_[static_cast<size_t>(rank)] << " steps, but gradients were averaged over all ranks "
        << reductions_ << (reductions_ == 1 ? " time" : " times");
  for (const auto& each : entries_) {
    if (each.second.count > 0 && !each.second.guards) return words.str() + "; " + who_waits(each.second);
  }
  return words.str();
}

void Ledger::complete(Entry* entry) {
  const int first = entry->who[0];
  for (int other : entry->who) {
    if (other != first) {
      fail(entry, DDL_MISMATCH, difference(*entry));
      return;
    }
  }
  const std::string signature = entry->signatures[static_cast<size_t>(first)];
  // Those that follow a race are no better off: which of them has met an error is another one on each rank.
  if (!raced_.empty() && raced_.count(entry->name) && shares_name(signature)) {
    fail(entry, DDL_MISMATCH, entry->name + ": ranks differed about one of these before" + kGiveNames);
    return;
  }
  if (!entry->guards && is_reduction(signature)) ++reductions_;
  const std::string key = entry->name + '\0' + signature;
  const auto known = numbers_.find(key);
  int number = known == numbers_.end() ? -1 : known->second;
  if (number < 0 && numbered_.size() < kNumbers) {
    number = static_cast<int>(numbered_.size());
    numbered_.emplace_back(entry->name, signature);
    numbers_[key] = number;
  }
  if (number >= 0 && number == entry->number) {
    out_.number(kRunNumber).number(number);
  } else {
    out_.number(kRunName).text(entry->name).number(number);
    entry->number = number;
  }
  settle(entry);
}

void Ledger::fail(Entry* entry, int code, const std::string& words) {
  out_.number(kFail).text(entry->name).number(code).text(words);
  settle(entry);
}

// The entry is empty again, for the next time; one without a number may never come again.
void Ledger::settle(Entry* entry) {
  for (size_t rank = 0; rank < entry->who.size(); ++rank) {
    if (entry->who[rank] >= 0 && entry->name != kAlone) --pending_[rank];
  }
  --waiting_;
  if (entry->number < 0) {
    entries_.erase(entry->name);
    return;
  }
  entry->who.assign(static_cast<size_t>(size_), -1);
  entry->signatures.clear();
  entry->count = 0;
}

void Ledger::leave(int rank) {
  left_[static_cast<size_t>(rank)] = true;
  if (++left_count_ == size_) out_.number(kAllLeft);
  std::vector<std::string> hopeless;
  for (const auto& each : entries_) {
    if (each.second.count > 0) hopeless.push_back(each.first);
  }
  for (const std::string& name : hopeless) {
    Entry& entry = entries_[name];
    fail(&entry, DDL_LEFT, who_waits(entry));
  }
}

std::string Ledger::difference(const Entry& entry) {
  std::ostringstream words;
  words << entry.name << ": ranks differ";
  const size_t about = first_difference(entry.signatures[0], entry.signatures[1]);
  bool race = false;
  for (size_t index = 0; index < entry.signatures.size(); ++index) {
    std::vector<int> ranks;
    for (int rank = 0; rank < size_; ++rank) {
      if (entry.who[static_cast<size_t>(rank)] == static_cast<int>(index)) ranks.push_back(rank);
    }
    words << (index ? "; " : ": ") << list(ranks) << (ranks.size() == 1 ? " has " : " have ")
          << describe(entry.signatures[index], about);
    race = race || origin_of(entry.signatures[index]) != origin_of(entry.signatures[0]);
  }
  if (race) {
    words << kGiveNames;
    raced_.insert(entry.name);
  }
  return words.str();
}

std::string Ledger::who_waits(const Entry& entry) const {
  std::vector<int> here, absent, gone;
  for (int rank = 0; rank < size_; ++rank) {
    const size_t index = static_cast<size_t>(rank);
    (entry.who[index] >= 0 ? here : left_[index] ? gone : absent).push_back(rank);
    if (entry.who[index] >= 0 && left_[index]) gone.push_back(rank);
  }
  std::ostringstream words;
  words << entry.name << " (" << describe(entry.signatures[0]) << "): " << list(here)
        << (here.size() == 1 ? " waits" : " wait");
  if (!absent.empty()) words << " for " << list(absent);
  if (!gone.empty()) words << "; " << list(gone) << (gone.size() == 1 ? " has" : " have") << " left";
  return words.str();
}

std::string Ledger::what_ranks_wait_for() const {
  std::ostringstream words;
  for (int rank = 0; rank < size_ && rank < static_cast<int>(kListed); ++rank) {
    words << (rank ? "; " : "") << "rank " << rank << " waits with ";
    int told = 0;
    for (const auto& each : entries_) {
      if (each.second.count == 0 || each.second.who[static_cast<size_t>(rank)] < 0) continue;
      if (told < 3) words << (told ? ", " : "") << each.first;
      ++told;
    }
    if (told > 3) words << " and " << told - 3 << " more";
  }
  return words.str();
}

void Ledger::check(double stall_seconds) {
  if (waiting_ == 0 || stall_seconds <= 0) return;
  const double time = now();
  // All wait and nothing new came from anyone: no one can ever go on.
  const bool all_wait = std::all_of(pending_.begin(), pending_.end(), [](int count) { return count > 0; });
  if (all_wait && time - last_news_ > std::min(stall_seconds, kGuardSeconds)) {
    // The job ends with the guard's words: no one else is told, who would end it with others.
    for (auto& each : entries_) {
      if (each.second.count == 0 || !each.second.guards || each.first == kAlone) continue;
      fail(&each.second, DDL_DIVERGED, "ranks wait for different things: " + what_ranks_wait_for());
      return;
    }
  }
  if (all_wait && time - last_news_ > stall_seconds) {
    const std::string words = "ranks wait for different tensors: " + what_ranks_wait_for();
    std::vector<std::string> names;
    for (const auto& each : entries_) {
      if (each.second.count > 0) names.push_back(each.first);
    }
    for (const std::string& name : names) fail(&entries_[name], DDL_MISMATCH, name + ": " + words);
    return;
  }
  for (auto& each : entries_) {
    Entry& entry = each.second;
    if (entry.count == 0 || entry.name == kAlone || entry.name == kEnd) continue;
    if (time - entry.reported <= stall_seconds) continue;
    entry.reported = time;
    std::fprintf(stderr, "ddl: for %.0f s, %s\n", time - entry.since, who_waits(entry).c_str());
  }
}

}  // namespace ddl
