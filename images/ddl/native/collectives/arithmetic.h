// Elementwise arithmetic on buffers whose type is known only at run time.
#ifndef DDL_COLLECTIVES_ARITHMETIC_H
#define DDL_COLLECTIVES_ARITHMETIC_H

#include <cstddef>

namespace ddl {

// Bytes of one element of `type` (enum ddl_type); 0 for an unknown type.
size_t size_of(int type);

// `target[i] = (sources[0][i] op sources[1][i] op …) * scale` for `n` elements, in this order, so that every rank that
// computes it gets the same bits. `reduction` is a `ddl_reduction`; an average is a sum, scaled by the caller. 16-bit
// types are summed in fp32 and rounded once. `target` may be one of the sources. `scale` is for floating point only.
void combine(int type, int reduction, void* target, const void* const* sources, int count, size_t n, double scale);

// fp32 to a 16-bit type (DDL_FLOAT16 or DDL_BFLOAT16), rounded to nearest, ties to even; and back.
void narrow(int type, const float* from, void* to, size_t n);
void widen(int type, const void* from, float* to, size_t n);

}  // namespace ddl

#endif
