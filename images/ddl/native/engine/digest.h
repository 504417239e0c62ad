// A 64-bit digest of memory, to tell whether two ranks, or two runs, hold the same bytes.
#ifndef DDL_ENGINE_DIGEST_H
#define DDL_ENGINE_DIGEST_H

#include <cstddef>
#include <cstdint>

namespace ddl {

// Digests are stored with runs and compared years later: the result for given bytes must never change.
uint64_t digest(const void* data, size_t bytes);

}  // namespace ddl

#endif
