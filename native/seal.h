/* Seals of blocks; lists/seals.py says what a seal is and what it promises. */

#ifndef PROTECH_SEAL_H
#define PROTECH_SEAL_H

#include "distance.h"

ALWAYS_INLINE uint64_t seal_characters(const uint8_t *data, const uint64_t *keys, size_t count)
{
    uint64_t seal = 0;
    for (size_t i = 0; i < count; i++)
        seal += keys[i] * load_u32(data + i * sizeof(uint32_t));
    return seal;
}

static uint64_t seal_portable(const uint8_t *data, const uint64_t *keys, size_t count)
{
    return seal_characters(data, keys, count);
}

typedef uint64_t (*SealCharacters)(const uint8_t *, const uint64_t *, size_t);

#if HAS_X86
__attribute__((target("avx2"))) static uint64_t
seal_avx2(const uint8_t *data, const uint64_t *keys, size_t count)
{
    return seal_characters(data, keys, count);
}

__attribute__((target("avx512f,avx512dq"))) static uint64_t
seal_avx512(const uint8_t *data, const uint64_t *keys, size_t count)
{
    return seal_characters(data, keys, count);
}
#endif

static SealCharacters fastest_seal(void)
{
#if HAS_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return seal_avx512;
    if (__builtin_cpu_supports("avx2"))
        return seal_avx2;
#endif
    return seal_portable;
}

/* The seal of a block of at most as many characters of 4 bytes as there are keys; the last may
 * be cut, and then ends in zeros. */
static uint64_t seal_block(SealCharacters fastest, const uint8_t *data, size_t size,
                           const uint64_t *keys)
{
    const size_t whole = size / sizeof(uint32_t), rest = size % sizeof(uint32_t);
    uint64_t seal = fastest(data, keys, whole);
    if (rest) {
        uint8_t last[sizeof(uint32_t)] = {0};
        memcpy(last, data + whole * sizeof(uint32_t), rest);
        seal += seal_characters(last, keys + whole, 1);
    }
    return seal;
}

#endif
