// Elementwise arithmetic on buffers whose type is known at run time only.
#ifndef DDL_COLLECTIVES_ARITHMETIC_H
#define DDL_COLLECTIVES_ARITHMETIC_H

#include <cstddef>

namespace ddl {

// Bytes of one element of `type` (enum ddl_type); 0 for a type that is none.
size_t size_of(int type);

// `target[i] = (sources[0][i] op sources[1][i] op …) * scale` for `n` elements, in that order, so that whoever computes it
// gets the same bits. `op` is a `ddl_reduction`; averaging is a sum, and its scale is the caller's. 16-bit types are summed in fp32 and
// rounded once. `target` may be one of the sources. `scale` is for floating point alone.
void combine(int type, int reduction, void* target, const void* const* sources, int count, size_t n, double scale);

// fp32 to a 16-bit type (DDL_FLOAT16 or DDL_BFLOAT16), rounded to nearest, ties to even; and back.
void narrow(int type, const float* from, void* to, size_t n);
void widen(int type, const void* from, float* to, size_t n);

}  // namespace ddl

#endif
