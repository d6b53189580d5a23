import pytest
import torch
import torch_fidelity
from torch.utils.data import Dataset

from tests.measures.scores.extractor import register
from wganbench.errors import DataError
from wganbench.measures.scores.classifier import Classifier, classifier
from wganbench.measures.scores.formulas import frechet_distance, inception_score, kernel_distance


class Images(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def test_a_loaded_classifier_says_what_the_trained_one_did(trained, file, stripes):
    before, loaded = trained[0], classifier(file.parent, file=file.stem)
    (_, test) = stripes
    assert torch.equal(loaded(test.pixels).logits, before(test.pixels).logits)
    assert loaded.accuracy(test.pixels, test.labels) == before.about.test_accuracy
    assert loaded.protocol == f"classifier@{file.stem}"


def test_its_weights_are_those_of_its_file_rounded_before_it_scores(trained):
    state = trained[0].network.state_dict()
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in state.values())


def test_features_are_what_the_last_layer_reads(trained, stripes):
    outputs = trained[0](stripes[1].pixels)
    last = trained[0].network.last
    assert outputs.features.shape == (300, 64)
    assert torch.allclose(outputs.logits, outputs.features @ last.weight.T + last.bias, atol=1e-5)


def test_an_image_is_judged_by_itself(trained, stripes):
    images = stripes[1].pixels
    alone = torch.cat([trained[0](image[None]).logits for image in images[:7]])
    assert torch.allclose(trained[0](images).logits[:7], alone, atol=1e-4)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8), *(torch.zeros(2, *s).byte() for s in [(3, 8, 9), (1, 8, 8)])]
)
def test_images_of_another_kind_are_refused(trained, images):
    with pytest.raises(
        DataError, match=r"^classifier@stripes-8-\w{8}: images must be \(n, 3, 8, 8\) torch.uint8, got "
    ):
        trained[0](images)


def test_torch_fidelity_computes_the_same_scores_with_it(trained, stripes):
    (train, test), network = stripes, trained[0]
    name = register(network)
    assert register(network) == name == network.protocol
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(test.pixels),
        input2=Images(train.pixels),
        feature_extractor=name,
        isc=True,
        fid=True,
        kid=True,
        kid_subset_size=100,
        samples_shuffle=False,
        save_cpu_ram=True,
        cuda=False,
        cache=False,
        verbose=False,
    )
    fake, real = network(test.pixels), network(train.pixels)
    mean, spread = inception_score(fake.logits)
    assert (theirs["inception_score_mean"], theirs["inception_score_std"]) == pytest.approx((mean, spread), rel=1e-4)
    assert 1.5 < mean <= 3.0
    assert theirs["frechet_inception_distance"] == pytest.approx(
        frechet_distance(fake.features, real.features), rel=1e-3
    )
    distance, _ = kernel_distance(fake.features, real.features, subset_size=100)
    assert theirs["kernel_inception_distance_mean"] == pytest.approx(distance, rel=1e-2, abs=1e-5)


def test_two_classifiers_are_two_extractors(trained):
    network = trained[0]
    other = Classifier("stripes-8-00000000", network.about, network.network.state_dict())
    assert register(other) != register(network)
