/* The kernel of the hash index: exact search by Hamming distance over 256-bit hashes.
 *
 * lists/bands.py says which values of which bands must be looked at so that nothing within a
 * radius is missed; this looks at them fast. A hash is 32 bytes, read as four little-endian
 * words; band b is the next widths[b] bits of it, from bit 0 of word 0 on.
 *
 *     distance.h  how far two hashes are from each other
 *     bands.h     the tables of a band
 *     search.h    the search
 *     seal.h      the seals of an index's files
 *     mih.c       what Python sees of them
 *
 * Nothing that stands in a table is believed: postings beyond the last, or a row beyond the last,
 * end the search with an error; no read ever leaves a buffer. The GIL is released while a call
 * works. A Searcher is never changed once it is made: any number of threads may use it.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <unistd.h>

#include "bands.h"
#include "distance.h"
#include "seal.h"
#include "search.h"

/* ---- Searcher: a column of hashes ---------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    Py_buffer hashes, tables, postings;
    int has_buffers;
    Column column;
    uint32_t *masks[WIDEST + 1];
} Searcher;

static uint32_t choose(uint32_t of, uint32_t taken)
{
    uint64_t ways = 1;
    for (uint32_t i = 0; i < taken; i++)
        ways = ways * (of - i) / (i + 1);
    return (uint32_t)ways;
}

/* Return every flip of at most MOST_FLIPS of `width` bits, those of fewer bits first. */
static uint32_t *make_masks(uint32_t width)
{
    size_t total = 0, at = 0;
    for (uint32_t flips = 0; flips <= MOST_FLIPS; flips++)
        total += choose(width, flips);
    uint32_t *masks = malloc(total * sizeof *masks);
    if (masks == NULL)
        return NULL;
    masks[at++] = 0;
    for (uint32_t flips = 1; flips <= MOST_FLIPS; flips++) {
        uint32_t mask = (1u << flips) - 1;
        while (mask < 1u << width) { /* the next number with as many ones: HAKMEM, item 175 */
            masks[at++] = mask;
            uint32_t lowest = mask & (0u - mask), ripple = mask + lowest;
            mask = ripple | (((mask ^ ripple) >> 2) / lowest);
        }
    }
    return masks;
}

static int is_fitting(const Searcher *self, const uint8_t *widths, Py_ssize_t bands_count)
{
    const uint64_t n = (uint64_t)self->hashes.len / HASH_BYTES;
    uint64_t bits = 0, values = 0;
    if (self->hashes.len % HASH_BYTES != 0 || n > MOST_ROWS || bands_count > MOST_BANDS)
        return 0;
    for (Py_ssize_t b = 0; b < bands_count; b++) {
        if (widths[b] < NARROWEST || widths[b] > WIDEST)
            return 0;
        bits += widths[b];
        values += (uint64_t)1 << widths[b];
    }
    return (bits == HASH_BITS || bands_count == 0) && (uint64_t)self->tables.len == values &&
           (uint64_t)self->postings.len == n * (uint64_t)bands_count * sizeof(uint32_t);
}

/* Lay the bands out over the buffers; sets an exception and returns -1 where they do not fit. */
static int lay_out(Searcher *self, const uint8_t *widths, Py_ssize_t bands_count)
{
    if (!is_fitting(self, widths, bands_count)) {
        PyErr_SetString(PyExc_ValueError, "hashes, tables, postings and widths do not fit");
        return -1;
    }
    Column *column = &self->column;
    column->hashes = self->hashes.buf;
    column->n = (uint32_t)((size_t)self->hashes.len / HASH_BYTES);
    column->bands_count = (uint32_t)bands_count;
    const uint8_t *table = self->tables.buf, *postings = self->postings.buf;
    uint32_t start = 0;
    for (Py_ssize_t b = 0; b < bands_count; b++) {
        const uint32_t width = widths[b];
        if (self->masks[width] == NULL && (self->masks[width] = make_masks(width)) == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        Band *band = &column->bands[b];
        band->start = start;
        band->width = width;
        band->table = table;
        band->postings = postings;
        band->masks = self->masks[width];
        uint32_t masks = 0;
        for (uint32_t flips = 0; flips <= MOST_FLIPS; flips++)
            band->mask_counts[flips] = masks += choose(width, flips);
        start += width;
        table += (size_t)1 << width;
        postings += column->n * sizeof(uint32_t);
    }
    return 0;
}

static PyObject *searcher_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    Py_buffer hashes, tables, postings, widths;
    if (!PyArg_ParseTuple(args, "y*y*y*y*:Searcher", &hashes, &tables, &postings, &widths))
        return NULL;
    Searcher *self = (Searcher *)PyType_GenericAlloc(type, 0);
    if (self == NULL) {
        PyBuffer_Release(&hashes);
        PyBuffer_Release(&tables);
        PyBuffer_Release(&postings);
    } else {
        self->hashes = hashes;
        self->tables = tables;
        self->postings = postings;
        self->has_buffers = 1;
        if (lay_out(self, widths.buf, widths.len) < 0)
            Py_CLEAR(self);
    }
    PyBuffer_Release(&widths);
    return (PyObject *)self;
}

