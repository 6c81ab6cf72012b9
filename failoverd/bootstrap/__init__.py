"""The composition root: configuration in, drivers built, service wired. Nothing else builds."""

from failoverd.bootstrap.application import open_app

__all__ = ["open_app"]
