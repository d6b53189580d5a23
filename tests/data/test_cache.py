import errno
import hashlib
import os
import resource
import subprocess
import sys
import threading

import numpy as np
import pytest

from wganbench.data import cache
from wganbench.data.cache import About, Recipe, obtain, read, read_about
from wganbench.errors import DataError

PIXELS = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)
LABELS = np.array([0, 1, 2, 1, 0])


def recipe(batches=((PIXELS[:3], LABELS[:3]), (PIXELS[3:], LABELS[3:])), **changes):
    made = []

    def decode():
        made.append(1)
        yield from batches

    about = {"name": "small", "split": "train", "form": "3x2x2", "version": 1, "key": "ab" * 32, **changes}
    one = Recipe(**about, batches=decode)
    object.__setattr__(one, "made", made)
    return one


def test_what_is_decoded_comes_back_as_it_was_and_is_decoded_once(tmp_path):
    small = recipe()
    for _ in range(2):
        found = obtain(small, tmp_path)
        assert np.array_equal(found.images, PIXELS)
        assert np.array_equal(found.labels, LABELS)
    assert small.made == [1]
    stem = "small-train-3x2x2-v1-abababababababab"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}.json", f"{stem}.npy"]


def test_the_checksum_is_sha256_over_images_labels_and_shape(tmp_path):
    content = PIXELS.tobytes() + LABELS.astype("<i8").tobytes() + b"[5, 3, 2, 2]"
    assert obtain(recipe(), tmp_path).checksum == hashlib.sha256(content).hexdigest()


def test_the_checksum_does_not_hang_on_how_it_came_in_batches(tmp_path):
    whole, parts = obtain(recipe([(PIXELS, LABELS)], key="00"), tmp_path), obtain(recipe(), tmp_path)
    assert whole.checksum == parts.checksum


@pytest.mark.parametrize(
    "batches",
    [
        [(PIXELS.reshape(5, 3, 1, 4), LABELS)],
        [(PIXELS, LABELS[::-1].copy() + 1)],
        [(PIXELS[::-1].copy(), LABELS)],
        [(PIXELS[:4], LABELS[:4])],
    ],
)
def test_the_checksum_tells_shapes_labels_order_and_number_apart(tmp_path, batches):
    assert obtain(recipe(batches, key="00"), tmp_path).checksum != obtain(recipe(), tmp_path).checksum


@pytest.mark.parametrize("change", [{"split": "test"}, {"form": "3x1x1"}, {"version": 2}, {"key": "cd" * 32}])
def test_another_split_form_version_or_content_is_another_file(tmp_path, change):
    obtain(recipe(), tmp_path)
    obtain(recipe(**change), tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_numpy_reads_the_images(tmp_path):
    obtain(recipe(), tmp_path)
    assert np.array_equal(np.load(tmp_path / recipe().file_name), PIXELS)


def test_images_are_mapped_and_what_is_written_to_them_never_reaches_the_file(tmp_path):
    found = obtain(recipe(), tmp_path)
    assert isinstance(found.images, np.memmap)
    found.images[:] = 0
    cache._read.cache_clear()
    assert np.array_equal(obtain(recipe(), tmp_path).images, PIXELS)


DAMAGE = {
    "a pixel": (".npy", lambda content: content[:-3] + b"\xff" + content[-2:]),
    "the stated shape": (".npy", lambda content: content.replace(b"(5, 3, 2, 2)", b"(5, 2, 3, 2)")),
    "the stated type": (".npy", lambda content: content.replace(b"|u1", b"|i1")),
    "the magic string": (".npy", lambda content: b"\0" + content[1:]),
    "the end": (".npy", lambda content: content[:-1]),
    "half the header": (".npy", lambda content: content[:64]),
    "all images": (".npy", lambda content: b""),
    "a label": (".json", lambda content: content.replace(b"[0,1,2,1,0]", b"[0,1,2,2,0]")),
    "a label beyond 64 bits": (
        ".json",
        lambda content: content.replace(b"[0,1,2,1,0]", b"[0,1,2,1,9999999999999999999]"),
    ),
    "the checksum": (".json", lambda content: content.replace(b'"checksum":"', b'"checksum":"0')),
    "no shape": (".json", lambda content: content.replace(b'"shape"', b'"form"')),
    "half the text": (".json", lambda content: content[: len(content) // 2]),
    "all text": (".json", lambda content: b""),
}


@pytest.mark.parametrize(("suffix", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_counts_as_none_and_is_made_again(tmp_path, suffix, damage):
    small = recipe()
    checksum = obtain(small, tmp_path).checksum
    path = tmp_path / small.file_name
    damaged = path.with_suffix(suffix)
    content = damaged.read_bytes()
    assert damage(content) != content
    damaged.write_bytes(damage(content))
    os.utime(damaged, ns=(1, 1))  # as if much later or earlier: the clock of a disk may be coarse
    assert read(path) is None
    assert obtain(small, tmp_path).checksum == checksum
    assert small.made == [1, 1]


def test_the_file_beside_the_images_describes_them(tmp_path):
    small = recipe()
    checksum = obtain(small, tmp_path).checksum
    stated = {"name": "small", "split": "train", "shape": (5, 3, 2, 2), "version": 1, "key": "ab" * 32}
    assert read_about(tmp_path / small.file_name) == About(**stated, checksum=checksum, labels=LABELS.tolist())
    assert read_about(tmp_path / "none.npy") is None


def refused(reason: str) -> str:
    return (
        rf"^.*: cannot write the decoded small \({reason}\); make room there, or name another folder with --data-dir "
        rf"or WGANBENCH_DATA$"
    )


def test_a_disk_without_room_is_reported_in_one_line_and_nothing_is_left_there(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 + 10, limits[1]))  # the kernel then refuses the rest
    try:
        with pytest.raises(DataError, match=refused("File too large")):
            obtain(recipe(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_an_earlier_file_alone(tmp_path, monkeypatch):
    obtain(recipe(), tmp_path)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "_fill", full)
    with pytest.raises(DataError, match=refused("No space left on device")):
        obtain(recipe(key="00"), tmp_path)
    assert [path.name for path in tmp_path.glob("*.npy")] == [recipe().file_name]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match=refused("(File exists|Not a directory)")):
        obtain(recipe(), tmp_path / "taken")


@pytest.mark.parametrize("batches", [[], [(PIXELS[:0], LABELS[:0])]])
def test_a_set_without_images_is_refused_and_leaves_nothing(tmp_path, batches):
    with pytest.raises(DataError, match=r"^small: no images in split 'train'$"):
        obtain(recipe(batches), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_fails_half_way_leaves_nothing(tmp_path):
    def batches():
        yield PIXELS, LABELS
        raise DataError("the second batch is missing")

    with pytest.raises(DataError, match=r"^the second batch is missing$"):
        obtain(recipe(batches()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_that_decode_it_at_once_both_get_it_whole(tmp_path):
    both, found = threading.Barrier(2, timeout=30), []

    def batches():
        yield PIXELS[:3], LABELS[:3]
        both.wait()  # each has written a half
        yield PIXELS[3:], LABELS[3:]

    threads = [threading.Thread(target=lambda: found.append(obtain(recipe(batches()), tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.images.tolist() for one in found] == [PIXELS.tolist()] * 2
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_half_written_is_cleared_away_and_that_of_a_living_one_is_not(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    node = os.uname().nodename
    left, living = (tmp_path / f".a.npy.{node}.0.{pid}" for pid in (int(dead.stdout), os.getppid()))
    left.write_text("half")
    living.write_text("half")
    obtain(recipe(), tmp_path)
    assert not left.exists()
    assert living.exists()
