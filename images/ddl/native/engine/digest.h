// A digest of memory: 64 bits that say whether two ranks, or two runs, hold the same bytes.
#ifndef DDL_ENGINE_DIGEST_H
#define DDL_ENGINE_DIGEST_H

#include <cstddef>
#include <cstdint>

namespace ddl {

// Digests are kept with runs and compared years later: what this returns for given bytes must never change.
uint64_t digest(const void* data, size_t bytes);

}  // namespace ddl

#endif
