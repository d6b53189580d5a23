import hashlib

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from wganbench.data import image_folder
from wganbench.data.cache import obtain
from wganbench.data.image_folder import digest, recipe, samples, shuffled
from wganbench.errors import DataError

SQUARES = {"cat/b.png": (4, 4), "cat/a.PNG": (4, 4), "ape/deep/c.png": (4, 4), "ape/a.png": (4, 4), "dog/0.png": (4, 4)}
LEVELS = (10, 20, 30, 40, 50)


def sha256_of(name):
    return hashlib.sha256(name.encode()).digest()


def decoded(folder, tmp_path, **options):
    about = {"split": "train", **options}
    return obtain(recipe(folder, "faces", digest(folder), **about), tmp_path / "decoded")


@pytest.mark.parametrize("below", ["", "train/"])
def test_images_and_labels_are_those_of_torchvision_in_its_order(make_folder, below):
    folder = make_folder("faces", {f"{below}{place}": size for place, size in SQUARES.items()})
    (folder / below / "cat" / "notes.txt").write_text("no image")
    theirs = ImageFolder(folder / below)
    assert [(str(path), label) for path, label in samples(folder, "train")] == theirs.samples
    assert [label for _, label in samples(folder, "train")] == [0, 0, 1, 1, 2]


def test_every_suffix_of_torchvision_is_an_image():
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert image_folder.SUFFIXES == IMG_EXTENSIONS


def test_pixels_are_those_of_the_files(make_folder, tmp_path):
    folder = make_folder("faces", SQUARES)
    found = decoded(folder, tmp_path)
    assert found.images.shape == (5, 3, 4, 4)
    level_and_label = zip(found.images[:, :, 0, 0].tolist(), found.labels.tolist(), strict=True)
    assert sorted(level_and_label) == [
        ([level] * 3, label) for level, label in zip(LEVELS, (1, 1, 0, 0, 2), strict=True)
    ]


def test_images_are_shuffled_by_their_names_alone(make_folder, tmp_path):
    folder = make_folder("faces", {f"{name}/{number}.png": (2, 2) for name in "ab" for number in range(12)})
    names = sorted((path.relative_to(folder).as_posix() for path in folder.rglob("*.png")), key=sha256_of)
    found = decoded(folder, tmp_path)
    levels = [10 * (12 * "ab".index(name[0]) + int(name[2:-4])) + 10 for name in names]
    assert found.images[:, 0, 0, 0].tolist() == levels
    assert found.labels.tolist() == ["ab".index(name[0]) for name in names]
    assert 3 <= sum(found.labels[:12]) <= 9  # by class it is 0


def test_an_image_that_is_added_moves_no_other(make_folder):
    folder = make_folder("faces", SQUARES)
    before = shuffled(samples(folder, "train"), folder)
    Image.new("RGB", (4, 4)).save(folder / "dog" / "1.png")
    after = shuffled(samples(folder, "train"), folder)
    assert [sample for sample in after if sample[0].name != "1.png"] == before != after


def test_splits_are_shuffled_as_a_folder_without_them_is(make_folder):
    whole, parts = make_folder("faces", SQUARES), make_folder("parts", {f"train/{name}": (4, 4) for name in SQUARES})
    orders = [
        [path.relative_to(root).as_posix() for path, _ in shuffled(samples(folder, "train"), root)]
        for folder, root in ((whole, whole), (parts, parts / "train"))
    ]
    assert orders[0] == orders[1] != sorted(orders[0])


def test_channels_come_first_and_grey_is_one_of_them(tmp_path):
    for name, colour in (("a/0.png", (255, 0, 0)), ("b/0.png", (0, 0, 255))):
        (tmp_path / "faces" / name).parent.mkdir(parents=True)
        Image.new("RGB", (2, 1), colour).save(tmp_path / "faces" / name)
    colour, grey = (decoded(tmp_path / "faces", tmp_path, channels=n).images for n in (3, 1))
    assert sorted(colour[:, :, 0, 0].tolist()) == [[0, 0, 255], [255, 0, 0]]
    assert (grey.shape, sorted(grey[:, 0, 0, 0].tolist())) == ((2, 1, 1, 2), [29, 76])  # 0.114 and 0.299 of 255


