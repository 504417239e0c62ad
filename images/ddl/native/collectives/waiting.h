// Waiting for another process: first on the processor, then giving it away, then asleep.
#ifndef DDL_COLLECTIVES_WAITING_H
#define DDL_COLLECTIVES_WAITING_H

#include <sched.h>
#include <time.h>

namespace ddl {

inline double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Patience {
 public:
  // Once more in vain. `crowded`: there are more processes than processors, so that whom we wait for may need this one.
  void wait(bool crowded) {
    ++rounds_;
    if (rounds_ < kSpins && !crowded) {
      pause_briefly();
    } else if (rounds_ < (crowded ? kYieldsInACrowd : kYields)) {
      sched_yield();
    } else {
      const timespec moment = {0, 50 * 1000};
      nanosleep(&moment, nullptr);
    }
  }
  // Whether it is long enough to look at the clock.
  bool long_enough() const { return rounds_ > kYields && rounds_ % 256 == 0; }

 private:
  enum { kSpins = 2000, kYields = 4000, kYieldsInACrowd = 100 };
  unsigned rounds_ = 0;
};

}  // namespace ddl

#endif