static void searcher_dealloc(PyObject *object)
{
    Searcher *self = (Searcher *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->has_buffers) {
        PyBuffer_Release(&self->hashes);
        PyBuffer_Release(&self->tables);
        PyBuffer_Release(&self->postings);
    }
    for (int width = 0; width <= WIDEST; width++)
        free(self->masks[width]);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* Check what a request says; sets an exception and returns -1 where it cannot be met. */
static int check_request(const Searcher *self, const Py_buffer *queries, long radius,
                         const Py_buffer *radii, int path)
{
    int is_fit = queries->len % HASH_BYTES == 0 &&
                 (uint64_t)queries->len / HASH_BYTES <= MOST_ROWS && radius >= 0 &&
                 radius <= HASH_BITS && path >= PORTABLE && path <= AVX512 &&
                 path_runs((Path)path) &&
                 (radii->len == 0 || radii->len == (Py_ssize_t)self->column.bands_count);
    const uint8_t *each = radii->buf;
    for (Py_ssize_t b = 0; is_fit && b < radii->len; b++)
        is_fit = each[b] == NOT_SEARCHED || each[b] <= MOST_FLIPS;
    if (!is_fit)
        PyErr_SetString(PyExc_ValueError, "queries, radius, radii and path do not fit");
    return is_fit ? 0 : -1;
}

static PyObject *run_request(const Searcher *self, Request *request)
{
    Outcome outcome;
    Py_BEGIN_ALLOW_THREADS
    outcome = request->radii == NULL ? answer_by_scan(&self->column, request)
                                     : answer_by_bands(&self->column, request);
    Py_END_ALLOW_THREADS
    const Found *found = request->nearest ? request->nearest : request->results.all;
    const size_t count = request->nearest ? request->count : request->results.count;
    if (outcome == NO_MEMORY || count > (size_t)PY_SSIZE_T_MAX / sizeof *found)
        return PyErr_NoMemory();
    if (outcome == CORRUPT) {
        PyErr_SetString(PyExc_RuntimeError, "tables and postings do not hold together");
        return NULL;
    }
    return PyBytes_FromStringAndSize((const char *)found, (Py_ssize_t)(count * sizeof *found));
}

static PyObject *answer(PyObject *object, PyObject *args, int wants_all)
{
    const Searcher *self = (const Searcher *)object;
    Py_buffer queries, radii;
    long radius;
    int path;
    if (!PyArg_ParseTuple(args, "y*ly*i", &queries, &radius, &radii, &path))
        return NULL;
    PyObject *found = NULL;
    if (check_request(self, &queries, radius, &radii, path) == 0) {
        Request request = {.queries = queries.buf,
                           .count = (uint32_t)((size_t)queries.len / HASH_BYTES),
                           .radius = (uint32_t)radius,
                           .radii = radii.len ? radii.buf : NULL,
                           .path = (Path)path,
                           .results = {.wants_all = wants_all}};
        if (!wants_all)
            request.nearest = malloc(((size_t)request.count + 1) * sizeof(Found));
        if (!wants_all && request.nearest == NULL)
            PyErr_NoMemory();
        else
            found = run_request(self, &request);
        free(request.nearest);
        free(request.results.all);
    }
    PyBuffer_Release(&queries);
    PyBuffer_Release(&radii);
    return found;
}

static PyObject *searcher_nearest(PyObject *self, PyObject *args)
{
    return answer(self, args, 0);
}

static PyObject *searcher_within(PyObject *self, PyObject *args)
{
    return answer(self, args, 1);
}

static PyMethodDef searcher_methods[] = {
    {"nearest", searcher_nearest, METH_VARARGS,
     "nearest(queries, radius, radii, path) -> bytes\n\n"
     "Three uint32 for each query: its number, the place of the nearest hash, the distance;\n"
     "both 2^32 - 1 where none is within the radius. Of equally near ones the first."},
    {"within", searcher_within, METH_VARARGS,
     "within(queries, radius, radii, path) -> bytes\n\n"
     "Three uint32 for each pair within the radius: query, place, distance, in no order."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot searcher_slots[] = {
    {Py_tp_new, (void *)searcher_new},
    {Py_tp_dealloc, (void *)searcher_dealloc},
    {Py_tp_methods, searcher_methods},
    {Py_tp_doc, (void *)"Searcher(hashes, tables, postings, widths)\n\n"
                        "A column of hashes and the bands it is searched by."},
    {0, NULL},
};

static PyType_Spec searcher_spec = {
    .name = "protech.lists._mih.Searcher",
    .basicsize = sizeof(Searcher),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = searcher_slots,
};

/* ---- functions ----------------------------------------------------------------------------- */

static PyObject *mih_build_band(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer hashes, table, postings;
    long start, width;
    if (!PyArg_ParseTuple(args, "y*llw*w*:build_band", &hashes, &start, &width, &table,
                          &postings))
        return NULL;
    const uint64_t n = (uint64_t)hashes.len / HASH_BYTES;
    uint64_t *scratch = NULL;
    uint32_t *counts = NULL;
    int is_done = 0;
    if (hashes.len % HASH_BYTES != 0 || n > MOST_ROWS || width < NARROWEST || width > WIDEST ||
        start < 0 || start > HASH_BITS - width ||
        (uint64_t)table.len != (uint64_t)1 << width ||
        (uint64_t)postings.len != n * sizeof(uint32_t) ||
        (uintptr_t)postings.buf % sizeof(uint32_t) != 0) {
        PyErr_SetString(PyExc_ValueError, "hashes, table and postings do not fit");
    } else if ((scratch = malloc((size_t)n * sizeof *scratch + 1)) == NULL ||
               (counts = malloc((((size_t)1 << TOP_BITS) + ((size_t)1 << (WIDEST - TOP_BITS))) *
                                sizeof *counts)) == NULL) {
        PyErr_NoMemory();
    } else {
        is_done = 1;
        Py_BEGIN_ALLOW_THREADS
        build_band(hashes.buf, (uint32_t)n, (uint32_t)start, (uint32_t)width, table.buf,
                   postings.buf, scratch, counts);
        Py_END_ALLOW_THREADS
    }
    free(scratch);
    free(counts);
    PyBuffer_Release(&hashes);
    PyBuffer_Release(&table);
    PyBuffer_Release(&postings);
    if (!is_done)
        return NULL;
    Py_RETURN_NONE;
}

/* Whether keys and seals fit data of `size`; sets an exception where they do not. */
static int check_seals(uint64_t size, const Py_buffer *keys, const Py_buffer *out)
{
    const uint64_t block = (uint64_t)keys->len / sizeof(uint64_t) * sizeof(uint32_t);
    int is_fit = block > 0 && (size_t)keys->len % sizeof(uint64_t) == 0 &&
                 (uintptr_t)keys->buf % sizeof(uint64_t) == 0 &&
                 (uintptr_t)out->buf % sizeof(uint64_t) == 0 &&
                 (uint64_t)out->len == (size / block + (size % block != 0)) * sizeof(uint64_t);
    if (!is_fit)
        PyErr_SetString(PyExc_ValueError, "data, keys and seals do not fit");
    return is_fit;
}

static PyObject *mih_seals(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer data, keys, out;
    if (!PyArg_ParseTuple(args, "y*y*w*:seals", &data, &keys, &out))
        return NULL;
    const size_t size = (size_t)data.len;
    const size_t block = (size_t)keys.len / sizeof(uint64_t) * sizeof(uint32_t);
    int is_fit = check_seals(size, &keys, &out);
    if (is_fit) {
        const SealCharacters fastest = fastest_seal();
        const uint8_t *bytes = data.buf;
        uint64_t *seals = out.buf;
        Py_BEGIN_ALLOW_THREADS
        for (size_t at = 0; at < size; at += block)
            *seals++ = seal_block(fastest, bytes + at, size - at < block ? size - at : block,
                                  keys.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&keys);
    PyBuffer_Release(&out);
    if (!is_fit)
        return NULL;
    Py_RETURN_NONE;
}

/* Read `size` bytes at `at`; 0 where the file ends before, or cannot be read (errno says why). */
static int read_fully(int descriptor, uint8_t *out, size_t size, uint64_t at)
{
    errno = 0;
    for (size_t have = 0; have < size;) {
        ssize_t count = pread(descriptor, out + have, size - have, (off_t)(at + have));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return 0;
        have += (size_t)count;
    }
    return 1;
}

enum { BLOCKS_READ = 16 };

/* Seal `size` bytes of a file, `at` bytes from its start. */
static int seal_file(int descriptor, uint64_t at, uint64_t size, const Py_buffer *keys,
                     uint64_t *seals)
{
    const size_t block = (size_t)keys->len / sizeof(uint64_t) * sizeof(uint32_t);
    const size_t room = block * BLOCKS_READ;
    const SealCharacters fastest = fastest_seal();
    uint8_t *bytes = malloc(room);
    int is_read = bytes != NULL;
    while (is_read && size > 0) {
        const size_t count = size < room ? (size_t)size : room;
        is_read = read_fully(descriptor, bytes, count, at);
        for (size_t done = 0; is_read && done < count; done += block)
            *seals++ = seal_block(fastest, bytes + done,
                                  count - done < block ? count - done : block, keys->buf);
        at += count;
        size -= count;
    }
    free(bytes);
    return is_read;
}

static PyObject *mih_file_seals(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer keys, out;
    int descriptor, is_read = 0;
    long long at, size;
    if (!PyArg_ParseTuple(args, "iLLy*w*:file_seals", &descriptor, &at, &size, &keys, &out))
        return NULL;
    if (at < 0 || size < 0 || at > INT64_MAX - size) {
        PyErr_SetString(PyExc_ValueError, "data, keys and seals do not fit");
    } else if (check_seals((uint64_t)size, &keys, &out)) {
        Py_BEGIN_ALLOW_THREADS
        is_read = seal_file(descriptor, (uint64_t)at, (uint64_t)size, &keys, out.buf);
        Py_END_ALLOW_THREADS
        if (!is_read) {
            errno = errno ? errno : EIO; /* shorter than it was said to be */
            PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    PyBuffer_Release(&keys);
    PyBuffer_Release(&out);
    if (!is_read)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *mih_paths(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    PyObject *paths = PyDict_New();
    for (int path = PORTABLE; paths != NULL && path <= AVX512; path++) {
        if (!path_runs((Path)path))
            continue;
        PyObject *number = PyLong_FromLong(path);
        if (number == NULL || PyDict_SetItemString(paths, PATH_NAMES[path], number) < 0)
            Py_CLEAR(paths);
        Py_XDECREF(number);
    }
    return paths;
}

/* ---- the module ---------------------------------------------------------------------------- */

static PyMethodDef mih_methods[] = {
    {"paths", mih_paths, METH_NOARGS,
     "paths() -> dict\n\nThe ways to count bits that this machine has, the slowest first."},
    {"build_band", mih_build_band, METH_VARARGS,
     "build_band(hashes, start, width, table, postings)\n\nFill in the tables of one band."},
    {"seals", mih_seals, METH_VARARGS,
     "seals(data, keys, out)\n\nFill in the seal of every block of data."},
    {"file_seals", mih_file_seals, METH_VARARGS,
     "file_seals(descriptor, at, size, keys, out)\n\n"
     "Fill in the seal of every block of a part of a file; OSError where it is shorter."},
    {NULL, NULL, 0, NULL},
};

static int mih_exec(PyObject *module)
{
#if HAS_X86
    __builtin_cpu_init();
#endif
    PyObject *type = PyType_FromModuleAndSpec(module, &searcher_spec, NULL);
    if (type == NULL)
        return -1;
    int added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}

static PyModuleDef_Slot mih_slots[] = {
    {Py_mod_exec, (void *)mih_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static struct PyModuleDef mih_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_mih",
    .m_doc = "The compiled kernel of the hash index; protech.lists.kernel is its only door.",
    .m_methods = mih_methods,
    .m_slots = mih_slots,
};

PyMODINIT_FUNC PyInit__mih(void)
{
    return PyModuleDef_Init(&mih_module);
}
