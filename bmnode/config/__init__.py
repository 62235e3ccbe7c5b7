"""One frozen tree of settings, read once and passed down.

`settings` is the tree, `sources` reads it from TOML and environment, `check` looks at what
types cannot tell, `template` writes a first file, `edit` changes peers in an existing one.
"""

from bmnode.config.settings import Settings
from bmnode.config.sources import find_config_file, load_settings

__all__ = ["Settings", "find_config_file", "load_settings"]
