"""Philox: published answers, the stated maps, and what independence can be tested."""

import itertools
import math
from statistics import NormalDist

import ml_dtypes
import numpy as np
import pytest

from graphc import philox

K = philox.key(2024)
# Of the Kolmogorov-Smirnov distribution: at most this over sqrt(n), with a probability of 99.9 %.
KS_BOUND = 1.95


def ks_distance(values, cdf):
    """The largest distance between the empirical and the expected distribution function."""
    expected = np.array([cdf(value) for value in np.sort(values, axis=None).tolist()])
    steps = np.arange(len(expected) + 1) / len(expected)
    return max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))


def correlation(a, b):
    return np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1]


# The file kat_vectors of Random123, lines "philox4x32 10".
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def hexes(text):
    return tuple(int(word, 16) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "block"), KNOWN_ANSWERS)
def test_block_is_the_published_one(counter, key, block):
    assert philox.philox4x32(hexes(counter), hexes(key)) == hexes(block)


def test_blocks_in_an_array_are_the_published_ones():
    # One key for all: vary the counters only, against the scalar path that the vectors prove.
    counters = [hexes(row[0]) for row in KNOWN_ANSWERS]
    columns = tuple(np.array(column, np.uint64) for column in zip(*counters, strict=True))
    blocks = np.stack(philox.philox4x32(columns, K), axis=1)
    assert blocks.tolist() == [list(philox.philox4x32(counter, K)) for counter in counters]


def test_blocks_of_data_are_encrypted_as_any_counter():
    """The fast way of streams gives what the obvious one gives, past 32 bits, too."""
    numbers = [0, 1, 2**32 - 1, 2**32, 2**40 + 12345, 2**64 - 1]
    for key in (K, (0xFFFFFFFF, 0xFFFFFFFF), (0, 0)):
        words = np.stack(philox._encrypt(np.array(numbers, np.uint64), key), axis=1)
        expected = [philox.philox4x32((n & philox.MASK, n >> 32, 0, 0), key) for n in numbers]
        assert words.tolist() == [list(block) for block in expected]


def test_key_is_the_seed_in_halves():
    assert philox.key(0) == (0, 0)
    assert philox.key(0x0123456789ABCDEF) == (0x89ABCDEF, 0x01234567)
    assert philox.key(2**64 - 1) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert philox.key(np.int64(7)) == (7, 0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_outside_of_64_bits_are_refused(seed):
    with pytest.raises(ValueError, match=r"seed must be in \[0, 2\*\*64\)"):
        philox.key(seed)
    with pytest.raises(ValueError, match=r"data must be in \[0, 2\*\*64\)"):
        philox.fold_in(K, seed)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError):
        philox.key(1.0)
    with pytest.raises(TypeError):
        philox.fold_in(K, b"bytes")
    with pytest.raises(ValueError, match="n must be"):
        philox.split(K, -1)


def test_children_follow_the_table_of_counters():
    data = 0x0123456789ABCDEF
    assert philox.fold_in(K, data) == philox.philox4x32((0x89ABCDEF, 0x01234567, 0, 1), K)[:2]
    assert philox.split(K, 3)[2] == philox.philox4x32((2, 0, 0, 3), K)[:2]


def test_golden_values():
    assert philox.bits(K, 4).tolist() == [0x9A8B6B73, 0x44C09046, 0xFC0EA9B9, 0x15668C92]
    assert philox.fold_in(K, 5) == (240361330, 268762198)
    assert philox.fold_in(K, "5") == (1313991608, 3979024051)
    assert philox.fold_in(K, "weights/é") == (3506820967, 1271557906)
    assert philox.split(K, 2) == ((725789320, 3760123395), (4220745953, 1881027315))
    assert philox.uniform(K, (2,)).tolist() == [0.6036898493766785, 0.26856327056884766]
    assert philox.uniform(K, (1,), np.float64)[0] == float.fromhex("0x1.3516d6d130241p-1")
    # log, cos and sin may differ in the last place from one platform to another.
    expected = [1.3541920816098942, -0.13145440374406528, 0.7387212031659286, -0.5517754624020704]
    np.testing.assert_allclose(philox.normal(K, (4,), np.float64), expected, rtol=1e-14)


def test_split_does_not_depend_on_the_number_of_children():
    assert philox.split(K, 7)[:3] == philox.split(K, 3)
    assert philox.split(K, 0) == ()


def test_derived_keys_do_not_collide():
    keys = [K, *philox.split(K, 3000)]
    keys += [philox.fold_in(K, index) for index in range(3000)]
    keys += [philox.fold_in(K, str(index)) for index in range(3000)]
    keys += [philox.fold_in(philox.fold_in(K, a), b) for a in range(50) for b in range(50)]
    assert len(set(keys)) == len(keys)


def test_children_are_not_among_the_data():
    words = philox.bits(K, 20_000).tolist()
    pairs = set(itertools.pairwise(words))
    children = {*philox.split(K, 1000), *(philox.fold_in(K, i) for i in range(1000)), philox.fold_in(K, "a")}
    assert not pairs & children


def test_one_bit_of_data_changes_half_of_the_key():
    parent = philox.fold_in(K, 0)
    flips = [philox.fold_in(K, 1 << bit) for bit in range(64)]
    changed = [(a ^ parent[0]).bit_count() + (b ^ parent[1]).bit_count() for a, b in flips]
    assert 30 < np.mean(changed) < 34  # 32 expected; the mean of 64 deviates by 0.5
    assert 12 <= min(changed) <= max(changed) <= 52  # 5 standard deviations


