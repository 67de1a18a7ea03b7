/* The search: one column of hashes by its bands, or all of it from end to end. */

#ifndef PROTECH_SEARCH_H
#define PROTECH_SEARCH_H

#include <stdlib.h>

#include "bands.h"

enum {
    MOST_FLIPS = 4,
    NOT_SEARCHED = 255,
    TILE_ROWS = 512,  /* 16 KiB of hashes: what is compared in one go stays in the L1 cache */
    AHEAD = 24,       /* groups asked for before they are read */
    RANGES = 128,     /* values whose postings are asked for before they are read */
    CANDIDATES = 256  /* rows whose hashes are asked for before they are read: 8 KiB */
};

#define NO_PLACE UINT32_MAX

typedef enum { FINE, CORRUPT, NO_MEMORY } Outcome;

/* ---- what is found ------------------------------------------------------------------------- */

typedef struct {
    uint32_t query, place, distance;
} Found;

typedef struct {
    int wants_all;    /* else the nearest only */
    uint32_t radius;  /* for the nearest, that of the nearest so far */
    Found best;
    Found *all;
    size_t count, room;
} Results;

static Outcome keep(Results *results, uint32_t query, uint32_t place, uint32_t distance)
{
    if (!results->wants_all) {
        Found *best = &results->best;
        if (distance < best->distance || (distance == best->distance && place < best->place)) {
            *best = (Found){query, place, distance};
            results->radius = distance;
        }
        return FINE;
    }
    if (results->count == results->room) {
        size_t room = results->room ? results->room * 2 : 256;
        if (room > SIZE_MAX / 2 / sizeof(Found))
            return NO_MEMORY;
        Found *all = realloc(results->all, room * sizeof(Found));
        if (all == NULL)
            return NO_MEMORY;
        results->all = all;
        results->room = room;
    }
    results->all[results->count++] = (Found){query, place, distance};
    return FINE;
}

/* ---- from end to end ----------------------------------------------------------------------- */

static Outcome scan_tile(Path path, const uint8_t *rows, uint32_t first, uint32_t count,
                         uint32_t number, const Hash *query, Results *results)
{
    uint16_t found[TILE_ROWS];
    distances(path, rows, count, query, found);
    uint16_t least = UINT16_MAX;
    for (uint32_t i = 0; i < count; i++)
        least = found[i] < least ? found[i] : least;
    if (least > results->radius)
        return FINE;
    for (uint32_t i = 0; i < count; i++) {
        if (found[i] > results->radius)
            continue;
        Outcome outcome = keep(results, number, first + i, found[i]);
        if (outcome != FINE)
            return outcome;
    }
    return FINE;
}

static Outcome scan(Path path, const uint8_t *hashes, uint32_t n, uint32_t number,
                    const Hash *query, Results *results)
{
    for (uint32_t at = 0; at < n;) {
        uint32_t count = n - at < TILE_ROWS ? n - at : TILE_ROWS;
        Outcome outcome = scan_tile(path, hashes + (size_t)at * HASH_BYTES, at, count, number,
                                    query, results);
        if (outcome != FINE)
            return outcome;
        at += count;
    }
    return FINE;
}

/* ---- by bands ------------------------------------------------------------------------------ */

typedef struct {
    uint32_t start, width;
    const uint8_t *table, *postings;
    const uint32_t *masks; /* every flip of 0, 1, 2 ... of width bits, the fewest first */
    uint32_t mask_counts[MOST_FLIPS + 1];
} Band;

typedef struct {
    const uint8_t *hashes;
    uint32_t n, bands_count;
    Band bands[MOST_BANDS];
} Column;

typedef struct {
    const Column *column;
    const Hash *query;
    const uint8_t *radii; /* one for each band */
    uint32_t number;
    Results *results;
} Search;

typedef struct {
    uint32_t start, end;
} Range;

/* The first of the postings from `low` to `high` whose value is not below `value`; NO_PLACE
 * where a posting is no row. */
