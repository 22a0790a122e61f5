"""All that the picture hashes take from the project: where its modules move, this alone changes.

The rest of the picture hashes must stay as it is while what they look at is rewritten: else it
could not be told whether the pictures changed, or the question.
"""

from dreamlayer.studio import Studio
from dreamlink.messages import DreamRequest
from dreamlink.picture import Edges, Picture, Region
from dreamlink.presets import PRESETS
from dreamlink.recipe import PARAMETERS, Recipe, Value
from tests.models.random_states import random_state

__all__ = [
    "PARAMETERS", "PRESETS", "DreamRequest", "Edges", "Picture", "Recipe", "Region", "Studio",
    "Value", "random_state",
]  # fmt: skip