def test_streams_of_related_keys_are_uncorrelated():
    n = 20_000
    streams = [philox.uniform(key, (n,)) for key in (K, philox.fold_in(K, 0), *philox.split(K, 2), (K[0] ^ 1, K[1]))]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert abs(correlation(a, b)) < 4 / math.sqrt(n)
        assert abs(correlation(a[1:], a[:-1])) < 4 / math.sqrt(n)


CHUNK = philox._CHUNK
LENGTHS = [0, 1, 2, 3, 4, 5, 1001, CHUNK // 2 + 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3]


@pytest.mark.parametrize("n", LENGTHS)
def test_bits_are_words_of_consecutive_blocks(n):
    whole = philox.bits(K, 3 * CHUNK)
    part = philox.bits(K, n)
    assert part.dtype == np.uint32
    assert part.shape == (n,)
    assert np.array_equal(part, whole[:n])
    if n:
        assert int(part[-1]) == philox.philox4x32(((n - 1) // 4, 0, 0, 0), K)[(n - 1) % 4]


def test_counters_carry_into_the_second_word():
    words = philox._words(K, 4 * (2**32 - 1), 4 * (2**32 + 1))
    blocks = [*philox.philox4x32((0xFFFFFFFF, 0, 0, 0), K), *philox.philox4x32((0, 1, 0, 0), K)]
    assert words.tolist() == blocks


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
def test_values_are_prefixes_of_longer_draws(draw, n):
    whole = draw(K, (3 * CHUNK,), np.float64)
    assert np.array_equal(draw(K, (n,), np.float64), whole[:n])


def test_every_bit_is_a_fair_coin():
    n = 20_000
    ones = (philox.bits(K, n)[:, None] >> np.arange(32, dtype=np.uint32) & 1).sum(axis=0)
    assert np.all(np.abs(ones - n / 2) < 4.5 * math.sqrt(n / 4))


def test_uniforms_follow_the_stated_map():
    words = philox.bits(K, 40).tolist()
    assert philox.uniform(K, (40,)).tolist() == [(b >> 8) * 2.0**-24 for b in words]
    assert philox.uniform(K, (40,), np.float16).tolist() == [(b >> 21) * 2.0**-11 for b in words]
    doubles = [((a >> 5) * 2**26 + (b >> 6)) / 2**53 for a, b in zip(words[::2], words[1::2], strict=True)]
    assert philox.uniform(K, (20,), np.float64).tolist() == doubles


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_all_ones_stay_below_one(dtype, monkeypatch):
    monkeypatch.setattr(philox, "_words", lambda key, start, stop: np.full(stop - start, 0xFFFFFFFF, np.uint32))
    assert philox.uniform(K, (1,), dtype)[0] == np.nextafter(dtype(1), dtype(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniforms_are_uniform(dtype):
    n = 20_000
    values = philox.uniform(K, (n,), dtype)
    assert values.min() >= 0
    assert values.max() < 1
    assert ks_distance(values, lambda x: x) < KS_BOUND / math.sqrt(n)
    assert abs(values.mean() - 0.5) < 4 * math.sqrt(1 / 12 / n)
    assert abs(values.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / n)


def test_normals_follow_the_stated_map():
    uniforms = philox.uniform(K, (10,), np.float64).tolist()
    expected = []
    for u, v in zip(uniforms[::2], uniforms[1::2], strict=True):
        radius = math.sqrt(-2 * math.log(1 - u))
        expected += [radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)]
    np.testing.assert_allclose(philox.normal(K, (10,), np.float64), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_normals_are_rounded_once(dtype):
    assert np.array_equal(philox.normal(K, (9, 11), dtype), philox.normal(K, (9, 11), np.float64).astype(dtype))


@pytest.mark.parametrize("word", [0, 0xFFFFFFFF])
def test_normals_of_extreme_words_are_finite(word, monkeypatch):
    monkeypatch.setattr(philox, "_words", lambda key, start, stop: np.full(stop - start, word, np.uint32))
    values = philox.normal(K, (2,), np.float64)
    assert np.all(np.isfinite(values))
    assert np.abs(values).max() < 8.6


def test_normals_are_normal():
    n = 20_000
    values = philox.normal(K, (n,), np.float64)
    assert ks_distance(values, NormalDist().cdf) < KS_BOUND / math.sqrt(n)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(values**power) - moment) < 4 * math.sqrt(variance / n)
    # The two of a pair share a radius: neither they nor their squares may be correlated.
    first, second = values[0::2], values[1::2]
    assert abs(correlation(first, second)) < 4 / math.sqrt(n / 2)
    assert abs(correlation(first**2, second**2)) < 4 / math.sqrt(n / 2)


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (3,), (2, 3, 5)])
def test_shapes_and_dtypes(draw, shape):
    for dtype in (np.float16, np.float32, np.float64):
        values = draw(K, shape, dtype)
        assert isinstance(values, np.ndarray)
        assert values.shape == shape
        assert values.dtype == dtype
        assert values.flags.writeable
        assert np.array_equal(values.reshape(-1), draw(K, (values.size,), dtype))
    assert draw(K, shape).dtype == np.float32


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
def test_bfloat16(draw):
    bfloat16 = np.dtype(ml_dtypes.bfloat16)
    values = draw(K, (500,), bfloat16)
    assert values.dtype == bfloat16
    if draw is philox.uniform:
        assert values.tolist() == [(b >> 24) / 256 for b in philox.bits(K, 500).tolist()]


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64])
def test_other_dtypes_are_refused(draw, dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        draw(K, (2,), dtype)
