#include "engine/digest.h"

#include <cstring>

namespace ddl {
namespace {

const uint64_t kFactor = 0x9E3779B97F4A7C15ULL;  // odd, so multiplication is invertible
const size_t kLanes = 8;                         // multiplications a core can have in flight

uint64_t rotate(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

uint64_t avalanche(uint64_t value) {
  value = (value ^ value >> 33) * 0xFF51AFD7ED558CCDULL;
  value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53ULL;
  return value ^ value >> 33;
}

// Not cryptographic. Each step is a bijection of the lane for a given word, and of the word for a given lane, so
// changing one word always changes the result.
uint64_t mix(uint64_t lane, uint64_t word) { return rotate((lane ^ word) * kFactor, 29); }

}  // namespace

uint64_t digest(const void* data, size_t bytes) {
  const unsigned char* at = static_cast<const unsigned char*>(data);
  uint64_t lanes[kLanes], words[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = kFactor * (lane + 1);
  size_t left = bytes;
  for (; left >= sizeof words; left -= sizeof words, at += sizeof words) {
    std::memcpy(words, at, sizeof words);
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = mix(lanes[lane], words[lane]);
  }
  if (left > 0) {
    std::memset(words, 0, sizeof words);
    std::memcpy(words, at, left);
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = mix(lanes[lane], words[lane]);
  }
  uint64_t result = bytes;
  for (size_t lane = 0; lane < kLanes; ++lane) result = mix(result, avalanche(lanes[lane]));
  return avalanche(result);
}

}  // namespace ddl
