"""Classifiers as feature extractors of torch-fidelity, for its own metrics and command."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from wganbench.measures.scores.classifier import Classifier

LAYERS = ("features", "logits")


def register(classifier: Classifier) -> str:
    """Registers a classifier with torch-fidelity, once, for use as ``calculate_metrics(feature_extractor=…)``.

    torch-fidelity's Inception score shuffles the samples unless ``samples_shuffle=False``; `formulas.inception_score`
    never does.

    Returns:
        The registered name, which is the classifier's protocol.
    """

    class Extractor(FeatureExtractorBase):
        def __init__(self, name: str, features_list: Sequence[str], **options: Any):
            super().__init__(name, features_list)
            self.network = copy.deepcopy(classifier.network)

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            features = self.network.features(images)
            found = {"features": features, "logits": self.network.last(features)}
            return tuple(found[layer] for layer in self.features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return LAYERS

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

    if classifier.protocol not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(classifier.protocol, Extractor)
    return classifier.protocol
