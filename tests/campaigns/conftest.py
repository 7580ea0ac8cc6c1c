"""The workspace that every sample of a campaign copies."""

from __future__ import annotations

import pytest

from campaigns.promises import remember
from campaigns.scene import Scene, prepare


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """An approved run after a sealed one, made by the command line."""
    return remember(prepare(tmp_path_factory.mktemp("scene")))
