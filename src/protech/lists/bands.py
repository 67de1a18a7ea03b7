"""Which bands a column of hashes is searched by, and why no match is missed.

A hash of 256 bits is cut into m bands that lie side by side. Say the radius is r = m a + b with
0 <= b < m. Two hashes at most r bits apart then agree to within a bits in one of the first
b + 1 bands, or to within a - 1 bits in one of the others. Otherwise they would differ by a + 1
bits or more in each of the b + 1, by a bits or more in each of the m - b - 1, and so by
(b + 1)(a + 1) + (m - b - 1) a = m a + b + 1 > r in all (the pigeonhole principle). So it is
enough to look at every hash of which some band is so near to the query's, and to compare those
whole: what is found is exactly what comparing all of them would find, for any radius.

With 11 bands and a radius of 31 bits that is a = 2, b = 9: ten bands with every flip of up to
two bits and one with up to one. More bits a band mean fewer hashes that agree by chance, but
more flips; which number of bands is best depends on how many hashes there are. Source of the
general form: Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index
Hashing", 2014, section 3 (there for equal bands).
"""

from functools import lru_cache
from math import comb

HASH_BITS = 256

NOT_SEARCHED = 255
"""Stands for a band's radius where the band need not be looked at."""

MOST_FLIPS = 4
"""No band is searched further; beyond, reading every hash is cheaper at any size."""

SMALLEST = 8_192
"""Fewer hashes are compared one by one, in less time than the bands' tables take to look up."""

BANDS = ((160_000, 16), (640_000, 14), (5_000_000, 12), (20_000_000, 11))
"""Up to so many hashes, so many bands: at most 2.5 hashes for each value of a band.

Beyond, ten bands of 25 or 26 bits. Measured with random hashes; a table's groups of 16 values
hold 62 hashes (native/bands.h), and more make each search slower.
"""

MOST_BANDS = 10

PROBE_ROWS, CANDIDATE_ROWS = 4, 8
"""What one value looked up, and one hash compared out of order, cost: so many read in order."""


def widths_for(count: int) -> bytes:
    """Return how many bits each band has, for a column of ``count`` hashes; b"" for no bands.

    The widest come first: those are searched the furthest, and agree by chance the least.
    """
    if count < SMALLEST:
        return b""
    bands = next((bands for up_to, bands in BANDS if count <= up_to), MOST_BANDS)
    width, wider = divmod(HASH_BITS, bands)
    return bytes([width + 1] * wider + [width] * (bands - wider))


@lru_cache(maxsize=1024)
def radii_for(count: int, widths: bytes, radius_bits: int) -> bytes:
    """Return how many bits of each band may differ; b"" where all hashes are best compared.

    Args:
        count: Hashes in the column.
        widths: Bits of each band, as ``widths_for`` gave them.
        radius_bits: 0 to 256.
    """
    if not widths:
        return b""
    flips, others = divmod(radius_bits, len(widths))
    if flips > MOST_FLIPS:
        return b""
    radii = [flips if band <= others else flips - 1 for band in range(len(widths))]
    probes = [_flips(width, radius) for width, radius in zip(widths, radii, strict=True)]
    met = sum(each * count / 2**width for each, width in zip(probes, widths, strict=True))
    if sum(probes) * PROBE_ROWS + met * CANDIDATE_ROWS >= count:
        return b""
    return bytes(NOT_SEARCHED if radius < 0 else radius for radius in radii)


def _flips(width: int, radius: int) -> int:
    return sum(comb(width, bits) for bits in range(radius + 1))