def test_a_size_crops_about_the_centre_and_averages_areas(tmp_path):
    levels = np.array([[99, 0, 2, 10, 20, 99], [99, 4, 6, 30, 40, 99], [99, 5, 5, 0, 1, 99], [99, 5, 4, 0, 0, 99]])
    for name in ("a", "b"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        Image.fromarray(levels.astype(np.uint8)).save(tmp_path / "faces" / name / "0.png")
    found = decoded(tmp_path / "faces", tmp_path, size=2, channels=1).images
    assert found.tolist() == [[[[3, 25], [5, 0]]]] * 2


def test_images_of_mixed_sizes_need_a_size(make_folder, tmp_path):
    folder = make_folder("faces", {"a/0.png": (4, 4), "a/1.png": (8, 6), "b/0.png": (5, 4)})
    message = (
        r"(a/1\.png: 8×6|b/0\.png: 5×4) pixels, the first has 4×4; set size to bring images of mixed sizes to one size"
    )
    with pytest.raises(DataError, match=message):
        decoded(folder, tmp_path)
    assert decoded(folder, tmp_path, size=4).images.shape == (3, 3, 4, 4)
    assert sorted(path.suffix for path in (tmp_path / "decoded").iterdir()) == [".json", ".npy"]


def test_mixed_sizes_are_found_across_batches(make_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "BATCH", 1)
    folder = make_folder("faces", {"a/0.png": (4, 4), "b/0.png": (5, 4)})
    with pytest.raises(DataError, match="5×4 pixels, the first has 4×4"):
        decoded(folder, tmp_path)


def test_batches_keep_the_order(make_folder, tmp_path, monkeypatch):
    folder = make_folder("faces", {f"{i % 2}/{i // 2:02}.png": (2, 2) for i in range(23)})
    whole, key = decoded(folder, tmp_path).checksum, digest(folder)
    monkeypatch.setattr(image_folder, "BATCH", 2)
    monkeypatch.setattr(image_folder, "THREADS", 3)
    assert digest(folder) == key
    batches = list(recipe(folder, "faces", key, split="train").batches())
    assert obtain(recipe(folder, "other", key, split="train"), tmp_path).checksum == whole
    assert [len(images) for images, _ in batches] == [2] * 11 + [1]
    names = sorted((f"{i % 2}/{i // 2:02}.png" for i in range(23)), key=sha256_of)
    images = np.concatenate([images for images, _ in batches])
    assert images[:, 0, 0, 0].tolist() == [10 * (2 * int(name[2:4]) + int(name[0])) + 10 for name in names]


def test_an_image_that_is_too_small_is_not_enlarged(make_folder, tmp_path):
    folder = make_folder("faces", {"a/0.png": (9, 9), "b/0.png": (9, 7)})
    with pytest.raises(DataError, match=r"b/0\.png: 9×7 pixels, less than size = 8; images are never enlarged$"):
        decoded(folder, tmp_path, size=8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot identify"),
        (b"no image at all", "cannot identify"),
        (None, "truncated|broken|unexpected|Truncated"),
    ],
)
def test_a_corrupt_image_is_named_and_nothing_is_left(make_folder, tmp_path, content, reason):
    folder = make_folder("faces", {"a/0.png": (64, 64), "b/0.png": (64, 64)})
    path = folder / "b" / "0.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1000] if content is None else content)
    message = rf"^{path}: not a whole image \(.*({reason}).*\); replace or remove it$"
    with pytest.raises(DataError, match=message):
        decoded(folder, tmp_path)
    assert list((tmp_path / "decoded").iterdir()) == []


def test_sixteen_bits_are_refused(make_folder, tmp_path):
    folder = make_folder("faces", {"a/0.png": (2, 2), "b/0.png": (2, 2)})
    Image.fromarray(np.full((2, 2), 40_000, np.uint16)).save(folder / "b" / "0.png")
    with pytest.raises(DataError, match=r"b/0\.png: pixels of mode I;16; must have 8 bits a channel$"):
        decoded(folder, tmp_path)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([], "no such folder; must have a folder of images for each class$"),
        (["x.txt"], "no classes; must have two or more folders, each with the images of a class$"),
        (["0.png", "1.png"], "no classes and 2 images in none; must have two or more folders"),
        (["cat/0.png"], "one class, 'cat'; must have two or more folders"),
        (["train/cat/0.png", "test/cat/0.png"], "faces/train: one class, 'cat'; must have two or more"),
        (["cat/0.png", "dog/notes.txt"], r"faces/dog: no images; must have some of \.jpg, "),
        (["test/cat/0.png", "test/dog/0.png"], "no folder train; must have train, and test"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_reported(tmp_path, places, message):
    for place in places:
        path = tmp_path / "faces" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    with pytest.raises(DataError, match=message) as caught:
        digest(tmp_path / "faces")
    assert "\n" not in str(caught.value)


def test_a_test_split_is_a_folder_of_its_own(make_folder, tmp_path):
    whole = make_folder("faces", SQUARES)
    with pytest.raises(DataError, match="faces: no split 'test'; must have a folder test beside train"):
        samples(whole, "test")
    parts = make_folder("parts", {f"{split}/{name}/0.png": (2, 2) for split in ("train", "test") for name in "ab"})
    assert [path.parts[-3] for path, _ in samples(parts, "test")] == ["test", "test"]
    train, test = (decoded(parts, tmp_path, split=split).images[:, 0, 0, 0].tolist() for split in ("train", "test"))
    assert (sorted(train), sorted(test)) == ([10, 20], [30, 40])


def test_splits_with_other_classes_are_refused(make_folder):
    places = ("train/a/0.png", "train/b/0.png", "test/b/0.png", "test/c/0.png")
    folder = make_folder("faces", dict.fromkeys(places, (2, 2)))
    with pytest.raises(DataError, match=r"faces: train has classes \['a'\] that test lacks, test \['c'\]"):
        digest(folder)


def test_the_digest_hangs_on_names_and_contents_alone(make_folder, tmp_path):
    folder = make_folder("faces", SQUARES)
    first = digest(folder)
    assert digest(make_folder("elsewhere/faces", SQUARES)) == first
    (folder / "cat" / "notes.txt").write_text("no image")
    assert digest(folder) == first
    (folder / "cat" / "b.png").rename(folder / "cat" / "c.png")
    renamed = digest(folder)
    (folder / "cat" / "c.png").write_bytes((folder / "dog" / "0.png").read_bytes())
    assert len({first, renamed, digest(folder)}) == 3


def test_the_digest_covers_both_splits(make_folder):
    sizes = {f"{split}/{name}/0.png": (2, 2) for split in ("train", "test") for name in "ab"}
    folder = make_folder("faces", sizes)
    first = digest(folder)
    Image.new("RGB", (2, 2), (7, 7, 7)).save(folder / "test" / "b" / "0.png")
    assert digest(folder) != first


def test_other_images_than_those_asked_for_are_refused(make_folder, tmp_path):
    folder = make_folder("faces", SQUARES)
    with pytest.raises(DataError, match=r"faces: other images than those asked for, digest [0-9a-f]{16}… for 00000000"):
        obtain(recipe(folder, "faces", "0" * 64, split="train"), tmp_path / "decoded")
