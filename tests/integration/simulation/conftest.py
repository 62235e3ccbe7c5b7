"""The builder of scenes that the unit tests of the simulator use."""

from tests.unit.simulation.conftest import builder, scenes

__all__ = ["builder", "scenes"]
