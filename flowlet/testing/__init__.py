"""What users need to test their DAGs: `Engine(clock=VirtualClock(...))` waits for nothing."""

from flowlet.clock import VirtualClock

__all__ = ["VirtualClock"]
