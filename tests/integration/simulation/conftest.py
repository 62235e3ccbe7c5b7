"""The builder of scenes that the unit tests of the simulator use, and a patient with a lesion in every bone."""

from tests.integration.simulation.pair import pair
from tests.unit.simulation.conftest import builder, scenes

__all__ = ["builder", "pair", "scenes"]
