"""All that the picture hashes take from the project: where its modules move, this alone changes.

The rest of the picture hashes must stay as it is while what they look at is rewritten: else it
could not be told whether the pictures changed, or the question.
"""

from dreamlayer.studio.local import LocalStudio as Studio
from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import PARAMETERS, Recipe, Value
from dreamlink.wire.messages import DreamRequest
from tests.networks.random_states import random_state

__all__ = [
    "PARAMETERS", "PRESETS", "DreamRequest", "Edges", "Picture", "Recipe", "Region", "Studio",
    "Value", "random_state",
]  # fmt: skip
