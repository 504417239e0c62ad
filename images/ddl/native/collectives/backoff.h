// Waiting for another process: spin, then yield, then sleep.
#ifndef DDL_COLLECTIVES_BACKOFF_H
#define DDL_COLLECTIVES_BACKOFF_H

#include <sched.h>
#include <time.h>

namespace ddl {

inline double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Backoff {
 public:
  // Called after each unsuccessful check. `oversubscribed`: there are more processes than processors, so the process we
  // wait for may need this one.
  void wait(bool oversubscribed) {
    ++rounds_;
    if (rounds_ < kSpins && !oversubscribed) {
      cpu_relax();
    } else if (rounds_ < (oversubscribed ? kYieldsOversubscribed : kYields)) {
      sched_yield();
    } else {
      const timespec moment = {0, 50 * 1000};
      nanosleep(&moment, nullptr);
    }
  }
  // Whether enough rounds have passed for the cost of reading the clock not to matter.
  bool should_check_clock() const { return rounds_ > kYields && rounds_ % 256 == 0; }

 private:
  enum { kSpins = 2000, kYields = 4000, kYieldsOversubscribed = 100 };
  unsigned rounds_ = 0;
};

}  // namespace ddl

#endif
