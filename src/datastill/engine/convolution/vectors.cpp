// What the kernels share: vectors of as many floats as the processor works on at a time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16, ROWS = 12;
#elif defined(__AVX2__)
constexpr int LANES = 8, ROWS = 6;
#else
constexpr int LANES = 4, ROWS = 6;
#endif
constexpr int PANEL = 2 * LANES;  // channels that one pass of a product writes

typedef float Vector __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4)));

inline Vector load(const float* from) { return *(const Unaligned*)from; }

inline void store(float* to, Vector value) { *(Unaligned*)to = value; }

// Values of 16 bits, as bfloat16: the upper half of a float, rounded to the nearest, and to even.
typedef uint16_t Half __attribute__((vector_size(LANES * 2), aligned(2)));
typedef uint32_t Word __attribute__((vector_size(LANES * 4)));

inline Vector load(const uint16_t* from) { return (Vector)(__builtin_convertvector(*(const Half*)from, Word) << 16); }

inline void store(uint16_t* to, Vector value) {
  const Word word = (Word)value, rounded = word + 0x7fff + ((word >> 16) & 1);
  *(Half*)to = __builtin_convertvector(((word & 0x7fffffff) > 0x7f800000 ? word | 0x400000 : rounded) >> 16, Half);  // no number stays so
}

inline Vector all(float value) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(value);
#elif defined(__AVX2__)
  return _mm256_set1_ps(value);
#else
  return Vector{value, value, value, value};
#endif
}

inline Vector add_product(Vector a, Vector b, Vector c) {  // a b + c
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

float* floats(long count) { return (float*)std::aligned_alloc(64, (count * 4 + 63) / 64 * 64); }

}  // namespace
