/* Distances between 256-bit hashes, and the three ways to count bits. */

#ifndef PROTECH_DISTANCE_H
#define PROTECH_DISTANCE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "hashes are read as little-endian words; without this kernel NumPy searches"
#endif

#if defined(__x86_64__)
#define HAS_X86 1
#include <immintrin.h>
#else
#define HAS_X86 0
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch((address), 0, 3)

enum { HASH_BYTES = 32, HASH_BITS = 256, WORDS = 4 };

/* How bits are counted, the slowest first. */
typedef enum { PORTABLE, POPCNT, AVX512 } Path;

static const char *const PATH_NAMES[] = {"portable", "popcnt", "avx512-vpopcntdq"};

static int path_runs(Path path)
{
#if HAS_X86
    switch (path) {
    case AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("popcnt");
    case POPCNT:
        return __builtin_cpu_supports("popcnt") != 0;
    default:
        return 1;
    }
#else
    return path == PORTABLE;
#endif
}

typedef struct {
    uint64_t words[WORDS];
} Hash;

ALWAYS_INLINE Hash load_hash(const uint8_t *bytes)
{
    Hash hash;
    memcpy(hash.words, bytes, HASH_BYTES);
    return hash;
}

ALWAYS_INLINE uint32_t load_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

ALWAYS_INLINE uint32_t count_bits(uint64_t word, int has_popcnt)
{
#if HAS_X86
    if (!has_popcnt) { /* Hacker's Delight, figure 5-2 */
        word -= (word >> 1) & 0x5555555555555555u;
        word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
        word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        return (uint32_t)((word * 0x0101010101010101u) >> 56);
    }
#else
    (void)has_popcnt; /* other processors count bits without being asked */
#endif
    return (uint32_t)__builtin_popcountll(word);
}

ALWAYS_INLINE Hash differing_bits(const Hash *left, const Hash *right)
{
    Hash both;
    for (int i = 0; i < WORDS; i++)
        both.words[i] = left->words[i] ^ right->words[i];
    return both;
}

ALWAYS_INLINE uint32_t weight(const Hash *hash, int has_popcnt)
{
    uint32_t bits = 0;
    for (int i = 0; i < WORDS; i++)
        bits += count_bits(hash->words[i], has_popcnt);
    return bits;
}

/* The bits of `hash` from `start` on, `width` of them: at most 28, within the hash. */
ALWAYS_INLINE uint32_t band_of(const Hash *hash, uint32_t start, uint32_t width)
{
    uint32_t word = start / 64, shift = start % 64;
    uint64_t value = hash->words[word] >> shift;
    if (shift + width > 64)
        value |= hash->words[word + 1] << (64 - shift);
    return (uint32_t)value & ((1u << width) - 1);
}

/* ---- distances of rows that stand in a row ------------------------------------------------- */

ALWAYS_INLINE void distances_by_row(const uint8_t *rows, size_t count, const Hash *query,
                                    uint16_t *out, int has_popcnt)
{
    for (size_t i = 0; i < count; i++) {
        Hash row = load_hash(rows + i * HASH_BYTES);
        Hash both = differing_bits(&row, query);
        out[i] = (uint16_t)weight(&both, has_popcnt);
    }
}

static void distances_portable(const uint8_t *rows, size_t count, const Hash *query, uint16_t *out)
{
    distances_by_row(rows, count, query, out, 0);
}

#if HAS_X86
__attribute__((target("popcnt"))) static void
distances_popcnt(const uint8_t *rows, size_t count, const Hash *query, uint16_t *out)
{
    distances_by_row(rows, count, query, out, 1);
}

/* Eight rows at a time: two in a register, counted by words, the four words of each summed. */
__attribute__((target("avx512f,avx512vl,avx512vpopcntdq,popcnt"))) static void
distances_avx512(const uint8_t *rows, size_t count, const Hash *query, uint16_t *out)
{
    const __m512i twice = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)query->words));
    const __m512i in_order = _mm512_setr_epi64(0, 2, 1, 3, 4, 6, 5, 7);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m512i bits[4];
        for (size_t j = 0; j < 4; j++) {
            __m512i two = _mm512_loadu_si512(rows + (i + 2 * j) * HASH_BYTES);
            bits[j] = _mm512_popcnt_epi64(_mm512_xor_si512(two, twice));
        }
        /* Pairs of words summed: rows 0 2 0 2 1 3 1 3, and 4 6 4 6 5 7 5 7. */
        __m512i left = _mm512_add_epi64(_mm512_unpacklo_epi64(bits[0], bits[1]),
                                        _mm512_unpackhi_epi64(bits[0], bits[1]));
        __m512i right = _mm512_add_epi64(_mm512_unpacklo_epi64(bits[2], bits[3]),
                                         _mm512_unpackhi_epi64(bits[2], bits[3]));
        /* Pairs of pairs summed: rows 0 2 1 3 4 6 5 7. */
        __m512i sums = _mm512_add_epi64(_mm512_shuffle_i64x2(left, right, 0x88),
                                        _mm512_shuffle_i64x2(left, right, 0xdd));
        sums = _mm512_permutexvar_epi64(in_order, sums);
        _mm_storeu_si128((void *)(out + i), _mm512_cvtepi64_epi16(sums));
    }
    distances_by_row(rows + i * HASH_BYTES, count - i, query, out + i, 1);
}
#endif

static void distances(Path path, const uint8_t *rows, size_t count, const Hash *query,
                      uint16_t *out)
{
#if HAS_X86
    if (path == AVX512) {
        distances_avx512(rows, count, query, out);
        return;
    }
    if (path == POPCNT) {
        distances_popcnt(rows, count, query, out);
        return;
    }
#endif
    (void)path;
    distances_portable(rows, count, query, out);
}

#endif
