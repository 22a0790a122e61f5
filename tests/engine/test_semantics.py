"""The semantic distance: by a network that did not dream, near for twins, far for others."""

import pytest

from tests.engine import looks, semantics


def test_the_judge_never_dreamed():
    for dreamers in ({"squeezenet1_1"}, {"efficientnet-lite2"}, {"efficientnet-lite0"}):
        judge = semantics.judge(dreamers)
        assert judge is None or judge.name not in dreamers
    assert semantics.judge({name for name, _ in semantics.JUDGES}) is None


def test_brightness_is_nearer_than_another_subject():
    judge = semantics.judge({"efficientnet-lite0", "efficientnet-lite2"})
    cat, brighter, cup = (
        semantics.late_features(judge, picture)
        for picture in (
            looks.photo("chelsea.png", 240),
            (looks.photo("chelsea.png", 240) * 1.1).clamp(0, 1),
            looks.photo("coffee.png", 240),
        )
    )
    assert semantics.distance(cat, cat) == pytest.approx(0.0, abs=1e-6)
    assert semantics.distance(cat, brighter) < 0.5 * semantics.distance(cat, cup)
