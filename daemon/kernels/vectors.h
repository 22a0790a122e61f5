// Vectors of numbers: 16 with AVX-512, 8 with AVX2, 4 with the compiler's own vectors.
#pragma once
#include <cstdint>
#include <cstring>

#include "steps.h"
#if defined(VARIANT_AVX512) || defined(VARIANT_AVX2)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))

namespace VARIANT {

constexpr Int GROUP = 16;  // channels whose marks are one word

#if defined(VARIANT_AVX512)

typedef __m512 vec;
constexpr Int LANES = 16;
constexpr Int MOST = 4;  // vectors of a row in a product's block
constexpr int tall(int wide) { return wide == 1 ? 12 : wide == 2 ? 12 : wide == 3 ? 8 : 6; }
INLINE vec zero() { return _mm512_setzero_ps(); }
INLINE vec all(float value) { return _mm512_set1_ps(value); }
INLINE vec load(const float *from) { return _mm512_loadu_ps(from); }
INLINE void store(float *to, vec v) { _mm512_storeu_ps(to, v); }
INLINE vec fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
// The lesser of two numbers; `v` if that is not a number.
INLINE vec least(vec v, vec most) { return _mm512_min_ps(most, v); }
// Bits of the numbers that are greater than `b`, or not a number.
INLINE uint32_t above(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); }
INLINE vec keep(vec v, uint32_t bits) { return _mm512_maskz_mov_ps((__mmask16)bits, v); }
INLINE vec choose(uint32_t bits, vec yes, vec no) {
    return _mm512_mask_mov_ps(no, (__mmask16)bits, yes);
}
INLINE uint32_t equal(const uint8_t *bytes, int value) {
    return _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)bytes), _mm_set1_epi8((char)value));
}
typedef __m128i bytes;  // one a lane
INLINE bytes same(int value) { return _mm_set1_epi8((char)value); }
INLINE bytes choose(uint32_t bits, int yes, bytes no) {
    return _mm_mask_mov_epi8(no, (__mmask16)bits, same(yes));
}
INLINE void store(uint8_t *to, bytes v) { _mm_storeu_si128((__m128i *)to, v); }

#elif defined(VARIANT_AVX2)

typedef __m256 vec;
constexpr Int LANES = 8;
constexpr Int MOST = 2;
constexpr int tall(int) { return 6; }
INLINE vec zero() { return _mm256_setzero_ps(); }
INLINE vec all(float value) { return _mm256_set1_ps(value); }
INLINE vec load(const float *from) { return _mm256_loadu_ps(from); }
INLINE void store(float *to, vec v) { _mm256_storeu_ps(to, v); }
INLINE vec fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vec least(vec v, vec most) { return _mm256_min_ps(most, v); }
INLINE uint32_t above(vec a, vec b) {
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ));
}
INLINE vec spread(uint32_t bits) {
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i found = _mm256_and_si256(_mm256_set1_epi32((int)bits), each);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(found, each));
}
INLINE vec keep(vec v, uint32_t bits) { return _mm256_and_ps(v, spread(bits)); }
INLINE vec choose(uint32_t bits, vec yes, vec no) {
    return _mm256_blendv_ps(no, yes, spread(bits));
}
INLINE uint32_t equal(const uint8_t *bytes, int value) {
    __m128i found = _mm_cmpeq_epi8(_mm_loadl_epi64((const __m128i *)bytes), _mm_set1_epi8((char)value));
    return (uint32_t)_mm_movemask_epi8(found) & 255;
}

#else

typedef float vec __attribute__((vector_size(16)));
constexpr Int LANES = 4;
constexpr Int MOST = 4;
constexpr int tall(int) { return 2; }
INLINE vec all(float value) { return vec{value, value, value, value}; }
INLINE vec zero() { return all(0); }
INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}
INLINE void store(float *to, vec v) { memcpy(to, &v, sizeof v); }
INLINE vec fma(vec a, vec b, vec c) { return a * b + c; }
INLINE vec fnma(vec a, vec b, vec c) { return c - a * b; }
INLINE vec least(vec v, vec most) {
    for (int i = 0; i < LANES; i++) v[i] = most[i] < v[i] ? most[i] : v[i];
    return v;
}
INLINE uint32_t above(vec a, vec b) {
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t)!(a[i] <= b[i]) << i;
    return bits;
}
INLINE vec choose(uint32_t bits, vec yes, vec no) {
    for (int i = 0; i < LANES; i++) no[i] = bits >> i & 1 ? yes[i] : no[i];
    return no;
}
INLINE vec keep(vec v, uint32_t bits) { return choose(bits, v, zero()); }
INLINE uint32_t equal(const uint8_t *bytes, int value) {
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t)(bytes[i] == value) << i;
    return bits;
}

#endif

#if !defined(VARIANT_AVX512)
struct bytes {
    uint8_t lane[LANES];
};
INLINE bytes same(int value) {
    bytes v;
    memset(v.lane, value, LANES);
    return v;
}
INLINE bytes choose(uint32_t bits, int yes, bytes no) {
    for (int i = 0; i < LANES; i++) no.lane[i] = bits >> i & 1 ? (uint8_t)yes : no.lane[i];
    return no;
}
INLINE void store(uint8_t *to, bytes v) { memcpy(to, v.lane, LANES); }
#endif

constexpr Int IN_GROUP = GROUP / LANES;
constexpr Int PANEL = MOST * LANES;  // output channels whose weights are stored together
static_assert(PANEL % GROUP == 0, "a panel ends between two words of marks");

}  // namespace VARIANT