static uint32_t first_not_below(const Column *column, const Band *band, uint32_t low,
                                uint32_t high, uint64_t value)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t id = load_u32(band->postings + (size_t)middle * sizeof id);
        if (id >= column->n)
            return NO_PLACE;
        Hash hash = load_hash(column->hashes + (size_t)id * HASH_BYTES);
        if (band_of(&hash, band->start, band->width) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the postings of `value` stand in a group that has too many for 6 bits. */
static Range crowded_range(const Column *column, const Band *band, uint32_t value, uint32_t base)
{
    const uint32_t next = (value | (GROUP - 1)) + 1;
    uint32_t end = column->n;
    if (next < 1u << band->width)
        end = (uint32_t)load_group(band->table + next);
    if (base > end || end > column->n)
        return (Range){NO_PLACE, 0};
    Range range;
    range.start = first_not_below(column, band, base, end, value);
    if (range.start == NO_PLACE)
        return (Range){NO_PLACE, 0};
    range.end = first_not_below(column, band, range.start, end, (uint64_t)value + 1);
    return range;
}

/* Where the postings of `value` stand: from start to end, beyond n where the table is corrupt. */
ALWAYS_INLINE Range range_of(const Column *column, const Band *band, uint32_t value)
{
    Group group = load_group(band->table + (value & ~(GROUP - 1u)));
    uint32_t i = value % GROUP, base = (uint32_t)group, end = group_end(group, i);
    if (end == CROWDED)
        return crowded_range(column, band, value, base);
    uint32_t start = i ? group_end(group, i - 1) : 0;
    if (base > column->n)
        return (Range){NO_PLACE, 0};
    return (Range){base + start, base + end};
}

/* Whether this pair meets in no band before `number`: so that it is reported once. */
ALWAYS_INLINE int is_first_meeting(const Search *search, const Hash *both, uint32_t number,
                                   int has_popcnt)
{
    for (uint32_t b = 0; b < number; b++) {
        const Band *band = &search->column->bands[b];
        if (search->radii[b] != NOT_SEARCHED &&
            count_bits(band_of(both, band->start, band->width), has_popcnt) <= search->radii[b])
            return 0;
    }
    return 1;
}

ALWAYS_INLINE Outcome verify(const Search *search, const uint32_t *ids, size_t count,
                             uint32_t number, int has_popcnt)
{
    Results *results = search->results;
    for (size_t i = 0; i < count; i++) {
        Hash row = load_hash(search->column->hashes + (size_t)ids[i] * HASH_BYTES);
        Hash both = differing_bits(&row, search->query);
        uint32_t distance = weight(&both, has_popcnt);
        if (distance > results->radius)
            continue;
        if (results->wants_all && !is_first_meeting(search, &both, number, has_popcnt))
            continue;
        Outcome outcome = keep(results, search->number, ids[i], distance);
        if (outcome != FINE)
            return outcome;
    }
    return FINE;
}

/* Look at every row whose value of band `number` is within the band's radius. Twice over: what
 * will be needed is asked for, then read, since almost every read misses the caches. `budget`
 * sinks by the rows looked at; where it is used up, the search ends. */
ALWAYS_INLINE Outcome search_band(const Search *search, uint32_t number, int64_t *budget,
                                  int has_popcnt)
{
    const Column *column = search->column;
    const Band *band = &column->bands[number];
    const uint32_t n = column->n, probes = band->mask_counts[search->radii[number]];
    const uint32_t value = band_of(search->query, band->start, band->width);
    uint32_t ids[CANDIDATES];
    Range ranges[RANGES];
    size_t held = 0;

    for (uint32_t i = 0; i < AHEAD && i < probes; i++)
        PREFETCH(band->table + (value ^ band->masks[i]));
    for (uint32_t from = 0; from < probes; from += RANGES) {
        const uint32_t to = probes - from < RANGES ? probes : from + RANGES;
        size_t count = 0;
        for (uint32_t i = from; i < to; i++) {
            if (i + AHEAD < probes)
                PREFETCH(band->table + (value ^ band->masks[i + AHEAD]));
            Range range = range_of(column, band, value ^ band->masks[i]);
            if (range.start > range.end || range.end > n)
                return CORRUPT;
            ranges[count] = range;
            PREFETCH(band->postings + (size_t)range.start * sizeof(uint32_t));
            count += range.start != range.end;
        }
        for (size_t r = 0; r < count; r++) {
            *budget -= ranges[r].end - ranges[r].start;
            if (*budget < 0)
                return FINE;
            for (uint32_t at = ranges[r].start; at < ranges[r].end; at++) {
                uint32_t id = load_u32(band->postings + (size_t)at * sizeof id);
                if (id >= n)
                    return CORRUPT;
                PREFETCH(column->hashes + (size_t)id * HASH_BYTES);
                ids[held++] = id;
                if (held < CANDIDATES)
                    continue;
                Outcome outcome = verify(search, ids, held, number, has_popcnt);
                if (outcome != FINE)
                    return outcome;
                held = 0;
            }
        }
    }
    return verify(search, ids, held, number, has_popcnt);
}

ALWAYS_INLINE Outcome search_bands(const Search *search, int64_t *budget, int has_popcnt)
{
    for (uint32_t b = 0; b < search->column->bands_count && *budget >= 0; b++) {
        if (search->radii[b] == NOT_SEARCHED)
            continue;
        Outcome outcome = search_band(search, b, budget, has_popcnt);
        if (outcome != FINE)
            return outcome;
    }
    return FINE;
}

static Outcome search_bands_portable(const Search *search, int64_t *budget)
{
    return search_bands(search, budget, 0);
}

#if HAS_X86
__attribute__((target("popcnt"))) static Outcome search_bands_popcnt(const Search *search,
                                                                     int64_t *budget)
{
    return search_bands(search, budget, 1);
}
#endif

/* Search for one query. Where its bands hold so many rows that reading all hashes in order is
 * cheaper (a list of near-duplicates, met by a query near them), read all in order. */
static Outcome search_one(Path path, const Search *search)
{
    const Column *column = search->column;
    Results *results = search->results;
    const Results before = *results;
    int64_t budget = (int64_t)column->n / 8 + 1024;
    Outcome outcome;
#if HAS_X86
    if (path != PORTABLE)
        outcome = search_bands_popcnt(search, &budget);
    else
#endif
        outcome = search_bands_portable(search, &budget);
    if (outcome != FINE || budget >= 0)
        return outcome;
    results->count = before.count;
    results->best = before.best;
    results->radius = before.radius;
    return scan(path, column->hashes, column->n, search->number, search->query, results);
}

/* ---- many queries -------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *queries;
    uint32_t count, radius;
    const uint8_t *radii; /* NULL asks for the scan from end to end */
    Path path;
    Results results;
    Found *nearest; /* one for each query, or NULL where all within the radius are asked for */
} Request;

