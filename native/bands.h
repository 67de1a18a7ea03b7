/* The tables of a band, and how they are made.
 *
 * A band's postings are the numbers of all n rows, sorted by the band's value in them. Its table
 * says where in the postings each value begins: 16 bytes for each group of 16 values, so one
 * byte a value. A group is a base, 32 bits, and 16 ends, 6 bits each: value i of the group has
 * the postings from base + end[i - 1] (base, for the first) up to base + end[i]. A group of more
 * than 62 postings (near-duplicates) has 63 for every end: its postings go up to the base of the
 * next group, and a value is looked for among them by halves.
 */

#ifndef PROTECH_BANDS_H
#define PROTECH_BANDS_H

#include "distance.h"

enum {
    MOST_BANDS = 32,
    NARROWEST = 8,
    WIDEST = 28,
    GROUP = 16,      /* values in a group, and its bytes */
    CROWDED = 63,    /* the end that says that the group has too many for 6 bits */
    TOP_BITS = 12    /* first step of the sort: 4096 streams of writing */
};

#define MOST_ROWS (UINT32_MAX - 1)

__extension__ typedef unsigned __int128 Group;

ALWAYS_INLINE Group load_group(const uint8_t *bytes)
{
    Group group;
    memcpy(&group, bytes, GROUP);
    return group;
}

ALWAYS_INLINE uint32_t group_end(Group group, uint32_t i)
{
    return (uint32_t)(group >> (32 + 6 * i)) & 63;
}

/* Write the group whose postings begin at `base`; `counts` of each value. */
static void write_group(uint8_t *out, uint32_t base, const uint32_t *counts)
{
    Group group = base;
    uint32_t end = 0;
    for (uint32_t i = 0; i < GROUP; i++)
        end += counts[i];
    int is_crowded = end >= CROWDED;
    end = 0;
    for (uint32_t i = 0; i < GROUP; i++) {
        end += counts[i];
        group |= (Group)(is_crowded ? CROWDED : end) << (32 + 6 * i);
    }
    memcpy(out, &group, GROUP);
}

/* Sort the rows by one band's value, equal ones in their order: first into 2^top streams by its
 * leading bits, then each of these, which fits a cache, by the others. `scratch` has room for n,
 * `counts` for 2^TOP_BITS + 2^(WIDEST - TOP_BITS). */
static void build_band(const uint8_t *hashes, uint32_t n, uint32_t start, uint32_t width,
                       uint8_t *table, uint32_t *postings, uint64_t *scratch, uint32_t *counts)
{
    const uint32_t top = width < TOP_BITS + 4 ? width - 4 : TOP_BITS, low = width - top;
    const uint32_t streams = 1u << top, values = 1u << low;
    uint32_t *ends = counts, *places = counts + streams;

    memset(ends, 0, streams * sizeof *ends);
    for (uint32_t i = 0; i < n; i++) {
        Hash hash = load_hash(hashes + (size_t)i * HASH_BYTES);
        ends[band_of(&hash, start, width) >> low]++;
    }
    uint32_t sum = 0;
    for (uint32_t s = 0; s < streams; s++) {
        uint32_t count = ends[s];
        ends[s] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++) {
        Hash hash = load_hash(hashes + (size_t)i * HASH_BYTES);
        uint32_t value = band_of(&hash, start, width);
        scratch[ends[value >> low]++] = (uint64_t)(value & (values - 1)) << 32 | i;
    }
    uint32_t from = 0;
    for (uint32_t s = 0; s < streams; s++) {
        const uint32_t to = ends[s];
        memset(places, 0, values * sizeof *places);
        for (uint32_t at = from; at < to; at++)
            places[scratch[at] >> 32]++;
        sum = from;
        for (uint32_t value = 0; value < values; value++) {
            uint32_t count = places[value];
            if (value % GROUP == 0)
                write_group(table + ((size_t)s << low) + value, sum, places + value);
            places[value] = sum;
            sum += count;
        }
        for (uint32_t at = from; at < to; at++)
            postings[places[scratch[at] >> 32]++] = (uint32_t)scratch[at];
        from = to;
    }
}

#endif
