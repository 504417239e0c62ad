#include "collectives/arithmetic.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine.h"

// Loops are compiled for several generations of x86-64, and the loader picks one, so an image runs on any of them.
// Without optimisation, under a sanitizer (whose runtime is not initialised when the loader asks) and before GCC 6
// there is one version.
#if defined(__x86_64__) && defined(__OPTIMIZE__) && __GNUC__ >= 6 && !defined(__clang__) && !defined(DDL_ONE_VERSION)
#define DDL_VERSIONS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DDL_VERSIONS
#endif

namespace ddl {
namespace {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

inline float as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t as_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Conversion to the type in which sums are computed, and back.
inline float wide(Half x) {
  const uint32_t magnitude = x.bits & 0x7fffu;
  // The exponent's bias is 15 in fp16 and 127 in fp32; multiplying, rather than shifting the exponent, is also right
  // for subnormals.
  const uint32_t scaled = as_bits(as_float(magnitude << 13) * as_float((127u + 112u) << 23));
  const uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
  return as_float(scaled | special | (static_cast<uint32_t>(x.bits & 0x8000u) << 16));
}
inline float wide(BFloat16 x) { return as_float(static_cast<uint32_t>(x.bits) << 16); }
inline float wide(float x) { return x; }
inline double wide(double x) { return x; }
inline int32_t wide(int32_t x) { return x; }
inline int64_t wide(int64_t x) { return x; }

inline void put(Half* to, float value) {
  const uint32_t bits = as_bits(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  // Below 2^-14 the spacing of fp16 is 2^-24, as that of fp32 is just above 0.5: adding 0.5 rounds there.
  const uint32_t subnormal = as_bits(as_float(magnitude) + 0.5f) - as_bits(0.5f);
  uint32_t out = magnitude < (113u << 23) ? subnormal : normal;
  out = magnitude >= 0x477ff000u ? 0x7c00u : out;  // 65520 and more round to infinity
  out = magnitude > 0x7f800000u ? 0x7e00u : out;   // NaN
  to->bits = static_cast<uint16_t>(out | ((bits >> 16) & 0x8000u));
}
inline void put(BFloat16* to, float value) {
  const uint32_t bits = as_bits(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to->bits = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? ((bits >> 16) | 0x40u) : rounded);
}
inline void put(float* to, float value) { *to = value; }
inline void put(double* to, double value) { *to = value; }
inline void put(int32_t* to, int32_t value) { *to = value; }
inline void put(int64_t* to, int64_t value) { *to = value; }

struct Sum {
  template <class T>
  static inline T of(T a, T b) { return a + b; }
  // Integers wrap around, as NumPy's do; in C++ that is defined only for unsigned ones.
  static inline int32_t of(int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }
  static inline int64_t of(int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
// NaN propagates from either side, as in NumPy's minimum and maximum.
struct Min {
  template <class T>
  static inline T of(T a, T b) { return (a < b || a != a) ? a : b; }
};
struct Max {
  template <class T>
  static inline T of(T a, T b) { return (a > b || a != a) ? a : b; }
};

const size_t kBlock = 1024;  // elements that stay in the L1 cache between passes

template <class Wide>
inline void scale_block(Wide* values, size_t n, double scale) {
  const Wide factor = static_cast<Wide>(scale);
  for (size_t i = 0; i < n; ++i) values[i] = values[i] * factor;
}

template <class T, class Op>
inline __attribute__((always_inline)) void combine_as(void* target, const void* const* sources, int count, size_t n,
                                                      double scale) {
  typedef decltype(wide(T())) Wide;
  Wide sum[kBlock];
  for (size_t at = 0; at < n; at += kBlock) {
    const size_t m = std::min(kBlock, n - at);
    const T* source = static_cast<const T*>(sources[0]) + at;
    T* out = static_cast<T*>(target) + at;
    if (count > 1) {
      const T* other = static_cast<const T*>(sources[1]) + at;
      for (size_t i = 0; i < m; ++i) sum[i] = Op::of(wide(source[i]), wide(other[i]));
    } else {
      for (size_t i = 0; i < m; ++i) sum[i] = wide(source[i]);
    }
    for (int r = 2; r < count; ++r) {
      const T* other = static_cast<const T*>(sources[r]) + at;
      for (size_t i = 0; i < m; ++i) sum[i] = Op::of(sum[i], wide(other[i]));
    }
    if (scale != 1) scale_block(sum, m, scale);
    for (size_t i = 0; i < m; ++i) put(out + i, sum[i]);
  }
}

#define DDL_COMBINE(name, T, Op)                                                                                     \
  DDL_VERSIONS void name(void* target, const void* const* sources, int count, size_t n, double scale) {              \
    combine_as<T, Op>(target, sources, count, n, scale);                                                             \
  }
#define DDL_COMBINE_ALL(type, T)   \
  DDL_COMBINE(sum_##type, T, Sum)  \
  DDL_COMBINE(min_##type, T, Min)  \
  DDL_COMBINE(max_##type, T, Max)

DDL_COMBINE_ALL(float16, Half)
DDL_COMBINE_ALL(bfloat16, BFloat16)
DDL_COMBINE_ALL(float32, float)
DDL_COMBINE_ALL(float64, double)
DDL_COMBINE_ALL(int32, int32_t)
DDL_COMBINE_ALL(int64, int64_t)

typedef void (*Combine)(void*, const void* const*, int, size_t, double);

// By type, then by sum, min, max.
const Combine kCombine[6][3] = {
    {sum_float16, min_float16, max_float16}, {sum_bfloat16, min_bfloat16, max_bfloat16},
    {sum_float32, min_float32, max_float32}, {sum_float64, min_float64, max_float64},
    {sum_int32, min_int32, max_int32},       {sum_int64, min_int64, max_int64},
};

DDL_VERSIONS void narrow_half(const float* from, Half* to, size_t n) {
  for (size_t i = 0; i < n; ++i) put(to + i, from[i]);
}
DDL_VERSIONS void narrow_brain(const float* from, BFloat16* to, size_t n) {
  for (size_t i = 0; i < n; ++i) put(to + i, from[i]);
}
DDL_VERSIONS void widen_half(const Half* from, float* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = wide(from[i]);
}
DDL_VERSIONS void widen_brain(const BFloat16* from, float* to, size_t n) {
  for (size_t i = 0; i < n; ++i) to[i] = wide(from[i]);
}

}  // namespace

size_t size_of(int type) {
  switch (type) {
    case DDL_FLOAT16:
    case DDL_BFLOAT16:
      return 2;
    case DDL_FLOAT32:
    case DDL_INT32:
      return 4;
    case DDL_FLOAT64:
    case DDL_INT64:
      return 8;
    case DDL_BYTES:
      return 1;
    default:
      return 0;
  }
}

void combine(int type, int reduction, void* target, const void* const* sources, int count, size_t n, double scale) {
  const int op = reduction == DDL_MIN ? 1 : reduction == DDL_MAX ? 2 : 0;
  kCombine[type][op](target, sources, count, n, scale);
}

void narrow(int type, const float* from, void* to, size_t n) {
  if (type == DDL_FLOAT16) {
    narrow_half(from, static_cast<Half*>(to), n);
  } else {
    narrow_brain(from, static_cast<BFloat16*>(to), n);
  }
}

void widen(int type, const void* from, float* to, size_t n) {
  if (type == DDL_FLOAT16) {
    widen_half(static_cast<const Half*>(from), to, n);
  } else {
    widen_brain(static_cast<const BFloat16*>(from), to, n);
  }
}

}  // namespace ddl