static Outcome answer_by_bands(const Column *column, Request *request)
{
    for (uint32_t i = 0; i < request->count; i++) {
        Hash query = load_hash(request->queries + (size_t)i * HASH_BYTES);
        Search search = {column, &query, request->radii, i, &request->results};
        request->results.radius = request->radius;
        request->results.best = (Found){i, NO_PLACE, NO_PLACE};
        Outcome outcome = search_one(request->path, &search);
        if (outcome != FINE)
            return outcome;
        if (request->nearest != NULL)
            request->nearest[i] = request->results.best;
    }
    return FINE;
}

/* Every tile of hashes is compared with every query while it is in the cache. */
static Outcome answer_by_scan(const Column *column, Request *request)
{
    Results *results = &request->results;
    for (uint32_t i = 0; request->nearest != NULL && i < request->count; i++)
        request->nearest[i] = (Found){i, NO_PLACE, NO_PLACE};
    for (uint32_t at = 0; at < column->n;) {
        uint32_t rows = column->n - at < TILE_ROWS ? column->n - at : TILE_ROWS;
        const uint8_t *tile = column->hashes + (size_t)at * HASH_BYTES;
        for (uint32_t i = 0; i < request->count; i++) {
            Hash query = load_hash(request->queries + (size_t)i * HASH_BYTES);
            results->radius = request->radius;
            if (request->nearest != NULL) {
                results->best = request->nearest[i];
                if (results->best.distance < results->radius)
                    results->radius = results->best.distance;
            }
            Outcome outcome = scan_tile(request->path, tile, at, rows, i, &query, results);
            if (outcome != FINE)
                return outcome;
            if (request->nearest != NULL)
                request->nearest[i] = results->best;
        }
        at += rows;
    }
    return FINE;
}

#endif
